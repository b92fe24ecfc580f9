"""From a portal on another site to a notebook in JupyterLab, with a real hub and a real browser."""

from __future__ import annotations

import html
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, Page, TimeoutError

from firefox import running_firefox
from hubs import (
    PASSWORD,
    SCOPES,
    Hub,
    HubService,
    LaunchHub,
    external_service,
    free_port,
    managed,
    running_hub,
)
from relays import nginx
from support import Site, create_form, forms, notebook, stamped, start

NAME = "Fe3O4 50 % #1 größe?"
PATH = "lab/Analysis_{sample_name}.ipynb"


CONFIG = """
c.JupyterHub.active_server_limit = 2
form = '<select name="profile"><option>small</option><option>large</option></select>'
c.Spawner.options_form = lambda spawner: form if spawner.user.name == "dora" else ""
"""
"""A hub with room for two servers, where one user is asked for her choice."""
BY_PROXY = """
told = c.JupyterHub.services[-1]["environment"]
told["NBSTAMP__CONTENTSSTORAGE__PROXY_URL"] = c.JupyterHub.bind_url
"""
"""A hub that tells the service that it manages where its proxy is."""
BEFORE_HUB = """location / {{
    proxy_pass {};
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    proxy_buffering off;
    client_max_body_size 16m;
}}"""
"""What nginx is told about a hub."""


def saving_in(hub: Hub, service: HubService) -> list[str]:
    """Options of a server that saves in the servers of users."""
    return [
        "--storage=contents",
        f"--ContentsStorage.proxy_url={hub.origin}",
        f"--Server.port={service.port}",
    ]


class Portal:
    """A page with a *Create Notebook* button, on another site than the hub."""

    def __init__(self) -> None:
        self.page = ""
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                body = portal.page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # 127.0.0.1 and localhost are two sites
        self.url = f"http://localhost:{self.server.server_address[1]}/"

    def shows(self, address: str, params: dict[str, Any]) -> str:
        """Have the page send ``params`` to ``address``; returns the address of the page."""
        self.page = (
            "<!doctype html><meta charset=utf-8><title>Sample</title>"
            f'<form method="post" action="{html.escape(address)}">'
            f'<input type="hidden" name="params" value="{html.escape(json.dumps(params))}">'
            "<button>Create Notebook</button></form>"
        )
        return self.url


class Provider(BaseHTTPRequestHandler):
    """Where the users of a hub sign in: a page of somebody else, on a third site."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(
            b"<!doctype html><title>Sign in</title><form method=post>"
            b"<input name=username><input name=password type=password><input type=submit></form>"
        )

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = parse_qs(urlsplit(self.path).query)
        self.send_response(303)
        self.send_header("Location", f"{asked['back'][0]}&user={form['username'][0]}")
        self.end_headers()


PROVIDED = """
from urllib.parse import urlencode

from jupyterhub.auth import Authenticator
from jupyterhub.handlers import BaseHandler


class Begin(BaseHandler):
    def get(self):
        here = f"{self.request.protocol}://{self.request.host}{self.hub.base_url}"
        back = f"{here}back?" + urlencode({"next": self.get_next_url()})
        self.redirect(PROVIDER + "?" + urlencode({"back": back}))


class Back(BaseHandler):
    async def get(self):
        self.redirect(self.get_next_url(await self.login_user()))


class Provided(Authenticator):
    auto_login = True

    def login_url(self, base_url):
        return base_url + "begin"

    def get_handlers(self, app):
        return [("/begin", Begin), ("/back", Back)]

    async def authenticate(self, handler, data):
        return handler.get_argument("user")


c.JupyterHub.authenticator_class = Provided
"""
"""A hub that leaves signing in to such a page, and believes whatever comes back."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[int]:
    """Run a server; its port."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    portal = Portal()
    with serving(portal.server):
        yield portal


@pytest.fixture(scope="module")
def lab_templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template whose only cell says what it was given."""
    folder = tmp_path_factory.mktemp("lab-templates")
    for path in (PATH, "sem/old_kernel.ipynb"):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        if "old" in path:
            kernel["name"] = "python2.7"
        file.write_text(notebook("print(len(sample_name), temperature + 1)", kernel=kernel))
    return folder


@pytest.fixture(scope="module")
def hub_and_site(
    logs: Path, lab_templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Hub, Site]]:
    """A hub with nbstamp behind its proxy, which saves in the servers of users."""
    folder = tmp_path_factory.mktemp("creation")
    with running(external_service(), lab_templates, "creation", folder=folder, logs=logs) as both:
        yield both


