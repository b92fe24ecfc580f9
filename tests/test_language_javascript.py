"""JavaScript parameter cells, run in Node.js and in two real kernels."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from kernels import run_cells
from nbstamp.core.languages.javascript import JavaScript
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract, same
from node import DUMP, command, holding, node, node_names

JAVASCRIPT = JavaScript()
WRITE = DUMP + '\nrequire("fs").writeFileSync("found.json", written([{names}]));\n'
RUN = """
const fs = require("fs"), vm = require("vm");
globalThis.require = require;
for (const file of process.argv.slice(2)) vm.runInThisContext(fs.readFileSync(file, "utf8"));
"""


class TestNode(LanguageContract):
    """In Node.js, each cell a script of its own in one context, as IJavascript runs them."""

    language = JAVASCRIPT

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        (folder / "cell.js").write_text(cell, encoding="utf-8")
        (folder / "write.js").write_text(WRITE.replace("{names}", ", ".join(names)))
        (folder / "run.js").write_text(RUN)
        cells = ["cell.js"] * times + ["write.js"]
        subprocess.run([node(), "run.js", *cells], cwd=folder, check=True, timeout=60)
        found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
        return dict(zip(names, found, strict=True))


def test_every_name_that_node_has_is_refused_or_holds_its_value(tmp_path: Path) -> None:
    names = [name for name in node_names() if not JAVASCRIPT.name_problem(name)]
    assert {"Date", "URL", "escape"} <= set(names)
    (tmp_path / "run.js").write_text(RUN)
    (tmp_path / "cell.js").write_text(JAVASCRIPT.cell({name: name for name in names}))
    (tmp_path / "holds.js").write_text(holding(names))
    files = ["cell.js", "holds.js"]
    subprocess.run([node(), "run.js", *files], cwd=tmp_path, check=True, timeout=60)


class TestJslab(LanguageContract):
    """In the kernel that comes with tslab, which compiles each cell as a module in strict code."""

    language = JAVASCRIPT

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        kernel = [command("tslab"), "kernel", "--js", "--config-path"]
        write = WRITE.replace("{names}", ", ".join(names))
        run_cells(kernel, [cell] * times + [write], folder)
        found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
        return dict(zip(names, found, strict=True))


LAID_OUT: list[tuple[Json, str]] = [
    (None, "var v = null;"),
    (False, "var v = false;"),
    (21.5, "var v = 21.5;"),
    (-0.0, "var v = -0.0;"),
    (9007199254740992, "var v = 9007199254740992;"),
    (9007199254740993, "var v = 9007199254740993n;"),
    (10**20, "var v = 100000000000000000000;"),
    ("it's", 'var v = "it\'s";'),
    ('a "b" \\', 'var v = "a \\"b\\" \\\\";'),
    ("µ 日本 😀 ${x}", 'var v = "µ 日本 😀 ${x}";'),
    ("\x00\x7f\u202e\u2028\U000e0041", r'var v = "\u0000\u007f\u202e\u2028\udb40\udc41";'),
    ([], "var v = [];"),
    ({}, "var v = {};"),
    ({"a b": [1, None], "__proto__": 1}, 'var v = {"a b": [1, null], ["__proto__"]: 1};'),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
        """\
var v = [
    ["2026-11-01 00:00:00.000000", 293.15],
    ["2026-11-01 00:00:01.000000", null],
];""",
    ),
    (
        {"_type": "quantity", "units": "degC", "magnitude": 21.5, "dimension": "[temperature] "},
        """\
var v = {
    "_type": "quantity",
    "units": "degC",
    "magnitude": 21.5,
    "dimension": "[temperature] ",
};""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
var v = [
    "A remark of several lines is put into the notebook as people write them:\\n",
    "like this.\\n",
].join("");""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert JAVASCRIPT.assignment("v", value) == expected


def test_parameters_stand_one_per_line_in_their_order() -> None:
    assert JAVASCRIPT.cell({"b": 1, "a": "x"}) == '// Parameters\nvar b = 1;\nvar a = "x";'


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [{"t": f"2026-11-01 00:00:{i:02}", "values": [i / 7] * 3} for i in range(50)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in JAVASCRIPT.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH


def test_any_double_arrives_to_the_last_bit(tmp_path: Path) -> None:
    chance = Random("doubles")
    numbers: list[Json] = [
        chance.uniform(-1, 1) * 10.0 ** chance.randint(-300, 300) for _ in range(5000)
    ]
    found = TestNode().run(JAVASCRIPT.cell({"v": numbers}), ["v"], tmp_path)
    assert found["v"] == numbers


@pytest.mark.parametrize("value", ["a line\n" * 100_000, "x" * 4_000_000], ids=["lines", "one"])
def test_large_texts_arrive_whole(value: str, tmp_path: Path) -> None:
    assert TestNode().run(JAVASCRIPT.cell({"v": value}), ["v"], tmp_path) == {"v": value}


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (3, 3.0),
        (2**53 + 1, 2**53 + 1),
        ({"b": 1, "10": 2, "9": 3, "01": 4}, {"9": 3.0, "10": 2.0, "b": 1.0, "01": 4.0}),
        ([True, None, "1"], [True, None, "1"]),
    ],
)
def test_what_cannot_be_told_apart(value: Json, seen: Json) -> None:
    assert same(JAVASCRIPT.equivalent(value), seen)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("class", "class_"),
        ("let", "let_"),
        ("a-b", "a_b"),
        ("Größe", "Grosse"),
        ("require", "require_"),
        ("", None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = JAVASCRIPT.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion
