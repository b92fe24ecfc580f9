"""Stamping: where the cell goes, and that nothing else changes."""

from __future__ import annotations

import json
import re
from typing import Any

import nbformat
import papermill.parameterize
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbstamp.core.instance import Instance, Origin, stamp
from nbstamp.core.languages.python import Python
from nbstamp.core.parameters import Parameters
from nbstamp.core.template import INJECTED, PARAMETERS, index, read_provenance
from notebooks import Layout, Tree, cleared, layouts, place, tags, texts, trees

PYTHON = Python()
SPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
VALUES = Parameters({"a": 1, "b": 'µ\n\u2028\\"', "c": [None, True]})
ORIGIN = Origin("sem/fit.ipynb", "0123abcd", "2026-11-01T10:00:00+00:00", "https://portal.example")


def stamped(data: bytes, values: Parameters = VALUES, origin: Origin = ORIGIN) -> Instance:
    return stamp(index(data), values, origin, PYTHON)


def without_it(instance: Instance) -> bytes:
    """The bytes of an instance that are the template's."""
    return b"".join(instance.segments[::2])


# --- Any notebook -------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(trees(), layouts, st.sampled_from([VALUES, Parameters()]))
def test_any_notebook_keeps_its_bytes_around_the_splice(
    tree: Tree, layout: Layout, values: Parameters
) -> None:
    template = index(layout(tree))
    instance = stamp(template, values, ORIGIN, PYTHON)
    assert without_it(instance) == template.body
    clean = layout(cleared(tree))
    assert without_it(stamp(index(clean), values, ORIGIN, PYTHON)) == clean

    made = json.loads(bytes(instance).decode("utf-8-sig"))
    wanted = cleared(tree)
    if values:
        where = place(tree["cells"])
        new = made["cells"][where]
        assert tags(new) == [INJECTED]
        assert "".join(new["source"]) == PYTHON.cell(values)
        wanted["cells"].insert(where, new)
    wanted["metadata"] = {"nbstamp": dict(instance.provenance)} | wanted["metadata"]
    assert json.dumps(made) == json.dumps(wanted)


@settings(max_examples=50, deadline=None)
@given(trees(), layouts)
def test_stamping_what_was_stamped_replaces_cell_and_provenance(tree: Tree, layout: Layout) -> None:
    first = bytes(stamped(layout(tree)))
    other = Parameters({"other": 2})
    second = json.loads(bytes(stamped(first, other)).decode("utf-8-sig"))
    direct = json.loads(bytes(stamped(layout(tree), other)).decode("utf-8-sig"))
    for made in (second, direct):
        del made["metadata"]["nbstamp"]["content_hash"]
    assert second == direct


@pytest.mark.parametrize("minor", range(6))
@pytest.mark.parametrize("indent", [None, 1])
def test_every_minor_version_stays_valid(minor: int, indent: int | None) -> None:
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell("print(a)")]
    for number, cell in enumerate(cells):
        cell["id"] = f"id-{number}"
        if minor < 5:
            del cell["id"]
    tree = {"cells": cells, "metadata": {"kernelspec": SPEC}, "nbformat": 4}
    data = json.dumps(tree | {"nbformat_minor": minor}, indent=indent).encode()
    made = json.loads(bytes(stamped(data)))
    nbformat.validate(made, relax_add_props=False)
    assert made["nbformat_minor"] == minor
    assert ("id" in made["cells"][1]) == (minor >= 5)


# --- Where the cell goes ------------------------------------------------------------------------

POSITIONS = [
    # the notebook's cells, "i" tagged injected-parameters, "p" tagged parameters, "." neither;
    # where the new cell ("N") stands
    ("", "N"),
    (".", ".N"),
    ("..", ".N."),
    ("p", "pN"),
    ("p.", "pN."),
    (".p.", ".pN."),
    (".p.p.", ".pN.p."),
    ("i", "N"),
    ("i.", "N."),
    (".i", ".N"),
    ("..i", "..N"),
    (".i.", ".N."),
    ("ii", "N"),
    ("iii", "N"),
    (".ii.", ".N."),
    (".i.i.", ".N.."),
    ("i.i", "N."),
    ("pi.", "pN."),
    ("p.i.", "p.N."),
    ("ip.", "pN."),
    ("i.p.", ".pN."),
    ("ip", "pN"),
    ("ipi", "pN"),
    (".iip..", ".pN.."),
]
PAPERMILL_DIFFERS = {"." * n for n in (1, 2)} | {
    # it keeps stale cells, of which the last one wins, and one in front of the defaults
    cells
    for cells, _ in POSITIONS
    if cells.count("i") > 1 or "ip" in cells or "i.p" in cells
}


