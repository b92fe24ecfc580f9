"""From a portal on another site to a notebook in JupyterLab, with a real hub and a real browser."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright

from hubs import PASSWORD, Hub, external_service, running_hub
from support import Site, notebook, start

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
NAME = "Fe3O4 50 % #1 größe?"
PATH = "sem/Analysis_{sample_name}.ipynb"


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


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    portal = Portal()
    thread = threading.Thread(target=portal.server.serve_forever, args=(0.05,))
    thread.start()
    yield portal
    portal.server.shutdown()
    portal.server.server_close()
    thread.join()


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
    service = external_service()
    folder = tmp_path_factory.mktemp("creation")
    with running_hub("creation", folder=folder, logs=logs, services=[service]) as hub:
        site = start(
            logs,
            f"--templates={lab_templates}",
            "--storage=contents",
            f"--ContentsStorage.proxy_url={hub.origin}",
            f"--Server.port={service.port}",
            name="creation",
            environment=hub.environment(service),
        )
        yield hub, site
        site.stop()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(90_000)
    yield context.new_page()
    context.close()


def sign_in(page: Page, user: str) -> None:
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", PASSWORD)
    page.click("input[type=submit]")


def run_in_lab(page: Page) -> str:
    """Run the open notebook; the output of its last cell."""
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    output = page.locator(".jp-OutputArea-output pre")
    for _ in range(20):  # what is run before the kernel listens is lost
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            output.wait_for(timeout=5000)
        except TimeoutError:
            continue
        return output.inner_text()
    raise AssertionError("the notebook does not run")


def test_a_click_on_the_portal_ends_in_jupyterlab(
    hub_and_site: tuple[Hub, Site], portal: Portal, page: Page
) -> None:
    hub, _ = hub_and_site
    params = {"sample_name": NAME, "temperature": 20.5}
    page.goto(portal.shows(f"{hub.url}services/templates/t/{PATH}", params))
    page.click("button")
    sign_in(page, "anna")
    page.wait_for_selector("form#create")
    assert "not running" in page.inner_text(".warnings")
    page.click("form#create button.primary")
    page.wait_for_url("**/lab/tree/**")
    assert run_in_lab(page) == f"{len(NAME)} 21.5"
