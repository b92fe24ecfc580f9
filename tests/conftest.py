"""Servers for the tests, each started once; tools that a test may need."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from hubs import Hub, LaunchHub, running_hub
from support import SENT, TOKENS, Launch, Site, missing_tool, notebook, secrets_in, start

pytest.register_assert_rewrite("nbstamp.testing")


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with the logs of all servers of this run; they are searched when it ends."""
    folder = tmp_path_factory.mktemp("logs")
    yield folder
    assert not secrets_in(folder, SENT, TOKENS)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with templates."""
    folder = tmp_path_factory.mktemp("templates")
    ordinary = notebook("print(1 + 1)")
    for path in (
        "sem/plain.ipynb",
        "sem/Analysis_{sample_name}.ipynb",
        "some_instrument/Data_Analysis_{measurement_name}.ipynb",
        "xrd/größe {a} {b}.ipynb",
    ):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(ordinary, encoding="utf-8")
    (folder / "sem" / "broken.ipynb").write_text('{"cells": [')
    (folder / "sem" / "cobol.ipynb").write_text(
        notebook("x", kernel={"name": "cobol", "display_name": "COBOL", "language": "cobol"})
    )
    return folder


@pytest.fixture
def launch(logs: Path, templates: Path) -> Iterator[Launch]:
    """Starts servers of a test's own with arguments of its choice; they stop with the test."""
    running: list[Site] = []

    def launch(name: str, *arguments: str, **options: Any) -> Site:
        running.append(start(logs, f"--templates={templates}", *arguments, name=name, **options))
        return running[-1]

    yield launch
    for site in running:
        site.stop()


@pytest.fixture
def launch_hub(logs: Path, tmp_path: Path) -> Iterator[LaunchHub]:
    """Starts JupyterHubs of a test's own (see ``hubs.py``); they stop with the test."""
    with ExitStack() as running:

        def launch_hub(name: str, **options: Any) -> Hub:
            folder = tmp_path / f"hub-{name}"
            return running.enter_context(running_hub(name, folder=folder, logs=logs, **options))

        yield launch_hub


@pytest.fixture(scope="session")
def downloads(logs: Path, templates: Path) -> Iterator[Site]:
    """A server that hands notebooks out as downloads."""
    site = start(logs, f"--templates={templates}", name="downloads")
    yield site
    site.stop()


@pytest.fixture(scope="session")
def saves(logs: Path, templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that saves notebooks in a folder."""
    root = tmp_path_factory.mktemp("notebooks")
    site = start(
        logs,
        f"--templates={templates}",
        "--storage=folder",
        f"--FolderStorage.root={root}",
        "--Server.contact=jupyter@facility.example",
        '--Server.portals={"https://sampledb.example": {"name": "SampleDB"}}',
        name="saves",
        root=root,
    )
    yield site
    site.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return found or missing_tool("chromium")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A running Chromium. Not for longer than a module: where it runs, no event loop can."""
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that knows nobody yet."""
    context = browser.new_context()
    context.set_default_timeout(60_000)
    yield context
    TOKENS.update(c["value"] for c in context.cookies() if c["name"].startswith("nbstamp"))
    context.close()


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that any user can reach, which a test's own temporary one is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)
