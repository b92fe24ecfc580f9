"""Lua parameter cells, run in Lua and in a real kernel."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from integers import rounded
from kernels import run_cells
from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.languages.lua import Lua
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract, same
from support import missing_tool

LUA = Lua()
WRITE = r"""
local function text(value)
    local function escaped(c) return string.format("\\u%04x", c:byte()) end
    return '"' .. value:gsub('[%c"\\]', escaped) .. '"'
end
local function written(value)
    if value == nil then return "null" end
    if type(value) == "boolean" then return tostring(value) end
    if type(value) == "string" then return text(value) end
    if math.type(value) == "integer" then return string.format("%d", value) end
    if math.type(value) == "float" then
        local number = string.format("%.17g", value)
        return number:find("[.e]") and number or number .. ".0"
    end
    local count, pieces = 0, {}
    for _ in pairs(value) do count = count + 1 end
    if count == #value then
        for n = 1, count do pieces[n] = written(value[n]) end
        return "[" .. table.concat(pieces, ",\n") .. "]"
    end
    for key, item in pairs(value) do
        assert(type(key) == "string")
        pieces[#pieces + 1] = text(key) .. ":" .. written(item)
    end
    return "{" .. table.concat(pieces, ",\n") .. "}"
end
local file = io.open("found.json", "w")
for n, name in ipairs({{names}}) do
    file:write(n == 1 and "[" or ",\n", written(_ENV[name]))
end
file:write("]")
file:close()
"""
RUN = """
for _, name in ipairs(arg) do assert(loadfile(name, "t"))() end
"""


def lua() -> str:
    return shutil.which("lua5.4") or missing_tool("lua5.4")


class TestLua(LanguageContract):
    """In Lua, each cell a chunk of its own."""

    language = LUA

    def refuses(self, value: Json) -> bool:
        if isinstance(value, list):
            return None in value or any(map(self.refuses, value))
        if isinstance(value, dict):
            return any(map(self.refuses, value.values()))
        return rounded(value, -(2**63), 2**63)

    def execute(self, cells: Sequence[str], folder: Path) -> None:
        for n, cell in enumerate(cells):
            (folder / f"{n}.lua").write_text(cell, encoding="utf-8")
        (folder / "run.lua").write_text(RUN)
        names = [f"{n}.lua" for n in range(len(cells))]
        subprocess.run([lua(), "run.lua", *names], cwd=folder, check=True, timeout=60)

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        write = WRITE.replace("{names}", ", ".join(f'"{name}"' for name in names))
        self.execute([cell] * times + [write], folder)
        found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
        return dict(zip(names, found, strict=True))


# ILua's messages bear its local time without a zone
without_a_zone = pytest.mark.filterwarnings("ignore:Interpreting naive datetime")


@without_a_zone
class TestILua(TestLua):
    """In a real kernel, which first tries each cell as an expression."""

    def execute(self, cells: Sequence[str], folder: Path) -> None:
        if not importlib.util.find_spec("ilua"):
            missing_tool("ilua")
        runtime = {"JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
        (folder / "runtime").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "ilua.app", "-i", lua(), "-c"]
        run_cells(command, cells, folder, environment=runtime)


LAID_OUT: list[tuple[Json, str]] = [
    (None, "v = nil"),
    (False, "v = false"),
    (3.0, "v = 3.0"),
    (-(2**63), "v = -9223372036854775807 - 1"),
    (10**20, "v = 100000000000000000000"),
    ("it's 50 % #1", 'v = "it\'s 50 % #1"'),
    ('a "b" \\', 'v = "a \\"b\\" \\\\"'),
    ("C:\\data \\u0022 \\\\u", r'v = "C:\\data \092u0022 \\\092u"'),
    ("µ 日本 😀 ]]", 'v = "µ 日本 😀 ]]"'),
    ("\x00\x7f\u202e1\U000e0041", r'v = "\000\127\226\128\1741\243\160\129\129"'),
    ([], "v = {}"),
    ({}, "v = {}"),
    (
        {"a b": [1], "end": None, "units": {}, "": True},
        'v = {["a b"] = {1}, ["end"] = nil, units = {}, [""] = true}',
    ),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", 293.25]],
        """\
v = {
    {"2026-11-01 00:00:00.000000", 293.15},
    {"2026-11-01 00:00:01.000000", 293.25},
}""",
    ),
    (
        {"_type": "quantity", "units": "degC", "magnitude": 21.5, "dimension": "[temperature]  "},
        """\
v = {
    _type = "quantity",
    units = "degC",
    magnitude = 21.5,
    dimension = "[temperature]  ",
}""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\n  like this.\n",
        """\
v = "\\z
    A remark of several lines is put into the notebook as people write them:\\n\\z
    \\032 like this.\\n\\z
\"""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert LUA.assignment("v", value) == expected


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [{"t": f"2026-11-01 00:00:{i:02}", "values": [i / 7] * 3} for i in range(50)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in LUA.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH


def test_any_double_arrives_to_the_last_bit(tmp_path: Path) -> None:
    chance = Random("doubles")
    numbers: list[Json] = [
        chance.uniform(-1, 1) * 10.0 ** chance.randint(-300, 300) for _ in range(5000)
    ]
    found = TestLua().run(LUA.cell({"v": numbers}), ["v"], tmp_path)
    assert found["v"] == numbers


@pytest.mark.parametrize(
    "value",
    ["a line\n" * 100_000, "  two blanks\n" * 10, "x" * 4_000_000],
    ids=["lines", "blanks", "one"],
)
def test_large_texts_arrive_whole(value: str, tmp_path: Path) -> None:
    assert TestLua().run(LUA.cell({"v": value}), ["v"], tmp_path) == {"v": value}


@pytest.mark.parametrize("width", [5, 9, 50, 60])
def test_long_lists_in_long_lists_compile(width: int, tmp_path: Path) -> None:
    value: Json = 1
    for level in range(31):
        value = [*range(width - 1), value] if level % 4 else {"deeper": value}
    found = TestLua().run(LUA.cell({"v": value}), ["v"], tmp_path)
    assert same(found["v"], value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2**63 + 1, "beyond 64 bits"),
        ({"k": [10**399]}, "beyond 64 bits"),
        ([1, None], "null inside a list"),
        ({"a": [[None]]}, "null inside a list"),
    ],
)
def test_what_lua_would_change_is_refused(value: Json, words: str) -> None:
    with pytest.raises(UnacceptableParameter, match=words):
        LUA.cell({"v": value})


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (2**63, 2.0**63),
        (3, 3),
        ({}, []),
        ({"b": 1, "a": {"c": None}}, {"a": [], "b": 1}),
        ({"1": 1}, {"1": 1}),
    ],
)
def test_what_cannot_be_told_apart(value: Json, seen: Json) -> None:
    assert same(LUA.equivalent(value), seen)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("end", "end_"),
        ("nil", "nil_"),
        ("io", "io_"),
        ("_ENV", "ENV"),
        ("_G", "G"),
        ("a.b", "a_b"),
        ("", None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = LUA.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


@without_a_zone
def test_a_session_goes_on_when_a_name_hides_something(tmp_path: Path) -> None:
    hidden = sorted(LUA.names.shadowed)
    assert all(LUA.name_warning(name) for name in hidden)
    TestILua().execute([LUA.cell({name: name}) for name in hidden] + ["a = 1"], tmp_path)
