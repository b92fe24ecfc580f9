"""bash parameter cells, run in bash and in a real kernel."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from kernels import run_cells
from nbstamp.core.languages.bash import Bash
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract
from support import missing_tool

BASH = Bash()
DUMP = r"""
nbstamp_dump() {
  local name kind key
  for name; do
    kind=$(declare -p "$name" 2>/dev/null); kind=${kind#declare -}; kind=${kind%% *}
    local -n it=$name
    printf '%s\0%d\0' "$kind" "${#it[@]}"
    for key in "${!it[@]}"; do printf '%s\0%s\0' "$key" "${it[$key]}"; done
    unset -n it
  done > found
}
"""


def found(names: Sequence[str], folder: Path) -> dict[str, Json]:
    """What the dump says about the variables ``names``: kind, number of elements, the elements."""
    parts = iter((folder / "found").read_bytes().decode("utf-8").split("\0"))
    values: dict[str, Json] = {}
    for name in names:
        kind, count = next(parts), int(next(parts))
        pairs = [(next(parts), next(parts)) for _ in range(count)]
        if kind == "a":
            assert [key for key, _ in pairs] == [str(n) for n in range(count)]
            values[name] = [value for _, value in pairs]
        elif kind == "A":
            values[name] = dict(pairs)
        else:
            assert kind == "-", f"{name} is {kind!r}"
            ((_, values[name]),) = pairs
    return values


class InBash(LanguageContract):
    language = BASH

    def refuses(self, value: Json) -> bool:
        match value:
            case str():
                return "\x00" in value
            case list():
                return "\x00" in "".join(item for item in value if isinstance(item, str)) and all(
                    isinstance(item, str | int | float) for item in value
                )
            case dict():
                return "" not in value and self.refuses([*value, *value.values()])
        return False


class TestBash(InBash):
    """In a process of its own, as a script."""

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        if not shutil.which("bash"):
            missing_tool("bash")
        script = DUMP + f"{cell}\n" * times + f"nbstamp_dump {' '.join(names)}\n"
        (folder / "script").write_text(script, encoding="utf-8")
        done = subprocess.run(
            ["bash", "--norc", "script"], cwd=folder, capture_output=True, check=True, timeout=60
        )
        assert (done.stdout, done.stderr) == (b"", b"")
        return found(names, folder)


class TestBashKernel(InBash):
    """In a real kernel, which types the cell into a terminal."""

    documents = 30

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        if not shutil.which("bash") or not find_spec("bash_kernel"):
            missing_tool("bash_kernel")
        (folder / "dump").write_text(DUMP, encoding="utf-8")
        dump = f". ./dump; nbstamp_dump {' '.join(names)}"
        command = [sys.executable, "-m", "bash_kernel", "-f"]
        said = run_cells(command, [*[cell] * times, dump], folder, timeout=300)
        assert said == ""
        return found(names, folder)
