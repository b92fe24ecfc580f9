"""What SampleDB really sends, byte for byte, against a running server."""

from __future__ import annotations

import json
import socket
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_plus, unquote, urlsplit

import pytest

from support import Site, create_form, forms, parameter_cell, remember, stamped

CAPTURES = Path(__file__).parent / "captures"
REQUESTS = sorted(
    file.stem for file in CAPTURES.glob("*.json") if "target" in json.loads(file.read_text())
)


def send(site: Site, request: dict[str, Any], target: str, body: bytes) -> tuple[int, str]:
    """Send a recorded request as it was, except for the host."""
    lines = [f"{request['method']} {target} HTTP/1.1"]
    where = urlsplit(site.url)
    for name, value in request["headers"]:
        if name.lower() == "host":
            value = where.netloc
        if name.lower() == "content-length":
            value = str(len(body))
        lines.append(f"{name}: {value}")
    if not any(line.lower().startswith("connection:") for line in lines):
        lines.append("Connection: close")
    with socket.create_connection((where.hostname, where.port), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read().decode()


def test_the_captures_are_there() -> None:
    assert len(REQUESTS) >= 8


@pytest.mark.parametrize("name", REQUESTS)
def test_a_recorded_request_ends_in_a_notebook_with_exactly_its_parameters(
    saves: Site, templates: Path, name: str
) -> None:
    request = json.loads((CAPTURES / f"{name}.json").read_text())
    body = request["body"].encode()
    sent = json.loads(parse_qs(request["body"])["params"][0])
    remember(sent)
    path = requested_template(request["target"])
    file = templates / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text((templates / "sem/plain.ipynb").read_text())
    status, text = send(saves, request, request["target"], body)
    assert status == 200
    page = saves.send(forms(text)[0])
    assert page.status_code == 200
    form = create_form(page)
    name_typed = form.fields["name"].replace("{", "").replace("}", "")
    before = set(saves.notebooks())
    answer = saves.send(form, name=name_typed)
    assert answer.status_code == 200
    (made,) = set(saves.notebooks()) - before
    text = (saves.root / made).read_text()
    assert stamped(text) == sent if sent else parameter_cell(text) == ""


def requested_template(target: str) -> str:
    """The template's path of a recorded request target."""
    return unquote(urlsplit(target.replace("//", "/")).path.removeprefix("/templates/t/"))


@pytest.mark.parametrize("megabytes", [1.2, 5])
def test_large_bodies_arrive_whole(saves: Site, megabytes: float) -> None:
    request = json.loads((CAPTURES / "documentation_example.json").read_text())
    rows = [[f"2026-11-01 00:00:{i % 60:02}.000000", 293.15 + i / 1000] for i in range(20_000)]
    text = "µ {x} <b> \u2028 " * 1000
    size, number = 0, 0
    sent: dict[str, Any] = {"measurement_name": f"large {megabytes}"}
    while size < megabytes * 1e6:
        sent[f"series_{number}"] = rows[: 2_000 + number]
        sent[f"text_{number}"] = text
        number += 1
        size = len(quote_plus(json.dumps(sent, ensure_ascii=False)))
    body = b"params=" + quote_plus(json.dumps(sent, ensure_ascii=False)).encode()
    assert len(body) >= megabytes * 1e6
    status, page = send(saves, request, request["target"], body)
    assert status == 200
    answer = saves.send(create_form(saves.send(forms(page)[0])))
    assert answer.status_code == 200
    made = saves.root / f"notebooks/some_instrument/Data_Analysis_large {megabytes}.ipynb"
    assert stamped(made.read_text()) == sent
