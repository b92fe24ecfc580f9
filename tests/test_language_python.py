"""Python parameter cells, run in Python and in a real kernel."""

from __future__ import annotations

import ast
import json
import keyword
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_client.manager import start_new_kernel

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.languages.python import Python
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract, same

PYTHON = Python()
DUMP = "\nimport json as _j\nprint(_j.dumps([{names}]))"


class TestPython(LanguageContract):
    """In a process of its own, as a script."""

    language = PYTHON

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        script = f"{cell}\n" * times + DUMP.format(names=", ".join(names))
        (folder / "cell.py").write_text(script, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "cell.py"], cwd=folder, capture_output=True, check=True
        )
        return dict(zip(names, json.loads(done.stdout), strict=True))


class TestIPython(LanguageContract):
    """In a real kernel, whose shell looks for magics before Python sees the cell."""

    language = PYTHON

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            assert message["msg_type"] != "error", content
            said.append(content.get("text", ""))

        try:
            for source in [cell] * times + [DUMP.format(names=", ".join(names)).strip()]:
                client.execute_interactive(source, timeout=60, output_hook=hear)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()
        return dict(zip(names, json.loads("".join(said)), strict=True))


LAID_OUT: list[tuple[Json, str]] = [
    (None, "v = None"),
    (True, "v = True"),
    (21.5, "v = 21.5"),
    ("it's", 'v = "it\'s"'),
    ('a "b" \\', 'v = "a \\"b\\" \\\\"'),
    ("µ 日本 😀", 'v = "µ 日本 😀"'),
    ("\x00\x7f\xa0\u202e\u2028\ufeff\U000e0041", r'v = "\x00\x7f\xa0\u202e\u2028\ufeff\U000e0041"'),
    ([], "v = []"),
    ({}, "v = {}"),
    ({"a": [1, None], "b": {}}, 'v = {"a": [1, None], "b": {}}'),
    (
        [["2026-11-01 00:00:00.000000", 293.15, 293.15]] * 2,
        """\
v = [
    ["2026-11-01 00:00:00.000000", 293.15, 293.15],
    ["2026-11-01 00:00:00.000000", 293.15, 293.15],
]""",
    ),
    (
        {"_type": "quantity", "units": "degC", "magnitude": 21.5, "dimension": "[temperature] "},
        """\
v = {
    "_type": "quantity",
    "units": "degC",
    "magnitude": 21.5,
    "dimension": "[temperature] ",
}""",
    ),
    (
        [round(i * 1.1, 1) for i in range(30)],
        """\
v = [
    0.0, 1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7, 8.8, 9.9, 11.0, 12.1, 13.2, 14.3, 15.4,
    16.5, 17.6, 18.7, 19.8, 20.9, 22.0, 23.1, 24.2, 25.3, 26.4, 27.5, 28.6, 29.7, 30.8,
    31.9,
]""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
v = (
    "A remark of several lines is put into the notebook as people write them:\\n"
    "like this.\\n"
)""",
    ),
    (
        {"outer": {"inner": ["a long text in a list " * 2, "and another one, nearly as long"]}},
        """\
v = {
    "outer": {
        "inner": [
            "a long text in a list a long text in a list ",
            "and another one, nearly as long",
        ],
    },
}""",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert PYTHON.assignment("v", value) == expected


def test_parameters_stand_one_per_line_in_their_order() -> None:
    assert PYTHON.cell({"b": 1, "a": "x"}) == '# Parameters\nb = 1\na = "x"'


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [{"t": f"2026-11-01 00:00:{i:02}", "values": [i / 7] * 3} for i in range(50)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in PYTHON.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
numbers = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
documents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(texts, inner, max_size=8),
    max_leaves=40,
)


@settings(max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "500")), deadline=None)
@given(documents)
def test_any_json_comes_back_equal_in_value_and_type(value: Json) -> None:
    source = PYTHON.cell({"v": value})
    names: dict[str, Any] = {}
    exec(source, names)
    assert same(names["v"], value)
    (assignment,) = ast.parse(source).body
    assert isinstance(assignment, ast.Assign)
    assert same(ast.literal_eval(assignment.value), value)
    assert all(c == "\n" or c.isprintable() for c in source)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=12) | st.from_regex(r"[\w ]{0,8}", fullmatch=True))
def test_any_name_is_refused_or_is_exactly_that_variable(name: str) -> None:
    if problem := PYTHON.name_problem(name):
        with pytest.raises(UnacceptableParameter):
            PYTHON.cell({name: 1})
        assert problem.suggestion is None or PYTHON.name_problem(problem.suggestion) is None
        return
    source = PYTHON.cell({name: 1})
    names: dict[str, Any] = {}
    exec(source, names)
    del names["__builtins__"]
    assert names == {name: 1}


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("class", "class_"),
        ("None", "None_"),
        ("a-b", "a_b"),
        ("__name__", "name"),
        ("ﬁt", "fit"),
        ("In", "In_"),
        ("_", None),
        ("", None),
        ("!!!", None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = PYTHON.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


@pytest.mark.parametrize(
    "name", [*keyword.kwlist, "__debug__", "get_ipython", "In", "Out", "exit", "_i1", "_12", "_ih"]
)
def test_words_of_the_language_and_of_the_session_are_refused(name: str) -> None:
    assert PYTHON.name_problem(name)


@pytest.mark.parametrize("name", ["id", "type", "input", "open", "print"])
def test_names_that_hide_a_builtin_are_stamped_with_a_warning(name: str) -> None:
    assert PYTHON.name_problem(name) is None
    assert f"{name}_" in (PYTHON.name_warning(name) or "")
    assert PYTHON.name_warning(f"{name}_") is None


@pytest.mark.parametrize(
    "value",
    [
        [[f"2026-11-01 00:00:{i % 60:02}.000000", 293.15 + i / 1000, 293.15] for i in range(5000)],
        [i / 7 for i in range(200_000)],
        "a line\n" * 100_000,
        "x" * 4_000_000,
    ],
    ids=["time series", "numbers", "lines", "one line"],
)
def test_large_values_arrive_whole(value: Json) -> None:
    names: dict[str, Any] = {}
    exec(PYTHON.assignment("v", value), names)
    assert names["v"] == value


def test_papermill_gives_equal_values_where_it_can() -> None:
    from papermill.translators import PythonTranslator

    values: dict[str, Json] = {"a": 1, "b": [1.5, None, True], "c": {"k": "é\n"}, "d": "it's"}
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    exec(PYTHON.cell(values), ours)
    exec(PythonTranslator.codify(values), theirs)
    assert all(same(ours[name], theirs[name]) for name in values)
