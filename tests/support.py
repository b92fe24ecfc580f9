"""A running server, and what a browser would do with its pages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urljoin, urlsplit

import httpx2
import nbformat
import pytest

PORTAL = "https://sampledb.example"
SENT: set[str] = set()
"""Every text that a test sent as a parameter's value; none may be in a log of ours."""
TOKENS: set[str] = set()
"""Every token that a page carried; none may be in a log."""


@dataclass
class Form:
    """A form of a page, as a browser would send it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.in_form = self.in_button = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
            self.in_form = True
        elif tag == "input" and self.in_form and "name" in given:
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button" and self.in_form:
            self.forms[-1].buttons.append("")
            self.in_button = True

    def handle_data(self, data: str) -> None:
        if self.in_button and self.in_form:
            self.forms[-1].buttons[-1] += data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.in_form = False
        elif tag == "button":
            self.in_button = False


def forms(html: str) -> list[Form]:
    """The forms of a page."""
    parser = _Forms()
    parser.feed(html)
    for form in parser.forms:
        TOKENS.update(form.fields[key] for key in ("token", "arrival") if form.fields.get(key))
    return parser.forms


def remember(value: Any) -> None:
    """Note a parameter's value, so that the logs can be searched for it."""
    if isinstance(value, str) and len(value) > 7:
        SENT.add(value[:200])
    elif isinstance(value, dict):
        for inner in value.values():
            remember(inner)
    elif isinstance(value, list):
        for inner in value[:50]:
            remember(inner)


def secrets_in(logs: Path, values: AbstractSet[str], tokens: AbstractSet[str]) -> set[str]:
    """What the logs of servers hold and must not, each with the name of the log."""
    found = set()
    for log in logs.glob("*.log"):
        text = log.read_text(errors="replace")
        secrets = {token[:40] for token in tokens} | {"gAAAA"}
        if not log.name.endswith(".hub.log"):  # with a user's own Jupyter, which names their files
            secrets |= values | {"unforeseen", "Traceback"}
        found |= {f"{log.name}: {secret}" for secret in secrets if secret in text}
    return found


def cross_site(origin: str = PORTAL) -> dict[str, str]:
    """Headers of a form that a page of another site sends."""
    return {
        "Origin": origin,
        "Referer": f"{origin}/",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-User": "?1",
    }


@dataclass
class Site:
    """A server that was started for a test."""

    url: str
    """With the base path, and a slash at the end."""
    log: Path
    process: subprocess.Popen[bytes]
    root: Path
    """Where the storage ``folder`` keeps notebooks; unused otherwise."""
    client: httpx2.Client

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def own(self) -> dict[str, str]:
        """Headers of a form that a page of this server sends."""
        return cross_site(self.origin) | {"Sec-Fetch-Site": "same-origin"}

    def template_url(self, path: str) -> str:
        return f"{self.url}t/{quote(path)}"

    def click(self, path: str, params: object, **headers: str) -> httpx2.Response:
        """*Create Notebook* on a page of a portal."""
        remember(params)
        text = params if isinstance(params, str) else json.dumps(params)
        return self.client.post(
            self.template_url(path), data={"params": text}, headers=cross_site() | headers
        )

    def send(self, form: Form, **changes: str) -> httpx2.Response:
        """Send a form of one of this server's pages."""
        return self.client.post(
            urljoin(self.url, form.action), data=form.fields | changes, headers=self.own
        )

    def confirmation(self, path: str, params: object) -> httpx2.Response:
        """Click, and let the page in between send itself on."""
        arriving = self.click(path, params)
        assert arriving.status_code == 200, arriving.text
        return self.send(forms(arriving.text)[0])

    def create(self, path: str, params: object, **changes: str) -> httpx2.Response:
        """The whole way: click, confirm, create."""
        return self.send(create_form(self.confirmation(path, params)), **changes)

    def notebooks(self) -> list[str]:
        """Every file below the storage's root."""
        found = (file for file in self.root.rglob("*") if not file.is_dir())
        return sorted(str(file.relative_to(self.root)) for file in found)

    def stop(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


def missing_tool(tool: str) -> NoReturn:
    """Skip the test for want of ``tool``, a program or a right; with ``CI=true`` that is a
    failure."""
    reason = f"this test needs {tool}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def is_whole_double(value: int) -> bool:
    """True for an integer of at most 53 binary digits and zeros behind them (IEEE 754)."""
    value = abs(value)
    lowest = value & -value
    return value < 2**1024 and value.bit_length() - lowest.bit_length() < 53


Launch = Callable[..., Site]
"""The fixture ``launch``: starts a server of the test's own."""


def create_form(page: httpx2.Response) -> Form:
    """The form of a confirmation page."""
    return next(form for form in forms(page.text) if form.action.endswith("/create"))


def start(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    name: str = "server",
    root: Path | None = None,
    cwd: Path | None = None,
    before: Sequence[str] = (),
) -> Site:
    """Start ``nbstamp serve`` with a free port, logging to ``folder/<name>.log``; ``before`` are
    words of the command in front of it."""
    log = folder / f"{name}.log"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("NBSTAMP__")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "nbstamp", "serve", "--port=0", *arguments],
            stderr=output,
            stdout=output,
            cwd=cwd or folder,
            env=clean | {"XDG_STATE_HOME": str(folder / "state")} | dict(environment or {}),
        )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if match := re.search(r"serves at (\S+)", log.read_text()):
            client = httpx2.Client(timeout=120, trust_env=False)
            return Site(match[1], log, process, root or folder, client)
        time.sleep(0.02)
    raise AssertionError(f"the server did not start: {log.read_text()}")


def notebook(
    *sources: str,
    kernel: Mapping[str, str] | None = None,
    minor: int = 5,
    cells: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """An ordinary notebook as text: a heading, then code cells."""
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_markdown_cell("# A template\n\nFor tests.")]
    made.cells += [nbformat.v4.new_code_cell(source) for source in sources]
    if minor < 5:
        for cell in made.cells:
            del cell["id"]
    made.nbformat_minor = minor
    spec = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    made.metadata["kernelspec"] = dict(kernel or spec)
    if cells is not None:
        made.cells = list(cells)
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def parameter_cell(text: str | bytes) -> str:
    """The source of the parameter cell of a finished, valid notebook; empty when it has none."""
    found = nbformat.reads(text if isinstance(text, str) else text.decode(), as_version=4)
    nbformat.validate(found)
    cells = [cell for cell in found.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert len(cells) <= 1
    return str(cells[0].source) if cells else ""


def stamped(text: str | bytes) -> dict[str, Any]:
    """The variables that the parameter cell of a finished notebook makes."""
    names: dict[str, Any] = {}
    exec(parameter_cell(text), names)
    names.pop("__builtins__")
    return names
