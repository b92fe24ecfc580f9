"""Templates, indexed straight from their bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbstamp.core.template import Kernel, NotANotebook, index, read_provenance
from notebooks import Layout, Tree, cleared, documents, layouts, tokens, trees

SPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}


def code(source: str = "1", **more: Any) -> Tree:
    cell: Tree = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return cell | {"source": source} | more


def markdown(source: Any) -> Tree:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def tree(*cells: Tree, minor: int = 4, **metadata: Any) -> Tree:
    return {
        "cells": list(cells),
        "metadata": {"kernelspec": SPEC} | metadata,
        "nbformat": 4,
        "nbformat_minor": minor,
    }


def data(*cells: Tree, indent: int | None = 1, **more: Any) -> bytes:
    return json.dumps(tree(*cells, **more), indent=indent).encode()


# --- What stays, what goes ----------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(trees(), layouts)
def test_the_body_is_the_file_without_what_is_cleared(tree: Tree, layout: Layout) -> None:
    template = index(layout(tree))
    wanted = cleared(tree)
    assert tokens(template.body) == tokens(layout(wanted))
    assert template.minor == tree["nbformat_minor"]
    # a second time there is nothing left to clear, so not a byte changes
    assert index(template.body).body == template.body
    assert index(layout(wanted)).body == layout(wanted)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('"outputs": [ ],', '"outputs": [ ],'),
        ('"outputs": [{"output_type": "stream", "text": "secret"}],', '"outputs": [],'),
        ('"outputs": [{"a": NaN, "b": [-Infinity, 1e999, 1E-5, -0]}],', '"outputs": [],'),
        ('"execution_count": 7,', '"execution_count": null,'),
        ('"metadata": {"execution": {"a": 1}},', '"metadata": {},'),
        ('"metadata": { "ExecuteTime": 1 , "x": 1 },', '"metadata": { "x": 1 },'),
        ('"metadata": {"x": 1, "papermill": {}},', '"metadata": {"x": 1},'),
        (
            '"metadata": {"papermill": {}, "x": 1, "execution": {}, "executionInfo": {}},',
            '"metadata": {"x": 1},',
        ),
        ('"metadata": {"\\u0065xecution": 1},', '"metadata": {},'),
        ("", ""),
    ],
)
def test_results_of_other_data_are_cleared(given: str, kept: str) -> None:
    def notebook(members: str) -> str:
        cell = f'{{"cell_type": "code", {members} "source": ["1"]}}'
        return f'{{"cells": [{cell}], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 4}}'

    assert index(notebook(given).encode()).body.decode() == notebook(kept)


def test_what_only_looks_like_a_result_stays() -> None:
    text = markdown("x") | {"outputs": [1], "execution_count": 5}
    nested = code(x={"outputs": [1], "metadata": {"execution": 1}})
    whole = data(text, nested, x={"widgets": 1, "nbstamp": 2})
    assert index(whole).body == whole


# --- The JSON ------------------------------------------------------------------------------------

_PIECES = [
    *("[", "]", "{", "}", ",", ":", " ", "\n", "\t", "\r", "\x0b", "\x00", "\x7f", "\u2028"),
    *('"', '""', '"a"', '"b":', '"c": 1', "\\", "\\n", "\\u12aF", "\\u12g", "'", "é", "\ufeff"),
    *("0", "1", "-", "01", ".5", "1.", "e3", "E+9", "1e", "--1", "+1", "0x1", "1_0", "٣"),
    *("true", "false", "null", "nul", "NaN", "Infinity", "-Infinity", "-NaN", "// x", "undefined"),
]


def around(value: str) -> str:
    return f'{{"cells": [], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 4, "x": {value}}}'


def is_json(text: str) -> bool:
    """As Python's json module has it, which also writes NaN and Infinity into outputs."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=9).map("".join))
def test_exactly_what_is_json_is_read(value: str) -> None:
    text = around(f"[{value}]")
    try:
        index(text.encode())
        read = True
    except NotANotebook as err:
        read = "stands twice" in str(err)
    assert read == is_json(text)


@settings(max_examples=100, deadline=None)
@given(documents, st.data())
def test_json_that_was_damaged_is_read_exactly_when_it_still_is_json(
    value: Any, chosen: st.DataObject
) -> None:
    text = json.dumps(value, indent=chosen.draw(st.sampled_from([None, 1])))
    at = chosen.draw(st.integers(0, len(text)))
    text = text[:at] + chosen.draw(st.sampled_from(_PIECES)) + text[at + 1 :]
    text = around(f"[{text}]")
    try:
        index(text.encode())
        read = True
    except NotANotebook as err:
        read = "stands twice" in str(err)
    assert read == is_json(text)


@pytest.mark.parametrize("value", ["[]", "[1]", '["a"]', '{"a": 1}', "[[1, 2], [3]]", '[{"a": 1}]'])
@pytest.mark.parametrize("count", [2, 999, 1000, 1001, 2001, 5000])
def test_runs_of_any_length_are_read(value: str, count: int) -> None:
    many = ", ".join([value] * count)
    index(around(f"[{many}]").encode())
    index(around("{" + ", ".join(f'"{n}": {value}' for n in range(count)) + "}").encode())
    for wrong in (f"[{many},]", f"[{many} {value}]", f"[{many},,{value}]", f"[{many}"):
        with pytest.raises(NotANotebook):
            index(around(wrong).encode())


