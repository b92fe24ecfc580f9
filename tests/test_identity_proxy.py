"""Users whom a reverse proxy names in a header."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from traitlets.config import Config

from nbstamp.app import ConfigurationError, build
from nbstamp.core.errors import Forbidden
from nbstamp.core.user import User
from nbstamp.identity.base import Caller, Surroundings
from nbstamp.identity.proxy import ProxyIdentity
from nbstamp.web.tokens import Tokens
from relays import relay
from support import Launch, Site, create_form, forms

PLAIN = "sem/plain.ipynb"


def identity(**options: Any) -> ProxyIdentity:
    around = Surroundings(Tokens(["0123456789abcdef0123456789abcdef"]))
    return ProxyIdentity(
        around, **({"proxies": ["127.0.0.1", "10.0.3.0/24", "fd00::/8"]} | options)
    )


def user(address: str, told: str | None, **options: Any) -> User | None:
    headers = {} if told is None else {"x-remote-user": told}
    return asyncio.run(identity(**options).user(Caller(headers, {}, address)))


@pytest.mark.parametrize(
    ("address", "told", "name"),
    [
        ("127.0.0.1", "anna", "anna"),
        ("10.0.3.77", " anna@facility.example ", "anna@facility.example"),
        ("fd12::1", "anna", "anna"),
        ("::ffff:10.0.3.5", "anna", "anna"),
        ("127.0.0.1", "jürgen".encode().decode("latin-1"), "jürgen"),
        ("127.0.0.1", "jürgen", "jürgen"),
        ("127.0.0.1", "", None),
        ("127.0.0.1", None, None),
        ("192.0.2.1", None, None),
    ],
)
def test_the_header_of_the_proxy_names_the_user(
    address: str, told: str | None, name: str | None
) -> None:
    found = user(address, told)
    assert (found.name if found else None) == name


@pytest.mark.parametrize("address", ["127.0.0.2", "10.0.4.1", "::1", "", "unix:", "testclient"])
def test_the_header_is_refused_from_everywhere_else(address: str) -> None:
    with pytest.raises(Forbidden, match="proxy alone"):
        user(address, "anna")


@pytest.mark.parametrize("told", ["mallory, anna", "an\x00na", "a" * 300, "a\u202eb"])
def test_what_is_not_one_name_is_refused(told: str) -> None:
    with pytest.raises(Forbidden, match="clearly"):
        user("127.0.0.1", told)


def test_the_name_of_the_header_is_a_setting() -> None:
    caller = Caller({"remote_user": "anna", "x-remote-user": "mallory"}, {}, "127.0.0.1")
    found = asyncio.run(identity(header="Remote_User").user(caller))
    assert found == User("anna")


@pytest.mark.parametrize(
    ("proxies", "words"),
    [
        ([], "empty"),
        (["everybody"], "10.0.3.0/24"),
        (["10.0.3.1/24"], "10.0.3.0/24"),
        (["0.0.0.0/0"], "every address"),
        (["::/0"], "every address"),
    ],
)
def test_without_the_addresses_of_the_proxy_it_does_not_start(
    tmp_path: Path, proxies: list[str], words: str
) -> None:
    config = Config()
    config.Server.templates = [str(tmp_path)]
    config.Server.state_dir = str(tmp_path / "state")
    config.Server.identity = "proxy"
    config.ProxyIdentity.proxies = proxies
    with pytest.raises(ConfigurationError, match=words):
        build(config)


# --- A server behind such a proxy ---------------------------------------------------------------


@pytest.fixture
def site(launch: Launch, tmp_path: Path) -> Site:
    return launch(
        "behind",
        "--identity=proxy",
        "--storage=folder",
        f"--FolderStorage.root={tmp_path}",
        "--Server.target_folder={username}/{folder}",
        "--ProxyIdentity.proxies=127.0.0.1",
        root=tmp_path,
    )


def test_a_click_becomes_a_notebook_of_the_user_whom_the_proxy_names(site: Site) -> None:
    site.client.headers["X-Remote-User"] = "anna"
    page = site.confirmation(PLAIN, {"a": "behind a proxy"})
    assert "Account: <strong>anna</strong>" in page.text
    assert "switch" not in page.text
    assert site.send(create_form(page)).status_code == 200
    assert site.notebooks() == ["anna/sem/plain.ipynb"]
    assert "Notebook templates" in site.client.get(site.url).text
    assert site.client.get(f"{site.url}login").status_code == 404


def test_without_a_name_nothing_is_shown_and_nothing_is_lost(site: Site) -> None:
    assert site.client.get(site.url).status_code == 403
    assert site.client.get(f"{site.url}healthz").status_code == 200
    page = site.confirmation(PLAIN, {"a": "not lost"})
    assert page.status_code == 403
    assert "not signed in" in page.text
    retry = next(form for form in forms(page.text) if "Try again" in form.buttons)
    site.client.headers["X-Remote-User"] = "anna"
    assert create_form(site.send(retry)).fields["params"] == '{"a":"not lost"}'


def test_who_goes_round_the_proxy_is_refused_whatever_else_is_said(launch: Launch) -> None:
    site = launch("around", "--identity=proxy", "--ProxyIdentity.proxies=192.0.2.7")
    forged = {
        "X-Remote-User": "anna",
        "X-Forwarded-For": "192.0.2.7",
        "X-Real-IP": "192.0.2.7",
        "Forwarded": "for=192.0.2.7",
    }
    for path in ("", f"t/{PLAIN}", "api/v1/templates"):
        answer = site.client.get(site.url + path, headers=forged)
        assert answer.status_code == 403, path
    page = site.click(PLAIN, {"a": 1}, **forged)
    form = forms(page.text)[0]
    answer = site.client.post(site.template_url(PLAIN), data=form.fields, headers=site.own | forged)
    assert answer.status_code == 403
    assert "its own proxy alone" in answer.text


def test_a_header_that_came_twice_is_refused(site: Site) -> None:
    headers = [("X-Remote-User", "mallory"), ("X-Remote-User", "anna")]
    answer = httpx2.get(site.url, headers=headers, trust_env=False)
    assert answer.status_code == 403
    assert "clearly" in answer.text


# --- A proxy that changes host and scheme -------------------------------------------------------


@pytest.fixture
def changed(site: Site) -> Iterator[str]:
    """The address of a server behind a proxy that takes TLS off and sends its own idea of Host."""
    with relay(site.origin, headers={"Host": "internal.example:1234"}) as proxy:
        yield f"{proxy.origin}/templates/"


@pytest.mark.parametrize("says_where_from", [True, False])
def test_a_proxy_that_changes_host_and_scheme_makes_no_loop(
    site: Site, changed: str, says_where_from: bool
) -> None:
    """With https the browser says Sec-Fetch-Site; with plain http only Origin, which is not the
    Host that the server sees."""
    name = {"X-Remote-User": "anna"}
    arriving = site.client.post(
        f"{changed}t/{PLAIN}", data={"params": '{"a": "round"}'}, headers=name
    )
    form = forms(arriving.text)[0]
    assert form.action == f"/templates/t/{PLAIN}"
    assert "arriving.js" in arriving.text
    own = {"Origin": "https://jupyter.example", **name}
    if says_where_from:
        own["Sec-Fetch-Site"] = "same-origin"
    page = site.client.post(changed + f"t/{PLAIN}", data=form.fields, headers=own)
    assert create_form(page).fields["params"] == '{"a":"round"}'
    unread = site.client.post(
        changed + f"t/{PLAIN}",
        data=form.fields | {"arrival": "gone"},
        headers=own if says_where_from else {**own, "Origin": "https://jupyter.example"},
    )
    if says_where_from:
        assert create_form(unread)
    else:  # the key is gone, too: one press of a button, and never by itself
        assert "arriving.js" not in unread.text
        assert "Continue" in forms(unread.text)[0].buttons
    done = site.client.post(f"{changed}create", data=create_form(page).fields, headers=own)
    assert done.status_code == (200 if says_where_from else 403)
    if not says_where_from:
        assert "Server.public_url" in site.log.read_text()


def test_addresses_in_pages_have_no_host(site: Site, changed: str) -> None:
    for path in ("", f"t/{PLAIN}", "nowhere"):
        page = site.client.get(changed + path, headers={"X-Remote-User": "anna"})
        assert 'href="http' not in page.text
        assert 'action="http' not in page.text
    answer = site.client.get(changed.rstrip("/"), headers={"X-Remote-User": "anna"})
    assert "internal.example" not in answer.headers.get("location", "")
