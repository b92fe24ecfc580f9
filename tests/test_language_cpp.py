"""C++ parameter cells, run by cling, the interpreter of xeus-cling."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.cpp import Cpp
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract
from shapes import Shapes
from support import missing_tool

CPP = Cpp()
DUMP = Path(__file__).parent / "dump.hpp"
SESSION = """\
import sys
import cppyy
for source in open(sys.argv[1], encoding="utf-8").read().split("\\f"):
    if not cppyy.cppexec(source):
        sys.exit("cling does not take this: " + source)
"""
"""A session of cling, which is given one cell after another."""


class TestCling(LanguageContract):
    """In cling, as PyPI has it in cppyy."""

    language = CPP
    documents = 60
    batch = 60

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        if not importlib.util.find_spec("cppyy"):
            missing_tool("cppyy")
        held = sorted(set(_named(cell)))
        asked = " ".join(f"DUMP_AS({name})" for name in held)
        dump = f'#define DUMP_ANY {asked}\n#include "{DUMP}"'
        last = "\n".join(f"std::puts(dump::json({name}).c_str());" for name in names)
        (folder / "session.py").write_text(SESSION, encoding="utf-8")
        cells = "\f".join([*[cell] * times, dump, last])
        (folder / "cells").write_text(cells, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "session.py", "cells"],
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return dict(zip(names, map(_bytes, done.stdout.splitlines()), strict=True))

    def refuses(self, value: Json) -> bool:
        return _has_large_integer(value)


def _named(cell: str) -> list[str]:
    """The types that a ``std::any`` of the cell may hold."""
    return re.findall(
        r"(?:std::any\(|^ *)(std::(?:vector|map|tuple)<[\w:<>, ]+>)(?:\{| all;)", cell, re.M
    )


def _bytes(line: bytes) -> Json:
    """A line of JSON whose texts are bytes of UTF-8."""

    def decoded(value: Json) -> Json:
        if isinstance(value, str):
            return value.encode("latin-1").decode("utf-8")
        if isinstance(value, list):
            return [decoded(item) for item in value]
        if isinstance(value, dict):
            return {str(decoded(key)): decoded(item) for key, item in value.items()}
        return value

    return decoded(json.loads(line))


def _has_large_integer(value: Json) -> bool:
    if isinstance(value, list):
        return any(map(_has_large_integer, value))
    if isinstance(value, dict):
        return any(map(_has_large_integer, value.values()))
    return isinstance(value, int) and not Shapes(bits=64, longest_row=8).holds_integer(value)


LAID_OUT: list[tuple[Json, str]] = [
    (None, "std::nullptr_t v = nullptr;"),
    (True, "bool v = true;"),
    (5, "long long v = 5;"),
    (2**40, "long long v = 1099511627776LL;"),
    (-(2**63), "long long v = (-9223372036854775807LL - 1);"),
    (10**20, "double v = 1e+20;"),
    (21.5, "double v = 21.5;"),
    ('a "b" \\ µ', 'std::string v = "a \\"b\\" \\\\ µ";'),
    ("??/", 'std::string v = "\\?\\?/";'),
    ("why?", 'std::string v = "why?";'),
    ("\x00\u202e", 'std::string v = std::string("\\000\\342\\200\\256", 4);'),
    ([], "std::vector<std::any> v = {};"),
    ({}, "std::map<std::string, std::any> v = {};"),
    ([1, 2.5], "std::vector<double> v = {1.0, 2.5};"),
    ([1, None], "std::vector<std::optional<long long>> v = {1, std::nullopt};"),
    (["a", 1], 'std::tuple<std::string, long long> v = {"a", 1};'),
    (
        [["a"], None],
        """\
std::vector<std::optional<std::vector<std::string>>> v = {
    std::vector<std::string>{"a"},
    std::nullopt,
};""",
    ),
    (
        {"units": "degC", "magnitude": 21.5, "n": 1},
        """\
std::map<std::string, std::any> v = {
    {"units", std::string("degC")},
    {"magnitude", 21.5},
    {"n", 1LL},
};""",
    ),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
        """\
std::vector<std::tuple<std::string, std::optional<double>>> v = {
    {"2026-11-01 00:00:00.000000", 293.15},
    {"2026-11-01 00:00:01.000000", std::nullopt},
};""",
    ),
    (
        [["a", 1.5]] * 100,
        """\
std::vector<std::tuple<std::string, double>> v = [] {
    static const struct { const char *a; double b; } rows[] = {
"""
        + '        {"a", 1.5},\n' * 100
        + """\
    };
    std::vector<std::tuple<std::string, double>> all;
    for (const auto &row : rows) all.emplace_back(row.a, row.b);
    return all;
}();""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
std::string v = std::string(
    "A remark of several lines is put into the notebook as people write them:\\n"
    "like this.\\n"
);""",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert CPP.assignment("v", value) == expected


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [[f"2026-11-01 00:00:{i:02}", i / 7, i] for i in range(150)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in CPP.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH
        assert line == line.rstrip()


def test_long_lists_are_made_from_constants_and_arrive(tmp_path: Path) -> None:
    lists: list[Json] = [
        [f"text {n}" for n in range(150)],
        ["two lines, of which the first one is a long one,\nand the other one not"] * 150,
        ["NUL \x00"] * 150,
        [[n / 7, n] for n in range(150)],
        [[None if n % 3 else f"t{n}", n / 7, None if n % 5 else n, n] for n in range(150)],
        [["a", "b"]] * 150,
        [None if n % 3 else [n] for n in range(150)],
    ]
    TestCling().assert_arrive([*lists, {"data": lists[4], "unit": "K"}], tmp_path)


def test_a_cell_says_what_it_uses() -> None:
    cell = CPP.cell({"a": {"k": "text"}, "b": "x"})
    assert cell.splitlines()[:3] == ["// Parameters", "#include <map>", "#include <string>"]
    assert CPP.cell({"a": 1}) == "// Parameters\nlong long a = 1;"


@pytest.mark.parametrize("value", [2**63 + 1, [-(2**64) - 1], {"k": 10**399}])
def test_an_integer_that_would_change_is_refused_in_words(value: Json) -> None:
    with pytest.raises(UnacceptableParameter, match="would change it"):
        CPP.cell({"value": value})


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("class", "class_"),
        ("and", "and_"),
        ("time", "time_"),
        ("log", "log_"),
        ("gamma", "gamma_"),
        ("NULL", "NULL_"),
        ("M_PI", "m_pi"),
        ("std", "std_"),
        ("a__b", "a_b"),
        ("_", None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = CPP.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


def test_names_of_variables_are_free_in_cling(tmp_path: Path) -> None:
    names = ["T", "temperature", "delta_t", "heat", "SEM", "format", "sample_2", "time_", "id"]
    cell = CPP.cell(dict.fromkeys(names, 1.5))
    assert TestCling().run(cell, names, tmp_path, times=2) == dict.fromkeys(names, 1.5)


@pytest.mark.parametrize(
    "value",
    [
        [{"n": n, "text": "x"} for n in range(300)],
        {f"k{n}": n for n in range(700)},
        [f"NUL \x00 {n}" for n in range(700)],
    ],
    ids=["objects", "object", "texts"],
)
def test_what_takes_a_compiler_minutes_is_refused_in_words(value: Json) -> None:
    with pytest.raises(UnacceptableParameter, match="one by one"):
        CPP.cell({"value": value})