def notebook(cells: str, **how: Any) -> bytes:
    def cell(kind: str) -> Tree:
        metadata = {"i": {"tags": ["x", INJECTED]}, "p": {"tags": [PARAMETERS]}, ".": {}}[kind]
        common: Tree = {"cell_type": "code", "execution_count": None, "outputs": []}
        return common | {"metadata": metadata, "source": kind}

    made = {"cells": list(map(cell, cells)), "metadata": {"kernelspec": SPEC}}
    return json.dumps(made | {"nbformat": 4, "nbformat_minor": 4}, **how).encode()


def order(tree: Any) -> str:
    sources = ("".join(cell["source"]) for cell in tree["cells"])
    return "".join("N" if source[:1] == "#" else source for source in sources)


@pytest.mark.parametrize(("cells", "expected"), POSITIONS)
@pytest.mark.parametrize("how", [{}, {"indent": 1}, {"indent": 4}, {"separators": (",", ":")}])
def test_the_cell_goes_where_people_expect_it(cells: str, expected: str, how: Any) -> None:
    made = json.loads(bytes(stamped(notebook(cells, **how))))
    assert order(made) == expected
    unstamped = json.loads(bytes(stamped(notebook(cells, **how), Parameters())))
    assert order(unstamped) == expected.replace("N", "")


def papermilled(data: bytes) -> Any:
    template = nbformat.reads(data.decode(), as_version=4)
    template.metadata.papermill = {}  # as its loader of files does
    for cell in template.cells:
        cell.metadata.setdefault("tags", [])
    return papermill.parameterize.parameterize_notebook(template, dict(VALUES))


@pytest.mark.parametrize(
    "cells", [cells for cells, _ in POSITIONS if cells not in PAPERMILL_DIFFERS]
)
def test_papermill_puts_it_there_too(cells: str) -> None:
    made = papermilled(notebook(cells))
    theirs = ["N" if INJECTED in tags(cell) else cell.source for cell in made.cells]
    assert "".join(theirs) == order(json.loads(bytes(stamped(notebook(cells)))))


def test_papermill_replaces_the_cell_that_we_wrote() -> None:
    theirs = papermilled(bytes(stamped(notebook(".p."))))
    assert [INJECTED in tags(cell) for cell in theirs.cells] == [False, False, True, False]


# --- How it is laid out -------------------------------------------------------------------------

LAID_OUT = [
    (
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
        '{"cells": [CELL], "metadata": {ORIGIN}, "nbformat": 4, "nbformat_minor": 4}',
    ),
    (
        '{"metadata":{"a":1},"nbformat":4,"nbformat_minor":4,"cells":[{"cell_type":"raw"}]}',
        '{"metadata":{ORIGIN,"a":1},"nbformat":4,"nbformat_minor":4,'
        '"cells":[{"cell_type":"raw"},CELL]}',
    ),
    (
        '{"cells": [{"cell_type": "raw"}, {"cell_type": "raw"}],\n'
        '"nbformat_minor": 4, "nbformat": 4, "metadata": {\n}}\n',
        '{"cells": [{"cell_type": "raw"}, CELL, {"cell_type": "raw"}],\n'
        '"nbformat_minor": 4, "nbformat": 4, "metadata": {ORIGIN\n}}\n',
    ),
]


