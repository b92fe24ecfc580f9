"""A person with a real browser: from a portal on another site to a notebook that runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page


@dataclass
class Demo:
    """``nbstamp demo``, running."""

    portal: str
    server: str
    said: str
    """What it has said on the terminal."""
    process: subprocess.Popen[bytes]
    saved: Path | None = None


def demo(folder: Path, *arguments: str) -> Iterator[Demo]:
    log = folder / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-um", "nbstamp", "demo", "--port=0", "--portal-port=0", *arguments],
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    try:
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline and process.poll() is None:
            said = log.read_text()
            if "Ctrl+C" in said:
                portal, server = re.findall(r"http://\S+", said)
                yield Demo(portal, server, said, process)
                return
            time.sleep(0.05)
        raise AssertionError(log.read_text())
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def downloading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    yield from demo(tmp_path_factory.mktemp("demo"), "--storage=download")


@pytest.fixture(scope="module")
def saving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo-saving")
    for running in demo(folder, "--storage=folder", "--save", str(folder / "saved")):
        running.saved = folder / "saved"
        yield running


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page whose console must stay empty: a blocked style, script or form would be said there."""
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.said = said  # type: ignore[attr-defined]
    return page


def objects(page: Page, portal: str) -> list[str]:
    """The addresses of the portal's objects."""
    page.goto(portal)
    links = page.locator("a[href*='/objects/']").evaluate_all("all => all.map(a => a.href)")
    return sorted(set(links))


def sent(page: Page, number: int = 0) -> dict[str, Any]:
    """What the portal's form sends."""
    found: dict[str, Any] = json.loads(page.locator("input[name=params]").nth(number).input_value())
    return found


def variables(path: Path, names: list[str]) -> dict[str, Any]:
    """Run a notebook in a real kernel and return variables as JSON, with their types."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    notebook.cells.append(
        nbformat.v4.new_code_cell(f"import json\nprint(json.dumps([{', '.join(names)}]))")
    )
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    text = "".join(output.text for output in notebook.cells[-1].outputs)
    return dict(zip(names, json.loads(text), strict=True))


def same(a: Any, b: Any) -> bool:
    """Equal in value and type, all the way down."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True) and repr(a) == repr(b)


def create_button(page: Page) -> Any:
    return page.get_by_role("button", name=re.compile("^Create"))


def click_on_the_portal(page: Page, address: str, number: int = 0) -> dict[str, Any]:
    """Open an object and click *Create Notebook*; ends on the confirmation page."""
    page.goto(address)
    params = sent(page, number)
    page.locator("form:has(input[name=params]) button").nth(number).click()
    page.wait_for_selector("form#create")
    return params


def test_a_click_on_the_portal_ends_in_a_notebook_that_runs(
    page: Page, downloading: Demo, tmp_path: Path
) -> None:
    params = click_on_the_portal(page, objects(page, downloading.portal)[0])
    assert page.url.startswith(downloading.server)
    with page.expect_download() as download:
        create_button(page).click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    page.wait_for_selector("#started:not([hidden])")
    found = variables(file, list(params))
    assert all(same(found[name], params[name]) for name in params)
    assert page.said == []  # type: ignore[attr-defined]


