"""The example templates and the example portal of ``nbstamp demo``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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
RENAMED = [path for _, path, _ in CLICKS if path not in TEMPLATES]


class Kernels:
    """One kernel per template, in which its notebooks run one after the other."""

    def __init__(self) -> None:
        self._clients: dict[str, nbclient.NotebookClient] = {}

    def run(self, path: str, notebook: nbformat.NotebookNode) -> list[Mapping[str, Any]]:
        """Run a notebook of the template ``path`` from a clean start; returns all its outputs."""
        client = self._clients.get(path)
        if client is None:
            client = self._clients[path] = nbclient.NotebookClient(
                notebook, timeout=60, kernel_name="python3"
            )
            client.create_kernel_manager()
            client.start_new_kernel()
            client.start_new_kernel_client()
        client.nb = notebook
        reset = nbformat.v4.new_code_cell("%reset -f")
        notebook.cells.insert(0, reset)
        client.reset_execution_trackers()
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
        return [output for cell in notebook.cells for output in cell.get("outputs", [])]

    def stop(self) -> None:
        for client in self._clients.values():
            client._cleanup_kernel()


@pytest.fixture(scope="module")
def kernels() -> Iterator[Kernels]:
    kernels = Kernels()
    yield kernels
    kernels.stop()


def images(outputs: list[Mapping[str, Any]]) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


def complaints(outputs: list[Mapping[str, Any]]) -> list[str]:
    return [output["text"] for output in outputs if output.get("name") == "stderr"]


def stamped(path: str, parameters: Parameters) -> nbformat.NotebookNode:
    template = index((ROOT / path).read_bytes())
    instance = stamp(template, parameters, Origin(path, "one", "2026-11-24T12:00:00Z"), Python())
    found = nbformat.reads(bytes(instance).decode(), as_version=4)
    nbformat.validate(found)
    return found


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
    ("number", "path", "params"), [click for click in CLICKS if click[1] not in RENAMED]
)
def test_every_button_ends_in_a_notebook_that_runs_and_shows_something(
    kernels: Kernels, number: int, path: str, params: str
) -> None:
    parameters = read_parameters(params, limits=Limits())
    assert parameters["object_id"] == number
    outputs = kernels.run(path, stamped(path, parameters))
    assert images(outputs) >= 1
    assert complaints(outputs) == []


@pytest.mark.parametrize("path", TEMPLATES)
def test_a_template_runs_when_every_value_is_missing(kernels: Kernels, path: str) -> None:
    names = {name for _, used, params in CLICKS if used == path for name in json.loads(params)}
    outputs = kernels.run(path, stamped(path, Parameters(dict.fromkeys(sorted(names)))))
    assert images(outputs) >= 1
    assert complaints(outputs) == []


def test_a_template_with_defaults_runs_as_it_is(kernels: Kernels) -> None:
    (path,) = (path for path in TEMPLATES if '"parameters"' in (ROOT / path).read_text())
    outputs = kernels.run(path, nbformat.read(ROOT / path, as_version=4))
    assert images(outputs) >= 1
    assert complaints(outputs) == []


def test_the_objects_show_what_the_way_must_cope_with() -> None:
    sent = {(number, path): json.loads(params) for number, path, params in CLICKS}
    assert any(isinstance(values.get("sample_name"), dict) for values in sent.values())
    assert any(len(values.get("temperature_log", ())) >= 2000 for values in sent.values())
    assert any(list(values.values()).count(None) >= 3 for values in sent.values())
    assert any(fill(Path(path).name, values).missing for (_, path), values in sent.items())
    assert len(RENAMED) == 1


def requests() -> dict[str, str]:
    """What SampleDB sent, by the name of the recording."""
    found = {}
    for file in sorted((Path(__file__).parent / "captures").glob("*.json")):
        recorded = json.loads(file.read_text())
        if "body" in recorded:
            found[file.stem] = recorded["body"]
    return found


@pytest.mark.parametrize(("name", "body"), requests().items(), ids=requests())
def test_the_form_is_written_byte_for_byte_as_sampledb_writes_it(name: str, body: str) -> None:
    values = read_parameters(_decoded(body), limits=Limits())
    assert "params=" + quote_plus(compact(dict(values)), safe="*") == body


def _decoded(body: str) -> bytes:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(body.removeprefix("params=").replace("+", " "))


def test_a_page_has_one_form_with_one_field_per_template() -> None:
    client = TestClient(portal(SERVER))
    for one in OBJECTS.values():
        page = client.get(f"/objects/{one.object_id}")
        assert page.status_code == 200
        wanted = buttons(one, OBJECTS, SERVER)
        assert wanted
        for form, button in zip(forms(page.text), wanted, strict=True):
            assert form.method == "post"
            assert form.action == button.action
            assert form.fields == {"params": button.params}
        assert "form-action" not in page.headers["Content-Security-Policy"]
        assert "<script" not in page.text
        assert "style=" not in page.text
    index_page = client.get("/")
    assert all(f'href="/objects/{number}"' in index_page.text for number in OBJECTS)
    assert f"SAMPLEDB_JUPYTERHUB_TEMPLATES_URL=&#34;{SERVER}&#34;" in index_page.text.replace(
        '="', "=&#34;"
    ).replace('"\n', "&#34;\n").replace('"<', "&#34;<")
    assert client.get("/objects/77").status_code == client.get("/nothing").status_code == 404