@pytest.mark.parametrize(("data", "expected"), LAID_OUT)
def test_a_file_on_one_line_stays_on_it(data: str, expected: str) -> None:
    made = bytes(stamped(data.encode(), Parameters({"a": 1}))).decode()
    cell = (
        '{"cell_type": "code", "execution_count": null, "metadata": {"tags": '
        '["injected-parameters"]}, "outputs": [], "source": ["# Parameters\\n", "a = 1"]}'
    )
    origin = re.search(r'"nbstamp": \{.*?\}', made)
    assert origin
    assert made == expected.replace("CELL", cell).replace("ORIGIN", origin[0])


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", [1, 2, 4, "\t"])
@pytest.mark.parametrize("cells", ["", ".", "...", ".i", "i"])
def test_a_cell_is_laid_out_as_the_others(cells: str, indent: int | str, line_break: str) -> None:
    """Written by ``json.dumps`` with the same indentation, it would be the same file."""
    data = notebook(cells, indent=indent).replace(b"\n", line_break.encode())
    made = bytes(stamped(data)).decode()
    parsed = json.loads(made)
    origin = json.dumps(parsed["metadata"]["nbstamp"], ensure_ascii=False)
    again = json.dumps(parsed | {"metadata": {"nbstamp": 0} | parsed["metadata"]})
    again = json.dumps(json.loads(again), indent=indent, ensure_ascii=False)
    again = re.sub(r'"nbstamp": \{[^{}]*\}', lambda _: f'"nbstamp": {origin}', again, count=1)
    assert made == again.replace("\n", line_break)


def test_the_bytes_of_the_template_are_not_copied() -> None:
    template = index(notebook("..", indent=1))
    views = stamp(template, VALUES, ORIGIN, PYTHON).segments[::2]
    assert all(isinstance(view, memoryview) and view.obj is template.body for view in views)


# --- Ids, provenance ----------------------------------------------------------------------------


def test_the_same_again_gives_the_same_bytes() -> None:
    data = notebook("..").replace(b'"nbformat_minor": 4', b'"nbformat_minor": 5')
    first, again = stamped(data), stamped(data)
    assert bytes(first) == bytes(again)
    assert len(first) == first.size == len(bytes(first))


@settings(max_examples=50, deadline=None)
@given(texts)
def test_the_id_of_the_cell_is_valid_and_unique(creation_id: str) -> None:
    tree = json.loads(notebook(".")) | {"nbformat_minor": 5}
    origin = Origin("t.ipynb", creation_id, "2026-11-01T10:00:00+00:00")
    taken: list[str] = []
    for _ in range(3):  # each time all earlier ones are taken
        tree["cells"] = [tree["cells"][0] | {"id": name} for name in ["first", *taken]]
        made = json.loads(bytes(stamped(json.dumps(tree).encode(), origin=origin)))
        nbformat.validate(made)
        taken.append(made["cells"][1]["id"])
    assert len(set(taken)) == 3


def test_the_provenance_says_where_the_notebook_comes_from() -> None:
    instance = stamped(notebook("."))
    assert read_provenance(bytes(instance)) == dict(instance.provenance)
    assert dict(instance.provenance) == {
        "template": "sem/fit.ipynb",
        "content_hash": index(notebook(".")).content_hash,
        "creation_id": "0123abcd",
        "time": "2026-11-01T10:00:00+00:00",
        "parameters_hash": VALUES.hash,
        "nbstamp": instance.provenance["nbstamp"],
        "cell_hash": instance.provenance["cell_hash"],
        "portal": "https://portal.example",
    }


@pytest.mark.parametrize(
    ("object_id", "known"),
    [(42, True), ("42", True), (0, True), (None, False), (True, False), (1.5, False), ([1], False)],
)
def test_an_object_is_named_by_a_number_or_a_text(object_id: Any, known: bool) -> None:
    origin = Origin("t.ipynb", "one", "2026-11-01T10:00:00+00:00", object_id=object_id)
    provenance = stamped(notebook("."), origin=origin).provenance
    assert ("object_id" in provenance) == known
    assert provenance.get("object_id") == (object_id if known else None)


def test_who_and_which_portal_are_there_only_if_known() -> None:
    origin = Origin("t.ipynb", "one", "2026-11-01T10:00:00+00:00", user="anna")
    provenance = stamped(notebook("."), Parameters(), origin).provenance
    assert provenance["user"] == "anna"
    assert not {"portal", "object_id", "cell_hash"} & set(provenance)


def test_a_file_name_that_is_not_unicode_gives_a_valid_notebook() -> None:
    origin = Origin("sem/\udcff.ipynb", "one", "2026-11-01T10:00:00+00:00")
    assert b'"sem/\\udcff.ipynb"' in bytes(stamped(notebook("."), origin=origin))


def test_parameters_need_a_language_and_none_need_none() -> None:
    template = index(notebook("."))
    with pytest.raises(ValueError, match="language"):
        stamp(template, VALUES, ORIGIN, None)
    assert order(json.loads(bytes(stamp(template, Parameters(), ORIGIN, None)))) == "."
