"""PHP parameter cells, run in PHP."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from integers import rounded
from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.languages.php import PHP
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract, same
from support import missing_tool

LANGUAGE = PHP()
RUN = r"""<?php
function write_all(array $values): void {
    $flags = JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR;
    file_put_contents("found.json", json_encode($values, $flags));
}
set_error_handler(function (int $level, string $message) { throw new Exception($message); });
foreach (array_slice($argv, 1) as $__file) eval(file_get_contents($__file));
"""


class TestPHP(LanguageContract):
    """In PHP, each cell evaluated in the global scope."""

    language = LANGUAGE

    def refuses(self, value: Json) -> bool:
        return rounded(value, -(2**63), 2**63)

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        php = shutil.which("php") or missing_tool("php")
        (folder / "run.php").write_text(RUN)
        (folder / "cell.php").write_text(cell, encoding="utf-8")
        write = f"write_all([{', '.join(f'${name}' for name in names)}]);"
        (folder / "write.php").write_text(write)
        files = ["cell.php"] * times + ["write.php"]
        settings = ["-d", "error_reporting=-1", "-d", "serialize_precision=-1"]
        done = subprocess.run(
            [php, *settings, "run.php", *files],
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
        return dict(zip(names, found, strict=True))


LAID_OUT: list[tuple[Json, str]] = [
    (None, "$v = null;"),
    (False, "$v = false;"),
    (3.0, "$v = 3.0;"),
    (-(2**63), "$v = PHP_INT_MIN;"),
    (-(2.0**63), "$v = -9.223372036854776e+18;"),
    (10**20, "$v = 100000000000000000000;"),
    ("it's 50 % #1", '$v = "it\'s 50 % #1";'),
    ('a "b" \\ $x {$x} ${x}', '$v = "a \\"b\\" \\\\ \\$x {\\$x} \\${x}";'),
    ("µ 日本 😀 ?>", '$v = "µ 日本 😀 ?>";'),
    ("\x00\x7f\u202e\u2028\U000e0041", r'$v = "\u{0}\u{7f}\u{202e}\u{2028}\u{e0041}";'),
    ([], "$v = [];"),
    ({}, "$v = [];"),
    ({"a b": [1, None], "": {}}, '$v = ["a b" => [1, null], "" => []];'),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
        """\
$v = [
    ["2026-11-01 00:00:00.000000", 293.15],
    ["2026-11-01 00:00:01.000000", null],
];""",
    ),
    (
        {"_type": "quantity", "units": "degC", "magnitude": 21.5, "dimension": "[temperature] "},
        """\
$v = [
    "_type" => "quantity",
    "units" => "degC",
    "magnitude" => 21.5,
    "dimension" => "[temperature] ",
];""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
$v = (
    "A remark of several lines is put into the notebook as people write them:\\n" .
    "like this.\\n"
);""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert LANGUAGE.assignment("v", value) == expected


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [{"t": f"2026-11-01 00:00:{i:02}", "values": [i / 7] * 3} for i in range(50)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in LANGUAGE.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH


def test_any_double_arrives_to_the_last_bit(tmp_path: Path) -> None:
    chance = Random("doubles")
    numbers: list[Json] = [
        chance.uniform(-1, 1) * 10.0 ** chance.randint(-300, 300) for _ in range(5000)
    ]
    found = TestPHP().run(LANGUAGE.cell({"v": numbers}), ["v"], tmp_path)
    assert found["v"] == numbers


@pytest.mark.parametrize("value", ["a line\n" * 100_000, "x" * 4_000_000], ids=["lines", "one"])
def test_large_texts_arrive_whole(value: str, tmp_path: Path) -> None:
    assert TestPHP().run(LANGUAGE.cell({"v": value}), ["v"], tmp_path) == {"v": value}


@pytest.mark.parametrize("value", [2**63 + 1, -(2**63) - 1, 10**399, [{"k": 10**30 + 1}]])
def test_integers_that_php_would_round_are_refused(value: Json) -> None:
    with pytest.raises(UnacceptableParameter, match="beyond 64 bits"):
        LANGUAGE.cell({"v": value})


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (2**63, 2.0**63),
        (3, 3),
        ({}, []),
        ({"0": 1, "1": {}}, [1, []]),
        ({"1": 1, "0": 2}, {"1": 1, "0": 2}),
    ],
)
def test_what_cannot_be_told_apart(value: Json, seen: Json) -> None:
    assert same(LANGUAGE.equivalent(value), seen)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("this", "this_"),
        ("_GET", "GET"),
        ("GLOBALS", "GLOBALS_"),
        ("a->b", "a_b"),
        ("", None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = LANGUAGE.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


def test_words_of_the_language_are_names_of_variables(tmp_path: Path) -> None:
    names = ["if", "class", "echo", "null", "true", "PHP_INT_MIN", "id", "print", "fn", "match"]
    values: dict[str, Json] = {name: name for name in names}
    assert TestPHP().run(LANGUAGE.cell(values), names, tmp_path) == values
    assert LANGUAGE.name_warning("argv")
