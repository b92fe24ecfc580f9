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
from support import missing_tool

from nbstamp.core.languages.csharp import CSharp
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract, same

CSHARP = CSharp()
DUMP = (Path(__file__).parent / "Dump.cs").read_text(encoding="utf-8")


class TestCSharpShell(LanguageContract):
    """In the shell of Mono, statement by statement; a variable can be declared again, as in .NET
    Interactive."""

    language = CSHARP
    rows = 1000  # the shell reads a statement again with each of its lines

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
