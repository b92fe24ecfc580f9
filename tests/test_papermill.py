"""Notebooks go back and forth between nbstamp and papermill: each replaces the other's cell."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import nbformat
import papermill
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from nbstamp.core.instance import Origin, stamp
from nbstamp.core.languages import Languages
from nbstamp.core.parameters import Json, Parameters
from nbstamp.core.template import index
from support import notebook, parameter_cell, stamped

ORIGIN = Origin("fit.ipynb", "a-creation", "2026-11-25T00:00:00+00:00")
FIRST: dict[str, Json] = {"sample": "it's “A”", "sizes": [1, 2.5, None], "more": {"k": True}}
SECOND: dict[str, Json] = {"sample": "B\n", "sizes": [], "count": 3}


def ours(text: str, parameters: dict[str, Json]) -> str:
    """The notebook ``text`` with ``parameters``, as nbstamp stamps it."""
    template = index(text.encode())
    language = Languages.installed().find(template.kernel)
    instance = stamp(template, Parameters(parameters), ORIGIN, language)
    return bytes(instance).decode()


def theirs(text: str, parameters: dict[str, Json]) -> str:
    """The notebook ``text`` with ``parameters``, as papermill stamps it."""
    with NamedTemporaryFile("w", encoding="utf-8", suffix=".ipynb") as file:
        file.write(text)
        file.flush()
        read = load_notebook_node(file.name)
    return str(nbformat.writes(parameterize_notebook(read, parameters)))


TAGGED: list[dict[str, Any]] = [
    nbformat.v4.new_code_cell('sample = ""', metadata={"tags": ["parameters"]}),
    nbformat.v4.new_code_cell("print(sample)"),
]


@pytest.mark.parametrize("template", [notebook("1"), notebook(cells=TAGGED)])
def test_each_replaces_the_cell_of_the_other(template: str) -> None:
    for first, second in [(ours, theirs), (theirs, ours), (ours, ours)]:
        again = second(first(template, FIRST), SECOND)
        assert stamped(again) == SECOND
        sources = [cell.source for cell in nbformat.reads(again, as_version=4).cells]
        assert len(sources) == len(nbformat.reads(template, as_version=4).cells) + 1


def test_the_same_parameters_give_equal_values_in_the_same_place() -> None:
    template = notebook(cells=TAGGED)
    mine, papermills = ours(template, FIRST), theirs(template, FIRST)
    assert stamped(mine) == stamped(papermills) == FIRST
    places = [
        [parameter_cell(text) == cell.source for cell in nbformat.reads(text, as_version=4).cells]
        for text in (mine, papermills)
    ]
    assert places == [[False, True, False]] * 2


def test_papermill_runs_a_notebook_of_ours_with_other_values(tmp_path: Path) -> None:
    source = notebook(cells=[*TAGGED, nbformat.v4.new_code_cell("print(sizes)")])
    (tmp_path / "ours.ipynb").write_text(ours(source, FIRST))
    papermill.execute_notebook(
        str(tmp_path / "ours.ipynb"),
        str(tmp_path / "run.ipynb"),
        parameters={"sample": "C", "sizes": [7]},
        kernel_name="python3",
        progress_bar=False,
    )
    cells = nbformat.read(tmp_path / "run.ipynb", as_version=4).cells
    printed = [output.text for cell in cells for output in cell.get("outputs", [])]
    assert printed == ["C\n", "[7]\n"]