def test_every_file_that_was_cut_off_is_called_incomplete() -> None:
    whole = data(markdown("# A title"), code("print('é')\n"), indent=1)
    for end in range(1, len(whole)):
        if whole[end] & 0xC0 == 0x80:
            continue  # in the middle of a character
        with pytest.raises(NotANotebook, match="incomplete, or still being saved"):
            index(whole[:end])


DEEP = 150


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("[" * DEEP + "]" * DEEP, None),
        ('{"a":' * DEEP + "1" + "}" * DEEP, None),
        ("[" * 100_000 + "]" * 100_000, "200 levels"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "200 levels"),
        ("9" * 100_000, None),
        ("1." + "9" * 100_000, None),
        ('"' + "\\\\" * 500_000 + '"', None),
        ('"' + "x" * 10_000_000 + '"', None),
        (" " * 1_000_000 + "1", None),
    ],
    ids=[
        "lists",
        "objects",
        "deep-lists",
        "deep-objects",
        "digits",
        "fraction",
        "escapes",
        "text",
        "blank",
    ],
)
def test_large_and_deep_values_are_read_or_refused_in_words(value: str, reason: str | None) -> None:
    if reason is None:
        index(around(value).encode())
        return
    with pytest.raises(NotANotebook, match=reason):
        index(around(value).encode())


# --- What is not a template ---------------------------------------------------------------------

CELL = '"cell_type": "code", "source": []'
REFUSED = [
    ("", "empty"),
    (" \n", "empty"),
    ("\ufeff", "empty"),
    ("[]", "line 1, column 1"),
    ("null", "line 1, column 1"),
    ("<html></html>", "not valid JSON"),
    ("{}", "no nbformat version"),
    ('{"a": 1}', "no nbformat version"),
    ('{"cells": [], "metadata": {}}', "no nbformat version"),
    ('{"cells": [], "metadata": {}, "nbformat": 4}', "no nbformat version"),
    ('{"metadata": {}, "nbformat": 4, "nbformat_minor": 4}', "has no “cells”"),
    ('{"cells": [], "nbformat": 4, "nbformat_minor": 4}', "has no “metadata”"),
    ('{"metadata": {}, "nbformat": 3, "nbformat_minor": 0, "worksheets": []}', "old .* format 3"),
    ('{"metadata": {}, "nbformat": 2, "nbformat_minor": 0, "worksheets": []}', "old .* format 2"),
    ('{"cells": [], "metadata": {}, "nbformat": 5, "nbformat_minor": 0}', "format 5.0"),
    ('{"cells": [], "metadata": {}, "nbformat": "4", "nbformat_minor": 0}', 'format "4".0'),
    ('{"cells": [], "metadata": {}, "nbformat": true, "nbformat_minor": 0}', "format true.0"),
    ('{"cells": [], "metadata": {}, "nbformat": 4.0, "nbformat_minor": 0}', "format 4.0.0"),
    ('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": -1}', "format 4.-1"),
    ('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": ' + "9" * 5000, "incomplete"),
    ('{"nbformat_minor": ' + "9" * 5000 + ', "nbformat": 4}', "“nbformat_minor” cannot be read"),
    ('{"cells": [], "cells": []', "“cells” stands twice"),
    ('{"metadata": {}, "metadata": {}', "“metadata” stands twice"),
    ('{"cells": [], "\\u0063ells": []', "“cells” stands twice"),
    ('{"metadata": {"a": 1, "a": 2}', "“a” stands twice"),
    ('{"cells": [{' + CELL + ', "source": []}]', "“source” stands twice"),
    ('{"cells": [{' + CELL + ', "metadata": {"tags": [], "tags": []}}]', "“tags” stands twice"),
    ('{"\\ud800": 1, "\\ud800": 2}', "ud800” stands twice"),
    ('{"cells": {}}', "“cells” are not a list"),
    ('{"cells": null}', "“cells” are not a list"),
    ('{"metadata": []}', "“metadata” is not an object"),
    ('{"cells": [1]}', "cell 1 is not an object"),
    ('{"cells": [{' + CELL + "}, []]}", "cell 2 is not an object"),
    ('{"cells": [{}]}', "cell 1 has no known “cell_type”"),
    ('{"cells": [{"cell_type": "heading"}]}', "cell 1 has no known “cell_type”"),
    ('{"cells": [{"cell_type": ["code"]}]}', "cell 1 has no known “cell_type”"),
    ('{"cells": [{' + CELL + ', "metadata": []}]}', "metadata of cell 1 are not an object"),
    ('{"cells": []}\n}', "the end of the file expected at line 2, column 1"),
    ('{"cells": []} {}', "the end of the file expected at line 1, column 15"),
    ('{"cells": [],}', "a key in double quotes and a colon expected at line 1, column 14"),
    ("{'cells': []}", "a key in double quotes and a colon expected at line 1, column 2"),
    ('{"a": 1\n "b": 2}', "“,” or “}” expected at line 1, column 8"),
    ('{"a": [1 2]}', "“,” or “]” expected at line 1, column 9"),
    ('{"a": tru}', "a value expected at line 1, column 7"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_is_not_a_notebook_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(NotANotebook, match=reason):
        index(text.encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe{\x00}\x00",
        b"\x89PNG\r\n\x1a\n",
        around('"\u00e9"').encode("latin-1"),
        around('"').encode() + b"\xed\xa0\x80" + b'"}',
        data(code())[:-10] + b"\xc3",
    ],
)
def test_what_is_not_utf_8_is_refused_with_the_reason(raw: bytes) -> None:
    with pytest.raises(NotANotebook, match="not a text in UTF-8"):
        index(raw)


def test_a_notebook_of_zero_bytes_that_was_preallocated_is_refused() -> None:
    with pytest.raises(NotANotebook):
        index(b"\0" * 4096)


# --- Title and kernel ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("# Particle sizes", "Particle sizes"),
        (["Text before.\n", "\n", "## Second level  \n", "more"], "Second level"),
        ("# Closed ##", "Closed"),
        ("# C#", "C#"),
        ("# **Bold** and `code` and __more__", "Bold and code and more"),
        ("# [A link](https://example.com) here", "A link here"),
        ("# [![badge](b.svg)](https://example.com) Title", "badge Title"),
        ('# <a id="top"></a> Anchored', "Anchored"),
        ("#hashtag\n#\n# \n# Real", "Real"),
        ("```\n# a comment\n```\n# Real", "Real"),
        ("~~~\n# a comment\n~~~", ""),
        ("    # code", ""),
        ("   # Indented", "Indented"),
        ("# a\tb \u00a0 c", "a b c"),
        ("# " + "x" * 500, "x" * 200),
        ("# " + "[" * 5000, "[" * 200),
        ("# half \ud800 a character", "half ? a character"),
        ("# Größe 試料 🔬", "Größe 試料 🔬"),
        ("Title\n=====", ""),
        ("", ""),
        ([], ""),
        ([1, None, "# Odd"], "Odd"),
        (5, ""),
        (None, ""),
    ],
)
def test_the_title_is_the_first_heading_as_people_read_it(source: Any, title: str) -> None:
    assert index(data(code("# not this"), markdown(source))).title == title
    assert index(data(markdown("no heading"), markdown(source), markdown("# later"))).title == (
        title or "later"
    )