@pytest.fixture(scope="module")
def oldest_hub(
    logs: Path, lab_templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    """The same below a path, and the oldest hub."""
    service = external_service(oauth_redirect_uri="/jupyter/services/templates/oauth_callback")
    folder = tmp_path_factory.mktemp("creation-5")
    options: dict[str, Any] = {"folder": folder, "logs": logs, "base_url": "/jupyter/"}
    with running(service, lab_templates, "creation-5", version="5", **options) as (hub, _):
        yield hub


@contextmanager
def running(
    service: HubService, templates: Path, name: str, *, logs: Path, **options: Any
) -> Iterator[tuple[Hub, Site]]:
    """Run a hub with nbstamp, with ``options`` of :func:`running_hub`."""
    users = ["anna", "ben", "carl", "dora"]
    with running_hub(
        name, logs=logs, services=[service], users=users, config=CONFIG, **options
    ) as hub:
        site = start(
            logs,
            f"--templates={templates}",
            *saving_in(hub, service),
            name=name,
            environment=hub.environment(service),
        )
        yield hub, site
        site.stop()


@pytest.fixture(params=["newest", "oldest"])
def any_hub(request: pytest.FixtureRequest) -> Hub:
    """A hub of each version."""
    if request.param == "oldest":
        oldest: Hub = request.getfixturevalue("oldest_hub")
        return oldest
    newest: tuple[Hub, Site] = request.getfixturevalue("hub_and_site")
    return newest[0]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(90_000)
    yield context.new_page()
    context.close()


def sign_in(page: Page, user: str) -> None:
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", PASSWORD)
    page.click("input[type=submit]")


def run_in_lab(page: Page, expected: str) -> None:
    """Run the open notebook, and wait until its last cell has printed what is expected."""
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_selector(".jp-KernelName:has-text('Python 3')")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    output = page.locator(".jp-OutputArea-output pre", has_text=expected)
    for _ in range(20):  # what is run before the kernel listens is lost
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            output.wait_for(timeout=5000)
        except TimeoutError:
            continue
        return
    raise AssertionError("the notebook does not run")


def click(portal: Portal, page: Page, url: str, params: dict[str, Any], path: str = PATH) -> None:
    """Click in the portal, sign in where that is asked for, and wait for the confirmation. ``url``
    is the address of nbstamp."""
    page.goto(portal.shows(f"{url}t/{path}", params))
    page.click("button")
    page.wait_for_selector("form#create, input[name=username]")
    if page.query_selector("input[name=username]"):
        sign_in(page, "anna")
        page.wait_for_selector("form#create")


def stopped(hub: Hub, *users: str) -> None:
    for user in users:
        if hub.ready(user):
            hub.stop_server(user)


def saved_by(hub: Hub, page: Page, user: str = "anna") -> Path:
    """The file of the page that says that a notebook is saved."""
    place = page.inner_text(".place").split(" / ")
    return hub.home(user).joinpath(*place[1:])


def test_a_click_on_the_portal_ends_in_jupyterlab(
    hub_and_site: tuple[Hub, Site], portal: Portal, page: Page
) -> None:
    hub, _ = hub_and_site
    stopped(hub, "anna", "ben", "carl")
    click(portal, page, hub.service_url("templates"), {"sample_name": NAME, "temperature": 20.5})
    assert "not running" in page.inner_text(".warnings")
    page.click("form#create button.primary")
    page.wait_for_url("**/lab/tree/**")
    run_in_lab(page, f"{len(NAME)} 21.5")
    assert [file.name for file in (hub.home("anna") / "notebooks" / "lab").glob("*.ipynb")] == [
        "Analysis_Fe3O4 50 % #1 größe_.ipynb"
    ]


@pytest.mark.parametrize("size", [1_000, 1_200_000, 4_900_000])
def test_values_of_every_size_survive_the_start_of_the_server(
    hub_and_site: tuple[Hub, Site], portal: Portal, page: Page, size: int
) -> None:
    hub, _ = hub_and_site
    stopped(hub, "anna", "ben", "carl")
    row = "0123456789 ü 漢\n"
    text = row * (size // len(json.dumps(row)))
    parts = {f"text_{n}": text[n * 600_000 : (n + 1) * 600_000] for n in range(9)}
    for state in ("stopped", "running"):
        params = {"sample_name": f"{state} {size}", "temperature": 1, **parts}
        click(portal, page, hub.service_url("templates"), params)
        page.click("form#create button.primary")
        page.wait_for_selector(".place")
        file = saved_by(hub, page)
        assert file.name == f"Analysis_{state} {size}.ipynb"
        assert stamped(file.read_text()) == params
    assert page.evaluate("Object.keys(sessionStorage)") == []


def test_the_first_notebook_is_offered_once_the_server_runs(
    hub_and_site: tuple[Hub, Site], portal: Portal, page: Page
) -> None:
    hub, _ = hub_and_site
    params = {"sample_name": "twice", "temperature": 1, "object_id": 42}
    stopped(hub, "ben", "carl")
    click(portal, page, hub.service_url("templates"), params)
    page.click("form#create button.primary")
    page.wait_for_selector(".place")
    first = saved_by(hub, page)
    stopped(hub, "anna")
    click(portal, page, hub.service_url("templates"), params)
    page.click("form#create button.primary")
    page.wait_for_selector(".found")
    assert "Nothing was created yet" in page.inner_text(".notice")
    assert page.inner_text(".button.primary").startswith("Open my notebook")
    assert list(first.parent.glob("*twice*")) == [first]
    page.click("text=Create a new copy")
    page.wait_for_selector(".place")
    assert saved_by(hub, page).name == "Analysis_twice-1.ipynb"


def test_a_full_hub_keeps_the_user_on_our_page(any_hub: Hub, portal: Portal, page: Page) -> None:
    hub = any_hub
    stopped(hub, "anna")
    for user in ("ben", "carl"):
        if not hub.ready(user):
            hub.start_server(user)
    page.clock.install()
    click(portal, page, hub.service_url("templates"), {"sample_name": "full", "temperature": 1})
    page.click("form#create button.primary")
    page.wait_for_selector("text=The hub is full. Nothing was created. Trying again in 60 s.")
    assert not hub.ready("anna")
    with page.expect_download() as download:
        page.click("text=download it instead")
    assert stamped(Path(download.value.path()).read_text())["sample_name"] == "full"
    hub.stop_server("carl")
    page.clock.run_for("01:01")
    page.wait_for_selector(".place")
    assert saved_by(hub, page).name == "Analysis_full.ipynb"


def test_a_choice_of_servers_leads_back_to_the_notebook(
    any_hub: Hub, portal: Portal, page: Page
) -> None:
    hub = any_hub
    stopped(hub, "anna", "ben", "carl", "dora")
    page.goto(portal.shows(f"{hub.url}services/templates/t/{PATH}", {"sample_name": "chosen"}))
    page.click("button")
    sign_in(page, "dora")
    page.click("form#create button.primary")
    page.select_option("select[name=profile]", "large")
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector(".place")
    assert stamped(saved_by(hub, page, "dora").read_text()) == {"sample_name": "chosen"}


def test_a_click_in_firefox_ends_in_jupyterlab(
    hub_and_site: tuple[Hub, Site], portal: Portal, tmp_path: Path
) -> None:
    hub, _ = hub_and_site
    stopped(hub, "anna", "ben", "carl", "dora")
    params = {"sample_name": f"{NAME} in Firefox", "temperature": 20.5}
    with running_firefox(tmp_path) as firefox:
        firefox.goto(portal.shows(f"{hub.url}services/templates/t/{PATH}", params))
        firefox.click("button")
        firefox.fill("input[name=username]", "anna")
        firefox.fill("input[name=password]", PASSWORD)
        firefox.click("input[type=submit]")
        firefox.click("form#create button.primary")
        shown = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook"
        firefox.wait_for(shown, f'sample_name = "{NAME} in Firefox"')
        assert firefox.url.startswith(f"{hub.url}user/anna/lab/tree/notebooks/lab/")
        assert unquote(firefox.url).endswith("größe_ in Firefox.ipynb")


def test_without_scripts_it_is_two_links_and_a_button(
    hub_and_site: tuple[Hub, Site], portal: Portal, browser: Browser
) -> None:
    hub, _ = hub_and_site
    stopped(hub, "anna", "ben", "carl")
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(90_000)
    page = context.new_page()
    params = {"sample_name": "plain", "temperature": 1}
    page.goto(portal.shows(f"{hub.url}services/templates/t/{PATH}", params))
    page.click("button")
    page.click("text=Continue")
    with context.expect_page() as tab:
        page.click("text=Sign in in a new tab")
    sign_in(tab.value, "anna")
    tab.value.wait_for_selector("text=Close this tab")
    page.click("text=Continue")
    page.click("form#create button.primary")
    assert "Nothing is saved yet" in page.inner_text("main")
    assert "Keep this tab open" in page.inner_text("main")
    with context.expect_page():
        page.click("text=Start your Jupyter server in a new tab")
    while not hub.ready("anna"):
        time.sleep(0.2)
    page.click("text=Create now")
    page.wait_for_selector(".place")
    assert stamped(saved_by(hub, page).read_text()) == params
    context.close()


# --- The same over HTTP -------------------------------------------------------------------------


@pytest.fixture
def visitor(hub_and_site: tuple[Hub, Site]) -> Iterator[Site]:
    """The server as Anna's browser sees it; her own one runs."""
    hub, site = hub_and_site
    stopped(hub, "ben", "carl", "dora")
    if not hub.ready("anna"):
        hub.start_server("anna")
    with httpx2.Client(timeout=60, trust_env=False) as client:
        hub.sign_in(client, "anna", f"{hub.url}services/templates/")
        yield replace(site, url=f"{hub.url}services/templates/", client=client)


def test_a_kernel_that_is_missing_is_said_before_the_notebook_is_made(visitor: Site) -> None:
    page = visitor.confirmation("sem/old_kernel.ipynb", {"sample_name": "x"})
    assert "Your Jupyter server has no kernel “python2.7”. It has " in page.text
    assert "python3 (Python 3 (ipykernel))" in page.text


@contextmanager
def down(hub: Hub) -> Iterator[None]:
    hub.stop()
    yield
    hub.start()


@pytest.mark.parametrize("fault", [down, Hub.frozen])
def test_a_hub_that_does_not_answer_is_said_within_ten_seconds_and_nothing_is_lost(
    hub_and_site: tuple[Hub, Site],
    visitor: Site,
    fault: Callable[[Hub], AbstractContextManager[None]],
) -> None:
    hub, site = hub_and_site
    params = {"sample_name": f"hub {fault.__name__}"}
    form = create_form(visitor.confirmation(PATH, params))
    # past the hub's proxy, which goes down with the hub
    direct = replace(visitor, url=site.url)
    with fault(hub):
        began = time.monotonic()
        answer = direct.send(form)
        assert time.monotonic() - began < 10
        assert answer.status_code == 503
        assert "JupyterHub does not answer" in answer.text
        assert "Nothing was created" in answer.text
        download = next(form for form in forms(answer.text) if "download" in form.fields)
        assert stamped(direct.send(download).text) == params
    if not hub.ready("anna"):
        hub.start_server("anna")
    assert "Your notebook is saved" in direct.send(form).text
    assert "nothing new was created" in direct.send(form).text


def test_a_program_is_told_that_the_server_has_to_run(hub_and_site: tuple[Hub, Site]) -> None:
    hub, site = hub_and_site
    stopped(hub, "anna", "ben", "carl")
    scopes = [*SCOPES, "access:services!service=templates"]
    headers = {"Authorization": f"token {hub.token('anna', scopes)}"}
    wish = {"template": PATH, "parameters": {"sample_name": "program"}, "creation_id": "program-1"}
    url = f"{site.url}api/v1/notebooks"
    answer = site.client.post(url, json=wish, headers=headers)
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] == "server_stopped"
    assert answer.json()["start_url"] == "/hub/spawn/anna"
    hub.start_server("anna")
    made = site.client.post(url, json=wish, headers=headers)
    assert made.status_code == 201, made.text
    path = "notebooks/lab/Analysis_program.ipynb"
    assert made.json()["path"] == path
    assert made.json()["url"] == f"/user/anna/lab/tree/{path}"
    assert site.client.post(url, json=wish, headers=headers).status_code == 200


# --- Other hubs ---------------------------------------------------------------------------------


def test_it_works_on_the_oldest_hub_below_a_path(
    oldest_hub: Hub, portal: Portal, page: Page
) -> None:
    stopped(oldest_hub, "anna", "ben", "carl", "dora")
    url = oldest_hub.service_url("templates")
    click(portal, page, url, {"sample_name": NAME, "temperature": 20.5})
    page.click("form#create button.primary")
    page.wait_for_url("**/lab/tree/**")
    run_in_lab(page, f"{len(NAME)} 21.5")


@pytest.mark.parametrize("told", [True, False])
def test_tls_ends_in_front_of_a_hub_that_knows_or_does_not_know(
    launch_hub: LaunchHub,
    portal: Portal,
    page: Page,
    lab_templates: Path,
    tmp_path: Path,
    told: bool,
) -> None:
    """Nobody believes the headers of the proxy: an address by https is a matter of configuration,
    and where it is configured, cookies are for https alone."""
    port = free_port()
    environment = {"SSL_CERT_FILE": f"{tmp_path}/cert.pem"}
    arguments = [f"--templates={lab_templates}", "--storage=contents"]
    service = managed(*arguments, environment=environment)
    hub = launch_hub(
        f"https-{told}",
        services=[service],
        config=f"c.JupyterHub.public_url = 'https://127.0.0.1:{port}/'" if told else BY_PROXY,
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with nginx(tmp_path, BEFORE_HUB.format(hub.origin), port=port, tls=True) as origin:
        click(
            portal,
            page,
            f"{origin}/services/templates/",
            {"sample_name": NAME, "temperature": 20.5},
        )
        cookies = page.context.cookies(f"{origin}/services/templates/")
        assert {c["name"]: c["secure"] for c in cookies if "nbstamp" in c["name"]} == (
            {"__Secure-nbstamp-session": True} if told else {"nbstamp-session": False}
        )
        page.click("form#create button.primary")
        page.wait_for_url(f"{origin}/user/anna/lab/tree/**")
        run_in_lab(page, f"{len(NAME)} 21.5")
    assert {url for url in asked if url.startswith("http:")} == {portal.url}


def test_users_and_services_have_host_names_of_their_own(
    launch_hub: LaunchHub, portal: Portal, page: Page, lab_templates: Path
) -> None:
    service = managed(f"--templates={lab_templates}", "--storage=contents")
    hub = launch_hub("domains", services=[service], config=BY_PROXY, domain="hub.localhost")
    click(portal, page, hub.service_url(service), {"sample_name": NAME, "temperature": 20.5})
    page.click("form#create button.primary")
    # the hub leads nobody to another host name, so the user does
    with page.context.expect_page() as tab:
        page.click("text=Start your Jupyter server in a new tab")
    tab.value.wait_for_url(f"http://anna.hub.localhost:{hub.port}/user/anna/lab**")
    tab.value.close()
    page.click("text=Create now")
    page.wait_for_url(f"http://anna.hub.localhost:{hub.port}/user/anna/lab/tree/**")
    run_in_lab(page, f"{len(NAME)} 21.5")


@pytest.mark.parametrize(
    ("name", "open_path"),
    [
        ("notebook", "notebooks/{path}"),
        ("workspace", "lab/workspaces/auto-n/tree/{path}"),
    ],
)
def test_it_opens_where_the_configuration_says(
    launch_hub: LaunchHub,
    portal: Portal,
    page: Page,
    lab_templates: Path,
    name: str,
    open_path: str,
) -> None:
    arguments = [f"--templates={lab_templates}", "--storage=contents"]
    service = managed(*arguments, f"--ContentsStorage.open_path={open_path}")
    hub = launch_hub(f"open-{name}", services=[service], config=BY_PROXY)
    click(portal, page, hub.service_url(service), {"sample_name": NAME, "temperature": 20.5})
    page.click("form#create button.primary")
    page.wait_for_url(f"**/user/anna/{open_path.replace('{path}', '**.ipynb')}")
    run_in_lab(page, f"{len(NAME)} 21.5")
    assert page.locator(".jp-Notebook").count() == 1


def test_a_hub_session_that_ended_leads_over_the_sign_in_to_the_notebook(
    launch_hub: LaunchHub, portal: Portal, page: Page, lab_templates: Path
) -> None:
    """With a sign-in provider on a third site, where a form of ours may not lead."""
    service = managed(f"--templates={lab_templates}", "--storage=contents")
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Provider)) as port:
        provider = f"http://provider.localhost:{port}/"
        config = f"PROVIDER = {provider!r}\n{PROVIDED}{BY_PROXY}"
        hub = launch_hub("provided", services=[service], config=config)
        visited: list[str] = []
        page.on("framenavigated", lambda frame: visited.append(frame.url))
        click(portal, page, hub.service_url(service), {"sample_name": NAME, "temperature": 20.5})
        assert [url for url in visited if url.startswith(provider)]
        opens = re.compile(r"/user/anna/lab/tree/")
        page.route(opens, lambda route: route.abort("aborted"))  # it opens by itself
        page.click("form#create button.primary")
        page.wait_for_selector(".place")
        page.context.clear_cookies(name=re.compile("jupyterhub|_xsrf"))
        page.unroute(opens)
        page.click("text=Open the notebook")
        page.wait_for_url(f"{provider}**")
        sign_in(page, "anna")
        page.wait_for_url("**/user/anna/lab/tree/**")
        run_in_lab(page, f"{len(NAME)} 21.5")
