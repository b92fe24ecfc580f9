"""Signing in through real JupyterHubs, as a browser without scripts does it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest
from traitlets.config import Config

from hubs import Facility, LaunchHub, Person, external_service, managed, running_facility
from nbstamp.app import ConfigurationError, build, read_hub_environment
from nbstamp.identity.base import Caller, Surroundings
from nbstamp.identity.jupyterhub import JupyterHubIdentity
from nbstamp.web.tokens import Tokens
from support import PORTAL, Launch, create_form, forms, stamped

PLAIN = "sem/plain.ipynb"


@pytest.fixture(scope="module", params=["6", "5"])
def facility(
    request: pytest.FixtureRequest,
    logs: Path,
    templates: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Facility]:
    name = f"signing{request.param}"
    folder = tmp_path_factory.mktemp(name)
    config = """
c.JupyterHub.load_groups = {"sem": {"users": ["anna"]}}
"""
    arguments = [f"--templates={templates}", "--JupyterHubIdentity.recheck=0.5"]
    with running_facility(
        name, *arguments, folder=folder, logs=logs, version=request.param, config=config
    ) as facility:
        yield facility


def test_a_click_survives_signing_in_without_scripts(facility: Facility) -> None:
    person = facility.person()
    form = person.kept(PLAIN, {"a": "survives", "object_id": 7})
    assert "Close this tab" in person.sign_in("anna").text
    page = person.site.send(form)
    assert "Jupyter account: <strong>anna</strong>" in page.text
    assert "SampleDB" not in page.text
    assert "sampledb.example" in page.text
    assert "Your notebook is saved" in person.site.send(create_form(page)).text
    made = facility.site.root / "anna/sem/plain.ipynb"
    assert stamped(made.read_text())["a"] == "survives"


def test_cookies_are_for_this_service_alone_and_never_sent_across_sites(
    facility: Facility,
) -> None:
    person = facility.person()
    path = urlsplit(person.site.url).path
    answer = person.get("login", follow_redirects=False)
    person.sign_in("anna")
    person.site.client.cookies.clear()
    location = urlsplit(answer.headers["location"])
    query = parse_qs(location.query)
    assert location.path == "/hub/api/oauth2/authorize"
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("nbstamp-login-")
    assert f"Path={path}; SameSite=lax" in cookie
    assert "HttpOnly" in cookie
    assert len(cookie) < 1000
    for sealed in (query["state"][0], cookie.split("=")[1].split(";")[0]):
        assert "resume" not in sealed


def test_a_session_is_one_cookie_with_nothing_to_read_in_it(facility: Facility) -> None:
    person = facility.person()
    person.sign_in("anna")
    (name,) = person.cookies()
    assert name == "nbstamp-session"
    assert len(person.cookies()[name]) < 500
    assert "anna" not in person.cookies()[name]
    (cookie,) = [c for c in person.site.client.cookies.jar if c.name == name]
    assert cookie.get_nonstandard_attr("SameSite") == "lax"
    assert cookie.has_nonstandard_attr("HttpOnly")


def test_two_tabs_sign_in_at_the_same_time(facility: Facility) -> None:
    person = facility.person()
    base = urlsplit(person.site.url).path
    tabs = [
        person.get(f"login?next={base}resume?key={n}", follow_redirects=False) for n in range(2)
    ]
    facility.hub.sign_in(person.site.client, "anna")
    for number in (1, 0):
        page = person.site.client.get(urljoin(person.site.url, tabs[number].headers["location"]))
        assert urlsplit(str(page.url)).path == f"{base}resume"
        assert parse_qs(urlsplit(str(page.url)).query)["key"] == [str(number)]


def test_sign_ins_that_never_end_do_not_fill_the_headers(facility: Facility) -> None:
    person = facility.person()
    first = person.get("login", follow_redirects=False)
    for _ in range(30):
        last = person.get("login", follow_redirects=False)
    assert len(person.cookies()) == 8
    assert sum(map(len, person.cookies().values())) < 8000
    facility.hub.sign_in(person.site.client, "anna")
    page = person.site.client.get(urljoin(person.site.url, last.headers["location"]))
    assert page.status_code == 200
    assert "Notebook templates" in page.text
    del person.site.client.cookies["nbstamp-session"]
    old = person.site.client.get(urljoin(person.site.url, first.headers["location"]))
    assert old.status_code == 403
    assert "once more" in old.text


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/services/templates//evil.example",
        "/services/templates/../../evil",
        "/services/templates/%0d%0aSet-Cookie:x",
        "/hub/home",
        "javascript:alert(1)",
        "x" * 2000,
    ],
)
def test_signing_in_leads_nowhere_else(facility: Facility, elsewhere: str) -> None:
    person = facility.person()
    answer = person.get("login", params={"next": elsewhere}, follow_redirects=False)
    facility.hub.sign_in(person.site.client, "anna")
    page = person.site.client.get(urljoin(person.site.url, answer.headers["location"]))
    assert str(page.url).startswith(person.site.url)
    assert "set-cookie:x" not in page.headers


def test_another_browsers_sign_in_is_not_taken_over(facility: Facility) -> None:
    mallory, victim = facility.person(), facility.person()
    begun = mallory.get("login", follow_redirects=False)
    facility.hub.sign_in(mallory.site.client, "ben")
    answer = mallory.site.client.get(
        urljoin(mallory.site.url, begun.headers["location"]), follow_redirects=False
    )
    while "oauth_callback" not in answer.headers["location"]:
        answer = mallory.site.client.get(urljoin(str(answer.url), answer.headers["location"]))
    callback = urljoin(str(answer.url), answer.headers["location"])
    page = victim.site.client.get(callback)
    assert page.status_code == 403
    assert "did not begin in this browser" in page.text
    assert not victim.cookies()
    assert mallory.site.client.get(callback).status_code == 200
    session = mallory.cookies()
    again = mallory.site.client.get(callback)  # the Back button: it is used up, and ben signed in
    assert str(again.url) == mallory.site.url
    assert mallory.cookies() == session


def test_an_expired_session_asks_to_sign_in_and_to_confirm_once_more(facility: Facility) -> None:
    person = facility.person()
    person.sign_in("anna")
    form = create_form(person.site.confirmation(PLAIN, {"a": "session ended"}))
    before = facility.site.notebooks()
    person.site.client.cookies.clear()
    waiting = person.site.send(form, name="Mine.ipynb")
    assert "Signing in with Jupyter" in waiting.text
    assert facility.site.notebooks() == before
    person.sign_in("anna")
    page = person.site.send(next(f for f in forms(waiting.text) if "Continue" in f.buttons))
    assert "You had to sign in again" in page.text
    again = create_form(page)
    assert again.fields["name"] == "Mine.ipynb"
    assert "saved" in person.site.send(again).text
    assert "anna/sem/Mine.ipynb" in facility.site.notebooks()


def test_a_token_that_the_hub_revoked_is_no_session_any_more(facility: Facility) -> None:
    person = facility.person()
    person.sign_in("anna")
    assert person.get(follow_redirects=False).status_code == 200
    for token in facility.hub.api("GET", "/users/anna/tokens").json()["api_tokens"]:
        facility.hub.api("DELETE", f"/users/anna/tokens/{token['id']}")
    time.sleep(0.6)  # the hub's last answer is taken for half a second
    answer = person.get(follow_redirects=False)
    assert answer.status_code == 303
    assert "authorize" in answer.headers["location"]


def test_another_users_confirmation_is_worth_nothing(facility: Facility) -> None:
    anna, ben = facility.person(), facility.person()
    anna.sign_in("anna")
    ben.sign_in("ben")
    form = create_form(anna.site.confirmation(PLAIN, {"a": "anna's own"}))
    before = facility.site.notebooks()
    assert form.fields["folder"] == "anna/sem"
    answer = ben.site.send(form)
    assert answer.status_code == 403
    assert "belongs to another user" in answer.text
    assert facility.site.notebooks() == before
    again = next(f for f in forms(answer.text) if "Try again" in f.buttons)
    page = ben.site.send(again)
    assert "Jupyter account: <strong>ben</strong>" in page.text
    ben.site.send(create_form(page))
    assert set(facility.site.notebooks()) - set(before) == {"ben/sem/plain.ipynb"}


@pytest.mark.parametrize("folder", ["ben/sem", "", "annabel", "sem/anna"])
def test_nobody_writes_into_another_users_folder(facility: Facility, folder: str) -> None:
    person = facility.person()
    person.sign_in("anna")
    before = facility.site.notebooks()
    answer = person.site.send(
        create_form(person.site.confirmation(PLAIN, {"a": "mine"})), folder=folder or "/"
    )
    assert answer.status_code == 422
    assert "must be “anna” or one below it" in answer.text
    body = {"template": PLAIN, "folder": folder or "/"}
    token = facility.hub.token("anna", ["access:services!service=templates"])
    answer = person.site.client.post(
        person.site.url + "api/v1/notebooks",
        json=body,
        headers={"Authorization": f"token {token}"},
    )
    assert answer.status_code == 422
    assert facility.site.notebooks() == before


def test_switching_accounts_keeps_the_values(facility: Facility) -> None:
    person = facility.person()
    person.sign_in("anna")
    page = person.site.confirmation(PLAIN, {"a": "for somebody else"})
    switch = next(f for f in forms(page.text) if "not you? switch" in f.buttons)
    waiting = person.site.send(switch)
    assert "Sign out of Jupyter" in waiting.text
    assert 'data-wait="wait"' in waiting.text
    form = next(f for f in forms(waiting.text) if "Continue" in f.buttons)
    person.get("logout")
    assert not person.cookies()
    waiting = person.site.send(form)
    assert "Signing in with Jupyter" in waiting.text
    form = next(f for f in forms(waiting.text) if "Continue" in f.buttons)
    person.sign_in("ben")
    page = person.site.send(form)
    assert "Jupyter account: <strong>ben</strong>" in page.text
    assert create_form(page).fields["params"] == '{"a":"for somebody else"}'


OWN, FOREIGN = "same-origin", "cross-site"
ARRIVING, SIGN_IN, CONFIRMATION = "arriving", "sign in", "confirmation"


@pytest.mark.parametrize(
    ("site", "origin", "session", "arrival", "expected"),
    [
        # Sec-Fetch-Site, Origin, session cookie, arrival -> page
        (FOREIGN, PORTAL, "none", "none", ARRIVING),
        (FOREIGN, PORTAL, "good", "none", ARRIVING),
        ("same-site", PORTAL, "good", "none", ARRIVING),
        (None, PORTAL, "good", "none", ARRIVING),
        (None, None, "good", "none", ARRIVING),
        (None, "null", "good", "none", ARRIVING),
        (FOREIGN, PORTAL, "good", "forged", ARRIVING),
        (FOREIGN, PORTAL, "none", "valid", SIGN_IN),
        (OWN, "own", "none", "valid", SIGN_IN),
        (OWN, "own", "none", "none", SIGN_IN),
        (OWN, "own", "forged", "valid", SIGN_IN),
        (OWN, "own", "token of the hub", "valid", SIGN_IN),
        (None, None, "none", "valid", SIGN_IN),
        (OWN, "own", "good", "valid", CONFIRMATION),
        (OWN, "own", "good", "none", CONFIRMATION),
        (OWN, "own", "good", "forged", CONFIRMATION),
        (None, "own", "good", "valid", CONFIRMATION),
        (None, None, "good", "valid", CONFIRMATION),
        (FOREIGN, PORTAL, "good", "valid", CONFIRMATION),
    ],
)
def test_which_page_answers_whom(
    facility: Facility,
    site: str | None,
    origin: str | None,
    session: str,
    arrival: str,
    expected: str,
) -> None:
    person = facility.person()
    fields = {"params": '{"a": "matrix"}'}
    if arrival == "valid":
        fields["arrival"] = forms(person.site.click(PLAIN, fields["params"]).text)[0].fields[
            "arrival"
        ]
    elif arrival == "forged":
        fields["arrival"] = FORGED
    answer = person.site.client.post(
        person.site.template_url(PLAIN),
        data=fields,
        headers=sender(person, site, origin) | cookie(facility, session),
    )
    assert answer.status_code == 200
    found = [form.action.rpartition("/")[2] for form in forms(answer.text)]
    page = CONFIRMATION if "create" in found else SIGN_IN if "login" in answer.text else ARRIVING
    assert page == expected


CREATED, REFUSED, AGAIN = "created", "refused", "shown again"


@pytest.mark.parametrize(
    ("site", "origin", "session", "token", "expected"),
    [
        # Sec-Fetch-Site, Origin, session cookie, confirmation token -> outcome
        (OWN, "own", "good", "own", CREATED),
        (None, "own", "good", "own", CREATED),
        (None, None, "good", "own", CREATED),
        (FOREIGN, PORTAL, "good", "own", REFUSED),
        (FOREIGN, "own", "good", "own", REFUSED),
        ("same-site", PORTAL, "good", "own", REFUSED),
        (None, PORTAL, "good", "own", REFUSED),
        (None, "null", "good", "own", REFUSED),
        (OWN, "own", "good", "another user's", REFUSED),
        (OWN, "own", "good", "forged", AGAIN),
        (OWN, "own", "good", "none", AGAIN),
        (OWN, "own", "none", "own", SIGN_IN),
        (OWN, "own", "forged", "own", SIGN_IN),
        (OWN, "own", "token of the hub", "own", SIGN_IN),
        (OWN, "own", "none", "forged", SIGN_IN),
        (FOREIGN, PORTAL, "none", "own", REFUSED),
    ],
)
def test_who_creates(
    facility: Facility,
    site: str | None,
    origin: str | None,
    session: str,
    token: str,
    expected: str,
) -> None:
    owner = "ben" if token == "another user's" else "anna"
    page = facility.person().site.client.post(
        facility.site.template_url(PLAIN),
        data={"params": '{"a": "who creates"}'},
        headers=facility.site.own | cookie(facility, "good", owner),
    )
    form = create_form(page)
    if token in ("forged", "none"):
        form.fields["token"] = FORGED if token == "forged" else ""
    before = facility.site.notebooks()
    person = facility.person()
    answer = person.site.client.post(
        facility.site.url + "create",
        data=form.fields,
        headers=sender(person, site, origin) | cookie(facility, session),
    )
    found = {
        CREATED: answer.status_code == 200 and "Your notebook is saved" in answer.text,
        REFUSED: answer.status_code == 403 and "Nothing was created" in answer.text,
        AGAIN: answer.status_code == 409 and bool(create_form(answer)),
        SIGN_IN: answer.status_code == 200 and "Signing in with Jupyter" in answer.text,
    }
    assert [outcome for outcome, is_it in found.items() if is_it] == [expected]
    assert (facility.site.notebooks() != before) == (expected == CREATED)


FORGED = Tokens(["not this server's secret, but as long"]).seal(
    "arrival", {"portal": "", "hash": ""}
)


def sender(person: Person, site: str | None, origin: str | None) -> dict[str, str]:
    """Headers of a form as a browser sends it."""
    headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    if site is not None:
        headers["Sec-Fetch-Site"] = site
    if origin is not None:
        headers["Origin"] = person.site.origin if origin == "own" else origin
    return headers


def cookie(facility: Facility, session: str, user: str = "anna") -> dict[str, str]:
    """A session cookie of this kind."""
    if session == "none":
        return {}
    if session == "good":
        if (facility, user) not in SESSIONS:
            person = facility.person()
            person.sign_in(user)
            SESSIONS[facility, user] = person.cookies()["nbstamp-session"]
        value = SESSIONS[facility, user]
    elif session == "forged":
        value = Tokens(["not this server's secret, but as long"]).seal("session", {"token": "x"})
    else:
        value = facility.hub.token(user)
    return {"Cookie": f"nbstamp-session={value}"}


SESSIONS: dict[tuple[Facility, str], str] = {}


def test_the_catalogue_is_for_users_and_health_for_everybody(facility: Facility) -> None:
    person = facility.person()
    for path in ("", f"t/{PLAIN}", "t/none.ipynb", f"t/{PLAIN}?x=1"):
        answer = person.get(path, follow_redirects=False)
        assert answer.status_code == 303, path
    for path in ("healthz", "readyz", "api/docs", "static/nbstamp.css"):
        assert person.get(path, follow_redirects=False).status_code == 200
    person.sign_in("anna")
    assert "Notebook templates" in person.get().text
    assert person.get("t/none.ipynb").status_code == 404


def test_a_long_path_comes_back_after_signing_in_as_far_as_a_cookie_holds(
    facility: Facility,
) -> None:
    person = facility.person()
    for path in ("t/sem/50%25 größe/試料.ipynb", "t/" + "x" * 3000):
        answer = person.get(path, follow_redirects=False)
        assert len(answer.headers["set-cookie"]) < 2000
    page = facility.hub.sign_in(person.site.client, "anna", person.site.url + "t/sem/50%25 ü.ipynb")
    assert urlsplit(str(page.url)).path.endswith("/t/sem/50%25%20%C3%BC.ipynb")


def test_programs_use_tokens_of_the_hub(facility: Facility) -> None:
    person = facility.person()
    scopes = [f"access:services!service={facility.service.name}"]
    body = {"template": PLAIN, "parameters": {"a": "by a program"}, "name": "program"}

    def create(token: str | None, **headers: str) -> httpx2.Response:
        authorization = {b"Authorization": f"token {token}".encode()} if token else {}
        given = {name.encode(): v.encode() for name, v in headers.items()} | authorization
        return httpx2.post(
            person.site.url + "api/v1/notebooks", json=body, headers=given, trust_env=False
        )

    assert create(facility.hub.token("ben", scopes)).status_code == 201
    assert "ben/sem/program.ipynb" in facility.site.notebooks()
    before = facility.site.notebooks()
    person.sign_in("anna")
    refused = {
        "no token": create(None),
        "a cookie": create(None, Cookie="; ".join(f"{k}={v}" for k, v in person.cookies().items())),
        "nobody's token": create("0" * 32),
        "without the scope": create(facility.hub.token("ben", ["read:users:name!user"])),
        "a service's token": create(facility.hub.admin),
        "not ASCII": create("é"),
    }
    for what, answer in refused.items():
        assert answer.status_code == 403, what
        assert answer.json()["code"] == "not_signed_in", what
    assert facility.site.notebooks() == before
    listing = person.site.url + "api/v1/templates"
    token = facility.hub.token("anna", scopes)
    assert httpx2.get(listing, trust_env=False).status_code == 403
    allowed = httpx2.get(listing, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert allowed.json()["templates"]


def test_a_user_without_the_role_is_told_so(launch_hub: LaunchHub, launch: Launch) -> None:
    service = external_service()
    hub = launch_hub("roleless", services=[service], scopes=["self"])
    site = launch("roleless", f"--port={service.port}", environment=hub.environment(service))
    with httpx2.Client(timeout=60, trust_env=False) as client:
        page = hub.sign_in(client, "anna", hub.service_url(service))
        assert page.status_code == 403
        assert not [c.name for c in client.cookies.jar if c.name.startswith("nbstamp-session")]
    token = hub.token("anna")
    answer = site.client.get(
        f"{site.url}api/v1/templates", headers={"Authorization": f"token {token}"}
    )
    assert answer.status_code == 403


def test_a_service_that_the_hub_starts_needs_no_settings(
    launch_hub: LaunchHub, templates: Path
) -> None:
    service = managed(f"--templates={templates}")
    hub = launch_hub("settled", services=[service], base_url="/jupyter/", proxy="python")
    with httpx2.Client(timeout=60, trust_env=False) as client:
        page = hub.sign_in(client, "anna", hub.service_url(service))
        assert "Notebook templates" in page.text
        assert urlsplit(str(page.url)).path == "/jupyter/services/templates/"


def test_groups_are_known_where_the_hub_tells_them(facility: Facility) -> None:
    async def groups(user: str) -> frozenset[str]:
        scopes = ["access:services!service=templates", f"read:users:groups!user={user}"]
        identity = JupyterHubIdentity(
            Surroundings(Tokens(["0123456789abcdef0123456789abcdef"])),
            api_url=facility.hub.api_url,
            api_token="unused",
            client_id="service-templates",
        )
        token = facility.hub.token(user, scopes)
        found = await identity.user(Caller({"authorization": f"token {token}"}))
        await identity.close()
        assert found
        assert found.name == user
        assert found.token == token
        assert token not in repr(found)
        return found.groups

    assert asyncio.run(groups("anna")) == {"sem"}
    assert asyncio.run(groups("ben")) == set()


# --- Configuration ------------------------------------------------------------------------------

WORKING = {
    "api_url": "http://127.0.0.1:8081/hub/api",
    "api_token": "0123456789abcdef0123456789abcdef",
    "client_id": "service-templates",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"api_token": ""}, "api_token is not set"),
        ({"client_id": ""}, "client_id is not set"),
        ({"api_url": ""}, "api_url is not set"),
        ({"api_url": "127.0.0.1:8081"}, "http://127.0.0.1:8081/hub/api"),
        ({"hub_url": "jupyter.example/hub"}, "https://jupyter.example/hub/"),
    ],
)
def test_missing_credentials_stop_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], words: str
) -> None:
    for variable in ("JUPYTERHUB_API_TOKEN", "JUPYTERHUB_API_URL", "JUPYTERHUB_CLIENT_ID"):
        monkeypatch.delenv(variable, raising=False)
    config = Config()
    config.Server.templates = [str(tmp_path)]
    config.Server.state_dir = str(tmp_path / "state")
    config.Server.identity = "jupyterhub"
    config.JupyterHubIdentity = Config(WORKING | changes)
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        build(config)


def test_a_terminal_in_a_users_server_is_not_a_service() -> None:
    terminal = {
        "JUPYTERHUB_USER": "anna",
        "JUPYTERHUB_API_TOKEN": "secret",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/anna/",
        "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:50000",
    }
    assert not read_hub_environment(terminal)
    service = terminal | {
        "JUPYTERHUB_SERVICE_NAME": "templates",
        "JUPYTERHUB_SERVICE_PREFIX": "/services/templates/",
        "JUPYTERHUB_PUBLIC_URL": "https://jupyter.example/services/templates/",
    }
    told = read_hub_environment(service).Server
    assert told.identity == "jupyterhub"
    assert told.base_url == "/services/templates/"
    assert told.public_url == "https://jupyter.example"
    assert (told.ip, told.port) == ("127.0.0.1", 50000)
