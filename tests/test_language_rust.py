"""Rust parameter cells, compiled by rustc."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.languages.rust import Rust
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract
from shapes import Shapes
from support import missing_tool

RUST = Rust()
DUMP = (Path(__file__).parent / "dump.rs").read_text(encoding="utf-8")


class TestRust(LanguageContract):
    """In a program that does with a cell what evcxr does: ``use`` goes to the top, variables of
    a second run replace those of the first."""

    language = RUST
    batch = 400

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        if not shutil.which("rustc"):
            missing_tool("rustc")
        body = re.sub(r"^use .*\n", "", cell, flags=re.MULTILINE)
        dumps = "\n".join(f"dump(&{name});" for name in names)
        program = f"{DUMP}\nfn main() {{\n" + f"{body}\n" * times + f"{dumps}\n}}\n"
        (folder / "cell.rs").write_text(program, encoding="utf-8")
        subprocess.run(
            ["rustc", "--cap-lints=allow", "-C", "debuginfo=0", "cell.rs"],
            cwd=folder,
            check=True,
            timeout=120,
        )
        done = subprocess.run(
            ["./cell"], cwd=folder, check=True, timeout=20, stdout=subprocess.PIPE
        )
        return dict(zip(names, map(json.loads, done.stdout.splitlines()), strict=True))

    def refuses(self, value: Json) -> bool:
        return not Shapes(bits=128, longest_row=12).holds(value)


LAID_OUT: list[tuple[Json, str]] = [
    (None, "let v: Option<()> = None;"),
    (True, "let v: bool = true;"),
    (5, "let v: i64 = 5;"),
    (2**63, "let v: i128 = 9223372036854775808;"),
    (21.5, "let v: f64 = 21.5;"),
    ('a "b" \\ µ', 'let v: &\'static str = "a \\"b\\" \\\\ µ";'),
    ("\x00\u202e😀", 'let v: &\'static str = "\\u{000000}\\u{00202e}😀";'),
    ([], "let v: Vec<()> = vec![];"),
    ({}, "let v: BTreeMap<&'static str, ()> = BTreeMap::new();"),
    ([1, 2.5], "let v: Vec<f64> = vec![1.0, 2.5];"),
    ([1, None], "let v: Vec<Option<i64>> = vec![Some(1), None];"),
    (["a", 1], "let v: (&'static str, i64) = (\"a\", 1);"),
    ({"a": 1}, 'let v: BTreeMap<&\'static str, i64> = BTreeMap::from([("a", 1)]);'),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
        """\
let v: Vec<(&'static str, Option<f64>)> = vec![
    ("2026-11-01 00:00:00.000000", Some(293.15)),
    ("2026-11-01 00:00:01.000000", None),
];""",
    ),
    (
        {"values": [round(i * 1.1, 1) for i in range(20)]},
        """\
let v: BTreeMap<&'static str, Vec<f64>> = BTreeMap::from([
    ("values", vec![
        0.0, 1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7, 8.8, 9.9, 11.0, 12.1, 13.2, 14.3, 15.4,
        16.5, 17.6, 18.7, 19.8, 20.9,
    ]),
]);""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
let v: &'static str = concat!(
    "A remark of several lines is put into the notebook as people write them:\\n",
    "like this.\\n",
);""",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert RUST.assignment("v", value) == expected


def test_a_cell_says_what_it_uses() -> None:
    cell = RUST.cell({"a": {"k": 1}, "b": {"k": 1}})
    assert cell.splitlines()[:2] == ["// Parameters", "use std::collections::BTreeMap;"]
    assert RUST.cell({"a": 1}) == "// Parameters\nlet a: i64 = 1;"


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [[f"2026-11-01 00:00:{i:02}", i / 7, i] for i in range(50)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in RUST.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": 1, "b": "x"}, "of one type"),
        ([1, "a"] * 7, "of one type"),
        (2**127 + 1, "would change it"),
        ([2**127 + 1], "would change it"),
    ],
)
def test_what_cannot_be_held_is_refused_in_words(value: Json, words: str) -> None:
    with pytest.raises(UnacceptableParameter, match=words):
        RUST.cell({"value": value})


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "sample_Name"),
        ("Temperature", "temperature"),
        ("T", "t"),
        ("2nd", "n2nd"),
        ("type", "type_"),
        ("self", "self_"),
        ("größe", "grosse"),
        ("evcxr_x", "nevcxr_x"),
        ("_", None),
        ("_x", "x"),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = RUST.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


@pytest.mark.parametrize("name", ["fn", "gen", "try", "yield", "crate", "union", "auto", "a_B1"])
def test_words_of_the_language_are_refused(name: str) -> None:
    assert bool(RUST.name_problem(name)) == (name not in {"union", "auto", "a_B1"})
