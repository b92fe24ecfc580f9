"""Values that a template wants in a file beside the notebook."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path

import nbformat
import pytest

from nbstamp.core.contract import data_parameters
from nbstamp.core.instance import Instance, Origin, stamp
from nbstamp.core.languages.python import Python
from nbstamp.core.parameters import Json, Parameters
from nbstamp.core.template import index
from support import Site, create_form, forms, notebook, parameter_cell

SERIES: list[Json] = [["2026-11-01 00:00:00", 293.15 + n, "größer"] for n in range(3)]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("log = None  # type: data", {"log"}),
        ("log = None  # type: data temperature over time", {"log"}),
        ("log: list = []  #type: data", {"log"}),
        ("a = 1\nlog=[]# type: data\nb = 2  # type: int", {"log"}),
        ("a = 1  # type: data\r\nb = 2  # type: data", {"a", "b"}),
        ("my.log <- NULL  # type: data", {"my.log"}),
        ("let log: any = null; // type: data", {"log"}),
        ("my $log = undef; # type: data", {"log"}),
        ("log = [];  % type: data", {"log"}),
        ("local log = nil -- type: data", {"log"}),
        ("log = None  # type: database", set()),
        ("log = None  # data", set()),
        ("# type: data", set()),
        ("log == 1  # type: data", set()),
        ("", set()),
    ],
)
def test_a_comment_behind_an_assignment_declares_data(source: str, names: set[str]) -> None:
    assert data_parameters(source) == names


def template(*, declared: bool = True) -> bytes:
    made = nbformat.reads(notebook("log = None  # type: data"), as_version=4)
    if declared:
        made.cells[1].metadata["tags"] = ["parameters"]
    return str(nbformat.writes(made)).encode()


def stamped(parameters: dict[str, Json], *, declared: bool = True, files: bool = True) -> Instance:
    origin = Origin("a.ipynb", "creation-1", "2026-01-01T00:00:00+00:00")
    made = index(template(declared=declared))
    return stamp(made, Parameters(parameters), origin, Python(), files=files)


def test_a_declared_value_stands_beside_the_notebook() -> None:
    instance = stamped({"log": SERIES, "n": 1})
    (file,) = instance.files
    assert file.name.startswith("log-")
    assert file.data.decode().splitlines()[1] == '["2026-11-01 00:00:00", 293.15, "größer"],'
    assert json.loads(file.data) == SERIES
    assert parameter_cell(bytes(instance)).splitlines() == [
        "# Parameters",
        f'log = __import__("json").load(open("{file.name}", encoding="utf-8"))',
        "n = 1",
    ]


@pytest.mark.parametrize("value", [[], {}, {"a": [1, None], "b": "x\n"}, "text", 1.5, True])
def test_any_value_can_be_data(value: Json) -> None:
    (file,) = stamped({"log": value}).files
    assert json.loads(file.data) == value


def test_the_same_value_has_the_same_file_and_another_one_its_own() -> None:
    values: list[Json] = [[1], [1], [2]]
    names = [stamped({"log": value}).files[0].name for value in values]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(
    "instance",
    [
        stamped({"log": SERIES}, declared=False),
        stamped({"log": SERIES}, files=False),
        stamped({"log": None}),
        stamped({"other": SERIES}),
    ],
    ids=["not declared", "no place for files", "null", "not sent"],
)
def test_otherwise_all_values_are_in_the_cell(instance: Instance) -> None:
    assert instance.files == ()
    assert ".json" not in parameter_cell(bytes(instance))


@pytest.fixture
def path(templates: Path) -> str:
    file = templates / "sem" / "data.ipynb"
    file.write_bytes(template())
    return "sem/data.ipynb"


def test_a_download_with_data_is_one_archive(downloads: Site, path: str) -> None:
    page = downloads.confirmation(path, {"log": SERIES})
    assert "one ZIP archive" in page.text
    first, second = (downloads.send(create_form(page)) for _ in range(2))
    assert first.headers["content-type"] == "application/zip"
    assert 'filename="data.zip"' in first.headers["content-disposition"]
    assert first.content == second.content
    archive = zipfile.ZipFile(BytesIO(first.content))
    assert archive.testzip() is None
    made, beside = archive.namelist()
    assert made == "data.ipynb"
    assert json.loads(archive.read(beside)) == SERIES
    assert beside in parameter_cell(archive.read(made))


def test_a_folder_keeps_data_beside_the_notebook(saves: Site, path: str) -> None:
    page = saves.confirmation(path, {"log": SERIES})
    assert forms(page.text)
    saved = saves.send(create_form(page))
    assert saved.status_code == 200
    (beside,) = (name for name in saves.notebooks() if "/log-" in name)
    assert json.loads((saves.root / beside).read_bytes()) == SERIES
