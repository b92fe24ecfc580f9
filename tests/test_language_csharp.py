"""C# parameter cells, run by Mono's C# shell."""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from nbstamp.core.languages.csharp import CSharp
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract, same
from support import missing_tool

CSHARP = CSharp()
DUMP = (Path(__file__).parent / "Dump.cs").read_text(encoding="utf-8")


class TestCSharpShell(LanguageContract):
    """In the shell of Mono, statement by statement; a variable can be declared again, as in .NET
    Interactive."""

    language = CSHARP
    rows = 400  # the shell reads a statement again with each of its lines

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        if not shutil.which("csharp"):
            missing_tool("csharp (mono-csharp-shell)")
        dumps = [f"dump.WriteLine(Dump.Json({name}));" for name in names]
        last = [DUMP, 'var dump = new StreamWriter("dump");', *dumps, "dump.Close();", ""]
        (folder / "cells.csx").write_text("\n".join([*[cell] * times, *last]), encoding="utf-8")
        done = subprocess.run(
            ["csharp", "-r:System.Numerics.dll", "cells.csx"],
            cwd=folder,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert b"error" not in done.stderr, done.stderr[-2000:]
        lines = (folder / "dump").read_bytes().splitlines()
        return {
            name: json.loads(line, parse_float=_double)
            for name, line in zip(names, lines, strict=True)
        }

    def arrived(self, found: Json, sent: Json) -> bool:
        # Mono's compiler misses the last bit of about 3 in 1,000 numbers, which is not ours to test
        wanted = self.language.equivalent(sent)
        return same(_rounded(self.language.equivalent(found), wanted), wanted)


def _rounded(found: Json, wanted: Json) -> Json:
    """``found`` with each number that is next to the one of ``wanted`` replaced by that."""
    if isinstance(found, float) and isinstance(wanted, float):
        near = wanted in (math.nextafter(found, math.inf), math.nextafter(found, -math.inf))
        return wanted if near else found
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [_rounded(*pair) for pair in zip(found, wanted, strict=True)]
    if isinstance(found, dict) and isinstance(wanted, dict) and found.keys() == wanted.keys():
        return {key: _rounded(item, wanted[key]) for key, item in found.items()}
    return found


def _double(bits: str) -> float:
    """The number whose bits are written as an integer with the exponent 0."""
    (number,) = struct.unpack("<d", struct.pack("<q", int(bits.removesuffix("e0"))))
    return float(number)


LAID_OUT: list[tuple[Json, str]] = [
    (None, "object v = null;"),
    (True, "bool v = true;"),
    (5, "int v = 5;"),
    (2**40, "long v = 1099511627776L;"),
    (2**63, 'BigInteger v = BigInteger.Parse("9223372036854775808");'),
    (21.5, "double v = 21.5;"),
    ('a "b" \\ µ {x}', 'string v = "a \\"b\\" \\\\ µ {x}";'),
    ("\x00\u202e\U000e0041", 'string v = "\\u0000\\u202e\\udb40\\udc41";'),
    ([], "var v = new List<object>();"),
    ({}, "var v = new Dictionary<string, object>();"),
    ([1, 2.5], "var v = new List<double> { 1.0, 2.5 };"),
    ([1, 2**40], "var v = new List<long> { 1L, 1099511627776L };"),
    ([1, None], "var v = new List<int?> { 1, null };"),
    (["a", None], 'var v = new List<string> { "a", null };'),
    (["a", 1], 'var v = new List<object> { "a", 1 };'),
    ({"a": None, "b": 1}, 'var v = new Dictionary<string, int?> { ["a"] = null, ["b"] = 1 };'),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
        """\
var v = new List<List<object>> {
    new List<object> { "2026-11-01 00:00:00.000000", 293.15 },
    new List<object> { "2026-11-01 00:00:01.000000", null },
};""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
string v = string.Concat(
    "A remark of several lines is put into the notebook as people write them:\\n",
    "like this.\\n"
);""",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert CSHARP.assignment("v", value) == expected


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [[f"2026-11-01 00:00:{i:02}", i / 7, i] for i in range(150)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in CSHARP.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH
        assert line == line.rstrip()


def test_a_cell_says_what_it_uses() -> None:
    cell = CSHARP.cell({"a": [1], "b": {"k": 1}, "c": 2**70})
    assert cell.splitlines()[:3] == [
        "// Parameters",
        "using System.Numerics;",
        "using System.Collections.Generic;",
    ]
    assert CSHARP.cell({"a": 1}) == "// Parameters\nint a = 1;"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("class", "class_"),
        ("params", "params_"),
        ("List", "List_"),
        ("display", "display_"),
        ("_", None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = CSHARP.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


def test_other_words_are_variables(tmp_path: Path) -> None:
    names = ["T", "value", "file", "field", "from", "group", "set", "on", "select", "id_"]
    cell = CSHARP.cell(dict.fromkeys(names, 1.5))
    assert TestCSharpShell().run(cell, names, tmp_path) == dict.fromkeys(names, 1.5)


@pytest.mark.parametrize("name", ["Math", "Console", "File"])
def test_names_that_hide_a_class_are_stamped_with_a_warning(name: str) -> None:
    assert CSHARP.name_problem(name) is None
    assert f"{name}_" in (CSHARP.name_warning(name) or "")
