"""A person with a real browser, an account at a real JupyterHub, and a portal on another site."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import escape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from hubs import (
    PASSWORD,
    Facility,
    external_service,
    free_port,
    running_facility,
    running_hub,
    start_service,
)
from support import SENT, stamped

PLAIN = "sem/plain.ipynb"
SIZES = {"1 kB": 1_000, "1.2 MB": 1_200_000, "4.9 MB": 4_900_000}
"""Bodies, of which the last does not fit into session storage together with its quotes."""


@pytest.fixture(scope="module")
def facility(
    logs: Path, templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Facility]:
    folder = tmp_path_factory.mktemp("browser")
    arguments = [f"--templates={templates}", "--Limits.value=8000000"]
    users = ["anna", "ben", *(f"user{number}" for number in range(20))]
    with running_facility("browser", *arguments, folder=folder, logs=logs, users=users) as facility:
        yield facility


class Portal(http.server.BaseHTTPRequestHandler):
    """A page with one button, as SampleDB has it."""

    target = ""
    params = "{}"

    def do_GET(self) -> None:
        page = (
            '<!doctype html><meta charset="utf-8"><title>Portal</title>'
            f'<form method="post" action="{escape(self.target)}">'
            f'<input type="hidden" name="params" value="{escape(self.params)}">'
            "<button>Create Notebook</button></form>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def portal(facility: Facility) -> Iterator[type[Portal]]:
    with shown(facility) as portal:
        yield portal


@contextmanager
def shown(facility: Facility) -> Iterator[type[Portal]]:
    """A portal on another site: localhost, while everything else is 127.0.0.1."""
    handler = type("Here", (Portal,), {"target": facility.site.template_url(PLAIN)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        handler.address = f"http://localhost:{server.server_port}/"  # type: ignore[attr-defined]
        yield handler
        server.shutdown()
        thread.join()


def values(size: int) -> dict[str, Any]:
    """Parameters whose form has about ``size`` bytes, with what is hard to carry."""
    hard = 'O\'Brien <b>"µ"</b> & 試料 \\ {x} 😀\n'
    rows = [[number, number / 7] for number in range(size // 60)]
    found = {"hard": hard, "rows": rows}
    found["rest"] = "x" * max(0, size - len(json.dumps(found)) - 300)
    SENT.add("O'Brien <b>")
    return found


def click(page: Page, portal: type[Portal], params: dict[str, Any]) -> None:
    portal.params = json.dumps(params, ensure_ascii=False)
    page.goto(portal.address)  # type: ignore[attr-defined]
    page.get_by_role("button", name="Create Notebook").click()


def sign_in_at_the_hub(page: Page, user: str) -> None:
    page.locator("#username_input").fill(user)
    page.locator("#password_input").fill(PASSWORD)
    page.locator("#login_submit").click()


def kept(page: Page) -> list[str]:
    """What the browser still keeps for the site of ``page``."""
    found: list[str] = page.evaluate(
        """async () => {
      const kept = Object.keys(sessionStorage).concat(Object.keys(localStorage));
      for (const { name } of await indexedDB.databases()) {
        const db = await new Promise((resolve) => {
          const opening = indexedDB.open(name);
          opening.onsuccess = () => resolve(opening.result);
        });
        for (const store of db.objectStoreNames) {
          const request = db.transaction(store).objectStore(store).getAllKeys();
          await new Promise((resolve) => { request.onsuccess = resolve; });
          kept.push(...request.result);
        }
        db.close();
      }
      return kept;
    }"""
    )
    return found


def create(page: Page, facility: Facility, user: str, params: dict[str, Any]) -> None:
    """From the confirmation to the notebook."""
    account = page.locator(".account strong")
    expect(account).to_have_text(user, timeout=60_000)
    assert kept(page) == []
    assert page.url == facility.site.template_url(PLAIN)
    before = set(facility.site.notebooks())
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_role("heading", name="Your notebook is saved").wait_for()
    (made,) = set(facility.site.notebooks()) - before
    assert made.startswith(f"{user}/sem/")
    found = stamped((facility.site.root / made).read_text())
    assert found == params
    assert kept(page) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", ["nowhere", "the hub", "here"])
def test_a_click_survives_in_every_state_of_signing_in(
    context: BrowserContext, facility: Facility, portal: type[Portal], state: str, size: str
) -> None:
    number = ["nowhere", "the hub", "here"].index(state) * 3 + list(SIZES).index(size)
    user, params = f"user{number}", values(SIZES[size])
    page = context.new_page()
    said: list[str] = []
    visited: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("framenavigated", lambda frame: visited.append(frame.url))
    if state != "nowhere":
        page.goto(f"{facility.hub.url}hub/login?next=%2Fhub%2Fhome")
        sign_in_at_the_hub(page, user)
        page.wait_for_url("**/hub/home")
    if state == "here":
        page.goto(facility.site.url)
        page.get_by_role("heading", name="Notebook templates").wait_for()
    hub_said, visited[:] = len(said), []
    click(page, portal, params)
    if state == "nowhere":
        sign_in_at_the_hub(page, user)
    create(page, facility, user, params)
    assert [text for text in said[hub_said:] if "hub/" not in text and "login" not in text] == []
    assert not [url for url in visited if "Brien" in url or "params" in url or len(url) > 2500]


def test_cookies_are_lax_and_the_first_request_has_none(
    context: BrowserContext, facility: Facility, portal: type[Portal]
) -> None:
    """So that a click works in the same way right after signing in and two minutes later, when
    Chromium no longer sends a cookie without SameSite."""
    page = context.new_page()
    page.goto(facility.site.url)
    sign_in_at_the_hub(page, "anna")
    page.get_by_role("heading", name="Notebook templates").wait_for()
    path = facility.site.url.removeprefix(facility.hub.origin)
    ours = [cookie for cookie in context.cookies() if cookie.get("path") == path]
    assert [(c.get("name"), c.get("sameSite"), c.get("httpOnly")) for c in ours] == [
        ("nbstamp-session", "Lax", True)
    ]
    sent: list[dict[str, str]] = []
    page.on(
        "request",
        lambda request: (
            sent.append(request.all_headers())
            if request.is_navigation_request() and request.method == "POST"
            else None
        ),
    )
    click(page, portal, {"a": "two minutes later"})
    page.locator("form#create").wait_for()
    assert [headers.get("sec-fetch-site") for headers in sent] == ["cross-site", "same-origin"]
    assert "nbstamp-session" not in sent[0].get("cookie", "")
    assert "nbstamp-session" in sent[1]["cookie"]


def test_a_session_that_ended_while_the_page_was_open(
    context: BrowserContext, facility: Facility, portal: type[Portal]
) -> None:
    page = context.new_page()
    click(page, portal, {"a": "ended"})
    sign_in_at_the_hub(page, "anna")
    page.locator("#name").fill("My own name.ipynb")
    context.clear_cookies()
    page.get_by_role("button", name="Create", exact=True).click()
    sign_in_at_the_hub(page, "anna")
    expect(page.get_by_role("alert")).to_contain_text("sign in again")
    expect(page.locator("#name")).to_have_value("My own name.ipynb")
    create(page, facility, "anna", {"a": "ended"})


def test_the_back_button_leads_to_the_portal_and_to_no_error(
    context: BrowserContext, facility: Facility, portal: type[Portal]
) -> None:
    page = context.new_page()
    click(page, portal, {"a": "back"})
    sign_in_at_the_hub(page, "anna")
    page.locator("form#create").wait_for()
    page.go_back()  # to the hub's sign-in page, which goes on by itself now
    page.get_by_role("heading", name="Notebook templates").wait_for()
    click(page, portal, {"a": "signed in"})
    page.locator("form#create").wait_for()
    page.go_back()
    assert page.url == portal.address  # type: ignore[attr-defined]
    page.goto(f"{facility.site.url}resume?key=nbstamp-0123456789abcdef")
    page.get_by_text("nothing to go on with").wait_for()


def test_two_tabs_sign_in_side_by_side(
    context: BrowserContext, facility: Facility, portal: type[Portal]
) -> None:
    tabs = [context.new_page(), context.new_page()]
    for number, page in enumerate(tabs):
        click(page, portal, {"tab": number})
        page.locator("#login_submit").wait_for()
    for number, page in reversed(list(enumerate(tabs))):
        page.reload()  # the first sign-in has replaced the cookie that this page was made with
        if page.locator("#login_submit").count():
            sign_in_at_the_hub(page, "ben")
        create(page, facility, "ben", {"tab": number})


def test_without_javascript_the_page_itself_keeps_the_values(
    browser: Browser, facility: Facility, portal: type[Portal]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    params = values(1_200_000)
    page = context.new_page()
    click(page, portal, params)
    page.get_by_role("button", name="Continue").click()
    with context.expect_page() as opened:
        page.get_by_role("link", name="Sign in in a new tab").click()
    sign_in_at_the_hub(opened.value, "ben")
    opened.value.get_by_text("Close this tab").wait_for()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".account strong")).to_have_text("ben")
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_role("heading", name="Your notebook is saved").wait_for()
    made = max((facility.site.root / "ben").rglob("*.ipynb"), key=lambda f: f.stat().st_mtime_ns)
    assert stamped(made.read_text()) == params
    context.close()


def test_a_hub_on_another_site(
    context: BrowserContext, logs: Path, templates: Path, tmp_path: Path
) -> None:
    """nbstamp on a host name of its own, which Chromium takes as another site than the hub's."""
    port = free_port()
    callback = f"http://127.0.0.1:{port}/templates/oauth_callback"
    service = external_service(port=port, url=None, oauth_redirect_uri=callback)
    with running_hub("elsewhere", folder=tmp_path, logs=logs, services=[service]) as hub:
        environment = {
            "NBSTAMP__SERVER__BASE_URL": "/templates/",
            "NBSTAMP__JUPYTERHUBIDENTITY__HUB_URL": f"http://localhost:{hub.port}/hub/",
            "NBSTAMP__JUPYTERHUBIDENTITY__CALLBACK_URL": callback,
        }
        site = start_service(
            hub,
            service,
            f"--templates={templates}",
            folder=tmp_path,
            logs=logs,
            environment=environment,
        )
        with ExitStack() as stack:
            facility = Facility(hub, service, site, stack)
            page = context.new_page()
            said: list[str] = []
            page.on("console", lambda message: said.append(message.text))
            with shown(facility) as portal:
                click(page, portal, {"a": "elsewhere"})
                sign_in_at_the_hub(page, "anna")
                create(page, facility, "anna", {"a": "elsewhere"})
                page.get_by_role("link", name="Notebooks").click()
                page.get_by_role("heading", name="Notebook templates").wait_for()
            assert not [text for text in said if "Content Security Policy" in text]
        site.stop()