def test_a_stale_cell_gives_no_title() -> None:
    stale = markdown("# Stale") | {"metadata": {"tags": ["injected-parameters"]}}
    assert index(data(stale, markdown("# Kept"))).title == "Kept"


@pytest.mark.parametrize(
    ("metadata", "kernel"),
    [
        ({}, Kernel("python3", "Python 3", "python", "")),
        ({"kernelspec": {}}, Kernel()),
        ({"kernelspec": None, "language_info": []}, Kernel()),
        ({"kernelspec": {"name": 5, "language": " R "}}, Kernel(language="r")),
        ({"kernelspec": {}, "language_info": {"name": "IPython"}}, Kernel(info="ipython")),
        ({"kernelspec": {"name": "x\ud800", "display_name": "\udc00"}}, Kernel("x?", "?")),
    ],
)
def test_the_kernel_is_what_the_notebook_says(metadata: Any, kernel: Kernel) -> None:
    assert index(data(**metadata)).kernel == kernel


def test_the_ids_of_cells_that_stay_are_known() -> None:
    stale = code(id="stale", metadata={"tags": ["injected-parameters"]})
    template = index(data(code(id="one"), stale, code(id="two"), code(), minor=5))
    assert template.cell_ids == {"one", "two"}


def test_a_template_knows_its_file() -> None:
    template = index(b" " + data(code(), minor=2))
    assert (template.size, template.minor) == (len(data(code(), minor=2)) + 1, 2)
    assert len(template.content_hash) == 64
    assert template.content_hash != index(data(code(), minor=2)).content_hash


# --- Provenance ---------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(trees(), layouts)
def test_provenance_is_read_from_any_notebook(tree: Tree, layout: Layout) -> None:
    there = tree["metadata"].get("nbstamp")
    assert read_provenance(layout(tree)) == (there if isinstance(there, dict) else None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'"nbstamp"',
        b'{"nbstamp": {}}',
        b'{"metadata": {"nbstamp": {"a": 1}}, "nbformat": 3, "nbformat_minor": 0}',
        b'{"metadata": {"nbstamp": {"a": 1}}',
        b'{"\xff": 1, "metadata": {"nbstamp": {}}, "nbformat": 4, "nbformat_minor": 4}',
        b'{"metadata": {"nbstamp": ' + b"9" * 5000 + b'}, "nbformat": 4, "nbformat_minor": 4}',
        b'{"metadata": {"nbstamp": ' + b"[" * 10_000 + b"}",
        b'\x00"nbstamp"\xff',
    ],
)
def test_a_stranger_has_no_provenance(raw: bytes) -> None:
    assert read_provenance(raw) is None
