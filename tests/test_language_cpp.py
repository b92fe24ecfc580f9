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
from shapes import Shapes
from support import missing_tool

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.cpp import Cpp
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract

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
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return dict(zip(names, map(_bytes, done.stdout.splitlines()), strict=True))

    def refuses(self, value: Json) -> bool:
        return _has_large_integer(value)


def _named(cell: str) -> list[str]:
    """The types that a ``std::any`` of the cell may hold."""
    return re.findall(r"(?:std::any\(|^ *)(std::(?:vector|map|tuple)<[\w:<>, ]+>)(?:\{| all;)", cell, re.M)


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
