"""Scala parameter cells, compiled by scalac."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.languages.scala import Scala
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract
from support import missing_tool

SCALA = Scala()
HERE = Path(__file__).parent
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Xss8m"
"""For a machine that lives for seconds."""


class TestScala(LanguageContract):
    """In a program that does with a cell what Ammonite, the shell of almond, does: each run is an
    object of its own, and later ones hide what earlier ones defined."""

    language = SCALA
    documents = 30
    batch = 160

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        if not shutil.which("scalac"):
            missing_tool("scalac")
        last = f"import Cell{times}._"
        cells = "\n".join(f"object Cell{n + 1} {{\n{cell}\n}}" for n in range(times))
        dumps = "\n".join(
            f"def d{n}() = out.println(Dump.json({name}))" for n, name in enumerate(names)
        )
        calls = "\n".join(f"d{n}()" for n in range(len(names)))
        dump = (HERE / "Dump.scala").read_text(encoding="utf-8")
        program = f"""{dump}
{cells}
object Main {{
{last}
val out = new java.io.PrintStream("dump", "UTF-8")
{dumps}
def main(arguments: Array[String]): Unit = {{
{calls}
out.close()
}}
}}
"""
        (folder / "cell.scala").write_text(program, encoding="utf-8")
        for command in (
            ["scalac", "-nowarn", "-encoding", "UTF-8", "cell.scala"],
            ["scala", "-nc", "Main"],
        ):
            done = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=300,
                env=os.environ | {"JAVA_OPTS": QUICK},
            )
            assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
        lines = (folder / "dump").read_bytes().splitlines()
        return dict(zip(names, map(json.loads, lines), strict=True))


LAID_OUT: list[tuple[Json, str]] = [
    (None, "val v: Any = null"),
    (True, "val v = true"),
    (5, "val v = 5"),
    (2**40, "val v = 1099511627776L"),
    (2**63, 'val v = BigInt("9223372036854775808")'),
    (21.5, "val v = 21.5"),
    ('a "b" \\ µ $x', 'val v = "a \\"b\\" \\\\ µ $x"'),
    ("\x00\x0c\u202e\U000e0041", 'val v = "\\u0000\\f\\u202e\\udb40\\udc41"'),
    ([], "val v = Seq[Any]()"),
    ({}, "val v = Map[String, Any]()"),
    ([1, 2.5], "val v = Seq(1.0, 2.5)"),
    ([1, 2**40], "val v = Seq(1L, 1099511627776L)"),
    ([1, None], "val v = Seq[Any](1, null)"),
    (["a", None], 'val v = Seq[String]("a", null)'),
    (["a", 1], 'val v = Seq[Any]("a", 1)'),
    ({"a": None, "b": 1}, 'val v = Map[String, Any]("a" -> null, "b" -> 1)'),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
        """\
val v = Seq[Seq[Any]](
    Seq[Any]("2026-11-01 00:00:00.000000", 293.15),
    Seq[Any]("2026-11-01 00:00:01.000000", null)
)""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
val v = Seq(
    "A remark of several lines is put into the notebook as people write them:\\n",
    "like this.\\n"
).mkString""",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert SCALA.assignment("v", value) == expected


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [[f"2026-11-01 00:00:{i:02}", i / 7, i] for i in range(150)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in SCALA.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH
        assert line == line.rstrip()


def test_a_long_list_is_made_in_parts() -> None:
    source = SCALA.assignment("v", list(range(1000)))
    assert source.startswith("val v = Seq[() => Seq[Int]](\n    () => Seq(\n        0, 1, 2,")
    assert source.endswith("\n).flatMap(_())")


def test_a_name_with_an_underscore_at_its_end_is_no_operator() -> None:
    assert SCALA.assignment("type_", None) == "val type_ : Any = null"


@pytest.mark.parametrize(
    "value", [list(range(50_000)), {f"k{n}": n for n in range(2000)}], ids=["list", "object"]
)
def test_what_no_class_can_hold_is_refused_in_words(value: Json) -> None:
    with pytest.raises(UnacceptableParameter, match="Java virtual machine"):
        SCALA.cell({"value": value})


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("val", "val_"),
        ("type", "type_"),
        ("given", "given_"),
        ("Seq", "Seq_"),
        ("spark", "spark_"),
        ("res1", "res1_"),
        ("_", None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = SCALA.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


@pytest.mark.parametrize("name", ["print", "List", "math"])
def test_names_that_hide_something_are_stamped_with_a_warning(name: str) -> None:
    assert SCALA.name_problem(name) is None
    assert f"{name}_" in (SCALA.name_warning(name) or "")


def test_a_full_cell_compiles_and_a_fuller_one_is_refused(tmp_path: Path) -> None:
    few: dict[str, Json] = {
        "numbers": [[n / 7 for n in range(95)] for _ in range(12)],
        "rows": [[f"text {n}", n / 3, None] for n in range(300)],
        "objects": [{"text": f"text {n}", "n": n} for n in range(6)],
    }
    full = {f"{name}_{n}": few[name] for n in range(20) for name in ("numbers", "rows")}
    full |= {f"objects_{n}": few["objects"] for n in range(50)}
    assert TestScala().run(SCALA.cell(full), ["rows_19"], tmp_path) == {"rows_19": few["rows"]}
    with pytest.raises(UnacceptableParameter, match="one cell can hold"):
        SCALA.cell(full | {f"n{n}": [n] * 90 for n in range(40)})
