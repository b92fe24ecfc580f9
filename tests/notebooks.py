"""Notebooks of every shape for the tests of the core, and what stamping one has to come to.

The oracle here works on the parsed tree, as papermill does: it is short, and knows no bytes.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from hypothesis import strategies as st

from nbstamp.core.template import INJECTED, PARAMETERS, PROVENANCE

Tree = dict[str, Any]
Layout = Callable[[Tree], bytes]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
documents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
"""Any JSON."""


# --- Trees --------------------------------------------------------------------------------------


@st.composite
def _objects(draw: st.DrawFn, /, **members: st.SearchStrategy[Any]) -> Tree:
    """An object with some of ``members`` and others, in any order."""
    known = {key: draw(value) for key, value in members.items() if draw(st.booleans())}
    others = draw(st.dictionaries(texts, documents, max_size=2))
    return _shuffled(draw, others | known)


def _shuffled(draw: st.DrawFn, tree: Tree) -> Tree:
    return dict(draw(st.permutations(list(tree.items()))))


_tags = st.lists(st.sampled_from([INJECTED, PARAMETERS, "slide", 5]), max_size=2)
_timing = st.just({"iopub.status.busy": "2026-11-01T10:00:00Z"})
_sources = texts | st.lists(texts, max_size=3)


@st.composite
def _cells(draw: st.DrawFn) -> Tree:
    kind = draw(st.sampled_from(["code", "code", "markdown", "raw"]))
    metadata = _objects(tags=_tags, execution=_timing, ExecuteTime=_timing, collapsed=st.booleans())
    cell: Tree = {"cell_type": kind, "metadata": draw(metadata), "source": draw(_sources)}
    if kind == "code":
        outputs = st.lists(st.fixed_dictionaries({"text": texts, "data": documents}), max_size=2)
        cell |= {"outputs": draw(outputs), "execution_count": draw(st.none() | st.integers(0, 99))}
    elif draw(st.booleans()):
        cell["attachments"] = {"a.png": {"image/png": draw(texts)}}
    return _shuffled(draw, draw(st.dictionaries(texts, documents, max_size=1)) | cell)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Notebooks of format 4, parsed."""
    metadata = _objects(
        kernelspec=st.just({"name": "python3", "language": "python", "display_name": "Python 3"}),
        language_info=st.just({"name": "python", "version": "3.11.2"}),
        widgets=documents,
        papermill=documents,
        **{PROVENANCE: documents},
    )
    cells = draw(st.lists(_cells(), max_size=5))
    minor = draw(st.integers(0, 5))
    if minor == 5:
        for number, cell in enumerate(cells):
            cell["id"] = f"cell-{number}"
    others = draw(st.dictionaries(texts, documents, max_size=1))
    known = {"cells": cells, "metadata": draw(metadata), "nbformat": 4, "nbformat_minor": minor}
    return _shuffled(draw, others | known)


# --- Layouts ------------------------------------------------------------------------------------


def _dumped(tree: Tree, *, line_break: str = "\n", bom: str = "", **how: Any) -> bytes:
    return (bom + json.dumps(tree, **how).replace("\n", line_break)).encode()


def _scrawled(tree: Tree, *, blanks: list[str]) -> bytes:
    """With white space of every kind wherever JSON allows it."""
    endless = itertools.cycle(blanks)

    def write(value: Any) -> str:
        def between(parts: Iterator[str], opening: str, closing: str) -> str:
            inside = ",".join(f"{next(endless)}{part}{next(endless)}" for part in parts)
            return f"{opening}{inside or next(endless)}{closing}"

        if isinstance(value, dict):
            members = (
                f"{json.dumps(key)}{next(endless)}:{next(endless)}{write(item)}"
                for key, item in value.items()
            )
            return between(members, "{", "}")
        if isinstance(value, list):
            return between(map(write, value), "[", "]")
        return json.dumps(value)

    return (next(endless) + write(tree) + next(endless)).encode()


_BLANKS = ["", " ", "\n", "\r\n", "\t", "\n \t", " " * 40, "\n" + " " * 40]
layouts: st.SearchStrategy[Layout] = st.one_of(
    st.builds(
        lambda **how: partial(_dumped, **how),
        indent=st.sampled_from([None, 0, 1, 2, 4, "\t"]),
        ensure_ascii=st.booleans(),
        line_break=st.sampled_from(["\n", "\r\n"]),
        bom=st.sampled_from(["", "\ufeff"]),
    ),
    st.just(partial(_dumped, separators=(",", ":"))),
    st.builds(
        lambda blanks: partial(_scrawled, blanks=blanks),
        st.lists(st.sampled_from(_BLANKS), min_size=1, max_size=7),
    ),
)
"""How a tree becomes a file."""


def tokens(data: bytes) -> list[str]:
    """The JSON text without the white space between its parts, every part as it is spelled."""
    return re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', data.decode("utf-8-sig"))


# --- What it has to come to ---------------------------------------------------------------------


def tags(cell: Tree) -> list[Any]:
    """The tags of a cell."""
    found: list[Any] = cell.get("metadata", {}).get("tags", [])
    return found


def place(cells: list[Tree]) -> int:
    """Where the new cell goes among those that stay."""
    stay = [cell for cell in cells if INJECTED not in tags(cell)]
    stale = next((n for n, cell in enumerate(cells) if INJECTED in tags(cell)), None)
    defaults = next((n for n, cell in enumerate(stay) if PARAMETERS in tags(cell)), None)
    if stale is not None:
        return stale if defaults is None else max(stale, defaults + 1)
    return min(1, len(stay)) if defaults is None else defaults + 1


def cleared(tree: Tree) -> Tree:
    """``tree`` without results of other data, and without what an earlier stamping put in."""
    gone = {"execution", "executionInfo", "ExecuteTime", "papermill"}
    cells = []
    for cell in tree["cells"]:
        if INJECTED in tags(cell):
            continue
        metadata = {key: value for key, value in cell["metadata"].items() if key not in gone}
        empty: Tree = {"outputs": [], "execution_count": None}
        results = empty if cell["cell_type"] == "code" else {}
        cells.append(cell | {"metadata": metadata} | results)
    stale = {"widgets", "papermill", PROVENANCE}
    metadata = {key: value for key, value in tree["metadata"].items() if key not in stale}
    return tree | {"cells": cells, "metadata": metadata}
