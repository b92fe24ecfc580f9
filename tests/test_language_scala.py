"""Scala parameter cells, compiled by scalac."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from support import missing_tool

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.languages.scala import Scala
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract

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
        dumps = "\n".join(f"def d{n}() = out.println(Dump.json({name}))" for n, name in enumerate(names))
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
                stdin=subprocess.DEVNULL,
                timeout=300,
                env=os.environ | {"JAVA_OPTS": QUICK},
            )
            assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
        lines = (folder / "dump").read_bytes().splitlines()
        return dict(zip(names, map(json.loads, lines), strict=True))