def test_the_second_press_gives_the_same_bytes(
    page: Page, downloading: Demo, tmp_path: Path
) -> None:
    click_on_the_portal(page, objects(page, downloading.portal)[0])
    files = []
    for name in ("first", "second"):
        with page.expect_download() as download:
            create_button(page).click()
        download.value.save_as(tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_a_notebook_is_saved_and_offered_again(page: Page, saving: Demo) -> None:
    assert saving.saved
    address = objects(page, saving.portal)[0]
    params = click_on_the_portal(page, address)
    create_button(page).click()
    page.get_by_role("heading", name="Your notebook is saved").wait_for()
    (file,) = saving.saved.rglob("*.ipynb")
    assert same(variables(file, list(params)), params)
    click_on_the_portal(page, address)
    page.get_by_role("button", name="Create a new copy").click()
    page.get_by_role("heading", name="Your notebook is saved").wait_for()
    assert len(list(saving.saved.rglob("*.ipynb"))) == 2
    assert page.said == []  # type: ignore[attr-defined]


def test_the_back_button_leads_to_the_portal(page: Page, downloading: Demo) -> None:
    address = objects(page, downloading.portal)[0]
    click_on_the_portal(page, address)
    page.go_back()
    page.wait_for_url(address)


def test_reloading_the_confirmation_keeps_everything(page: Page, downloading: Demo) -> None:
    params = click_on_the_portal(page, objects(page, downloading.portal)[0])
    page.reload()
    page.wait_for_selector("form#create")
    assert json.loads(page.locator("form#create input[name=params]").input_value()) == params


def test_it_works_without_javascript_and_by_keyboard(browser: Browser, downloading: Demo) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(downloading.portal)
    page.locator("a[href*='/objects/']").first.click()
    page.locator("form:has(input[name=params]) button").first.press("Enter")
    page.get_by_role("button", name="Continue").press("Enter")
    page.wait_for_selector("form#create")
    with page.expect_download():
        page.locator("#name").press("Enter")
    context.close()


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_its_screen(
    browser: Browser, downloading: Demo, width: int, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    for path in ("", "t/none.ipynb", "api/docs", "confirmation"):
        if path == "confirmation":
            click_on_the_portal(page, objects(page, downloading.portal)[0])
        else:
            page.goto(downloading.server + path)
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, page.url
    context.close()


def test_the_create_button_is_visible_without_scrolling(
    browser: Browser, downloading: Demo
) -> None:
    for width, height in ((390, 844), (1280, 720)):
        context = browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        click_on_the_portal(page, objects(page, downloading.portal)[0])
        box = create_button(page).bounding_box()
        assert box
        assert box["y"] + box["height"] <= height
        context.close()


def contrast(page: Page) -> list[str]:
    """Texts whose contrast with their background is below 4.5 (WCAG 2.1 1.4.3)."""
    found: list[str] = page.evaluate(
        """() => {
      const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
      const lum = ([r, g, b]) => {
        const part = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
      };
      const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
          const color = rgb(getComputedStyle(e).backgroundColor);
          if (color.length < 4 || color[3] > 0.99) return color;
        }
        return [255, 255, 255];
      };
      const poor = [];
      for (const e of document.querySelectorAll("body *")) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (!own || !e.checkVisibility()) continue;
        const [a, b] = [lum(rgb(getComputedStyle(e).color)), lum(behind(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) poor.push(`${e.tagName} ${e.textContent.trim().slice(0, 40)} ${ratio}`);
      }
      return poor;
    }"""
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(browser: Browser, downloading: Demo, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    click_on_the_portal(page, objects(page, downloading.portal)[0])
    assert contrast(page) == []
    for path in ("", "t/none.ipynb", "api/docs"):
        page.goto(downloading.server + path)
        assert contrast(page) == []
    context.close()


def test_the_demo_stops_by_itself(tmp_path: Path) -> None:
    for running in demo(tmp_path, "--storage=download"):
        assert running.portal.startswith("http://localhost:")
        assert running.server.startswith("http://127.0.0.1:")
    assert "Traceback" not in (tmp_path / "demo.log").read_text()
    assert os.listdir(tmp_path) == ["demo.log"]


def test_the_demo_ends_in_a_notebook_that_runs_in_jupyterlab(
    context: BrowserContext, tmp_path: Path
) -> None:
    context.set_default_timeout(120_000)
    page = context.new_page()
    for running in demo(tmp_path):
        processes = psutil.Process(running.process.pid).children(recursive=True)
        address = objects(page, running.portal)[0]
        page.goto(address)
        params = sent(page)
        page.locator("form:has(input[name=params]) button").first.click()
        (password,) = re.findall(r"password (\w+)", running.said)
        page.fill("input[name=username]", "anna")
        page.fill("input[name=password]", password)
        page.locator("form:has(input[name=password]) [type=submit]").click()
        page.wait_for_selector("form#create")
        create_button(page).click()
        notebook = page.locator(".jp-NotebookPanel:visible")
        notebook.wait_for()
        assert running.server.startswith(page.url.partition("/user/anna/lab/tree/")[0])
        (file,) = (tmp_path / "nbstamp-demo/home/anna/notebooks").glob("*/*.ipynb")
        assert same(variables(file, list(params)), params)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        notebook.locator(".jp-OutputArea-output img").first.wait_for()
        processes += psutil.Process(running.process.pid).children(recursive=True)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(60) == 0
    assert not [process for process in processes if process.is_running()]
    assert "Traceback" not in (tmp_path / "demo.log").read_text()
    assert sorted(os.listdir(tmp_path)) == ["demo.log", "nbstamp-demo"]


def test_a_demo_whose_hub_ends_says_so(tmp_path: Path) -> None:
    for running in demo(tmp_path):
        (hub,) = psutil.Process(running.process.pid).children()
        hub.terminate()
        assert running.process.wait(60) == 1
    assert "the JupyterHub has ended; its log is" in (tmp_path / "demo.log").read_text()