def test_switching_to_another_account(
    context: BrowserContext, facility: Facility, portal: type[Portal]
) -> None:
    page = context.new_page()
    click(page, portal, {"a": "not anna's"})
    sign_in_at_the_hub(page, "anna")
    page.get_by_role("button", name="not you? switch").click()
    with context.expect_page() as opened:
        page.get_by_role("link", name="Sign out of Jupyter").click()
    opened.value.wait_for_url("**/hub/log*")
    page.get_by_role("button", name="Continue").click()
    sign_in_at_the_hub(page, "ben")
    create(page, facility, "ben", {"a": "not anna's"})


def test_a_strangers_page_creates_nothing(
    context: BrowserContext, facility: Facility, portal: type[Portal]
) -> None:
    """Even when it holds a confirmation of the victim's."""
    page = context.new_page()
    click(page, portal, {"a": "stolen"})
    sign_in_at_the_hub(page, "anna")
    form = {
        field: page.locator(f"#create [name={field}]").input_value()
        for field in ("template", "params", "token", "name", "folder")
    }
    before = facility.site.notebooks()
    stranger = context.new_page()
    stranger.goto(portal.address)  # type: ignore[attr-defined]
    sends = """([url, form]) => {
      const made = document.createElement("form");
      made.method = "post";
      made.action = url;
      for (const [name, value] of Object.entries(form)) {
        const field = document.createElement("input");
        field.name = name;
        field.value = value;
        made.append(field);
      }
      document.body.append(made);
      made.submit();
    }"""
    with stranger.expect_navigation():
        stranger.evaluate(sends, [facility.site.url + "create", form])
    expect(stranger.locator("main")).to_contain_text("Nothing was created")
    stranger.goto(portal.address)  # type: ignore[attr-defined]
    for mode in ("no-cors", "cors"):
        stranger.evaluate(
            """async ([url, form, mode]) => {
          const body = new URLSearchParams(form);
          await fetch(url, { method: "POST", mode, body, credentials: "include" }).catch(() => {});
        }""",
            [facility.site.url + "create", form, mode],
        )
    assert facility.site.notebooks() == before
    stranger.set_content(f'<iframe src="{facility.site.url}"></iframe>')
    assert facility.site.notebooks() == before


def test_a_restart_of_the_hub_while_a_person_signs_in(
    context: BrowserContext, facility: Facility, portal: type[Portal]
) -> None:
    page = context.new_page()
    params = values(4_900_000)
    click(page, portal, params)
    page.locator("#login_submit").wait_for()
    facility.hub.restart()
    page.reload()
    sign_in_at_the_hub(page, "ben")
    create(page, facility, "ben", params)
