"""The example templates and the example portal of ``nbstamp demo``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import nbclient
import nbformat
import pytest
from starlette.testclient import TestClient

import nbstamp.cli.demo
from nbstamp.cli.demo.objects import example_objects
from nbstamp.cli.demo.portal import buttons, compact, portal
from nbstamp.core.forms import read_form
from nbstamp.core.instance import Origin, stamp
from nbstamp.core.languages.python import Python
from nbstamp.core.naming import fill, placeholders
from nbstamp.core.parameters import Limits, Parameters, read_parameters
from nbstamp.core.template import index
from support import forms

ROOT = Path(nbstamp.cli.demo.__file__).parent / "templates"
TEMPLATES = sorted(str(file.relative_to(ROOT)) for file in ROOT.rglob("*.ipynb"))
SERVER = "https://notebooks.example/templates"
OBJECTS = example_objects()
CLICKS = [
    (one.object_id, button.action.removeprefix(f"{SERVER}/t/"), button.params)
    for one in OBJECTS.values()
    for button in buttons(one, OBJECTS, SERVER)
]
"""Every button of the portal: object, template, what it sends."""
RUNNABLE = [click for click in CLICKS if click[1] in TEMPLATES]
CAPTURES = {
    file.stem: recorded["body"]
    for file in sorted((Path(__file__).parent / "captures").glob("*.json"))
    if "body" in (recorded := json.loads(file.read_text()))
}
"""What SampleDB sent, by the name of the recording."""

Run = Callable[[nbformat.NotebookNode], list[Mapping[str, Any]]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs a notebook in a kernel that knows nothing of earlier ones; returns all outputs."""
    client = nbclient.NotebookClient(nbformat.v4.new_notebook(), timeout=60, kernel_name="python3")

    def run(notebook: nbformat.NotebookNode) -> list[Mapping[str, Any]]:
        notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
        client.nb = notebook
        client.reset_execution_trackers()
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
        return [output for cell in notebook.cells for output in cell.get("outputs", [])]

    with client.setup_kernel():
        yield run


def stamped(path: str, parameters: Parameters) -> nbformat.NotebookNode:
    template = index((ROOT / path).read_bytes())
    instance = stamp(template, parameters, Origin(path, "one", "2026-11-24T12:00:00Z"), Python())
    found: nbformat.NotebookNode = nbformat.reads(bytes(instance).decode(), as_version=4)
    nbformat.validate(found)
    return found


def shows_something(outputs: list[Mapping[str, Any]]) -> bool:
    """There is a picture, and nothing was complained about."""
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
    return any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", TEMPLATES)
def test_a_template_is_a_clean_notebook_that_says_what_it_is(path: str) -> None:
    data = (ROOT / path).read_bytes()
    found = nbformat.reads(data.decode(), as_version=4)
    nbformat.validate(found)
    assert (found.nbformat, found.nbformat_minor) == (4, 5)
    template = index(data)
    assert template.title
    assert template.body == data
    assert template.kernel.language == "python"
    assert placeholders(Path(path).name)


@pytest.mark.parametrize(
    ("path", "params"),
    [click[1:] for click in RUNNABLE],
    ids=[f"object {number}, {path.partition('/')[0]}" for number, path, _ in RUNNABLE],
)
def test_every_button_ends_in_a_notebook_that_runs(run: Run, path: str, params: str) -> None:
    assert shows_something(run(stamped(path, read_parameters(params, limits=Limits()))))


@pytest.mark.parametrize("path", TEMPLATES)
def test_a_template_runs_when_every_value_is_missing(run: Run, path: str) -> None:
    names = {name for _, used, params in CLICKS if used == path for name in json.loads(params)}
    assert shows_something(run(stamped(path, Parameters(dict.fromkeys(sorted(names))))))


def test_a_template_with_defaults_runs_as_it_is(run: Run) -> None:
    (path,) = (path for path in TEMPLATES if '"parameters"' in (ROOT / path).read_text())
    assert shows_something(run(nbformat.read(ROOT / path, as_version=4)))


def test_a_time_series_may_count_seconds(run: Run) -> None:
    (path,) = (path for path in TEMPLATES if path.startswith("thermal_analysis/"))
    log: Any = [[7.0 * number, 20.0 + number, 293.15 + number] for number in range(300)]
    values = {"measurement_name": "x", "created": None, "atmosphere": None, "temperature_log": log}
    assert shows_something(run(stamped(path, Parameters(values))))


def test_the_objects_show_what_the_way_must_cope_with() -> None:
    sent = {(number, path): json.loads(params) for number, path, params in CLICKS}
    assert any(isinstance(values.get("sample_name"), dict) for values in sent.values())
    assert any(len(values.get("temperature_log") or ()) >= 2000 for values in sent.values())
    assert any(list(values.values()).count(None) >= 3 for values in sent.values())
    assert any(fill(Path(path).name, values).missing for (_, path), values in sent.items())
    assert len(CLICKS) - len(RUNNABLE) == 1


def test_a_value_may_come_from_another_object() -> None:
    names = [
        json.loads(params).get("sample_name") for number, _, params in CLICKS if number in (1, 3)
    ]
    assert names == [OBJECTS[1].data["name"]["text"]] * 3


@pytest.mark.parametrize(("name", "body"), CAPTURES.items(), ids=CAPTURES)
def test_params_are_written_byte_for_byte_as_sampledb_writes_them(name: str, body: str) -> None:
    values = json.loads(read_form(body.encode())["params"])
    values = dict(sorted(values.items(), reverse=True))
    assert "params=" + quote_plus(compact(values), safe="*") == body


@pytest.mark.parametrize("number", OBJECTS)
def test_a_button_is_a_plain_form_with_one_field(number: int) -> None:
    page = TestClient(portal(SERVER)).get(f"/objects/{number}")
    found = [(form.method, form.action, form.fields) for form in forms(page.text)]
    assert found == [
        ("post", button.action, {"params": button.params})
        for button in buttons(OBJECTS[number], OBJECTS, SERVER)
    ]
    assert not {"<script", "style=", "target=", "<button name"} & set(page.text.split(" "))
    assert "form-action" not in page.headers["Content-Security-Policy"]


def test_the_portal_has_its_objects_and_says_how_it_is_set_up() -> None:
    client = TestClient(portal(SERVER))
    page = client.get("/").text
    assert all(f'href="/objects/{number}"' in page for number in OBJECTS)
    assert f'SAMPLEDB_JUPYTERHUB_TEMPLATES_URL="{SERVER}"' in page
    assert client.get("/static/portal.css").status_code == 200
    for nowhere in ("/objects/77", "/objects/x", "/nothing"):
        assert client.get(nowhere).status_code == 404
