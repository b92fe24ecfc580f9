"""Octave parameter cells, run in Octave and in a real kernel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from kernels import run_cells
from nbstamp.core.languages.octave import Octave
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract
from support import is_whole_double, missing_tool

OCTAVE = Octave()
DUMP = r"""
function s = nbstamp_json (x)
  if isstruct (x)
    keys = fieldnames (x);
    parts = cell (1, numel (keys));
    for n = 1:numel (keys)
      parts{n} = [nbstamp_json(keys{n}), ":", nbstamp_json(x.(keys{n}))];
    end
    s = ["{", strjoin(parts, ","), "}"];
  elseif isa (x, "containers.Map")
    keys = x.keys ();
    parts = cell (1, numel (keys));
    for n = 1:numel (keys)
      parts{n} = [nbstamp_json(keys{n}), ":", nbstamp_json(x(keys{n}))];
    end
    s = ["{", strjoin(parts, ","), "}"];
  elseif iscell (x)
    s = ["[", strjoin(cellfun (@nbstamp_json, x, "UniformOutput", false), ","), "]"];
  elseif ischar (x)
    bytes = double (x);
    special = find (bytes < 32 | bytes == 34 | bytes == 92);
    pieces = cell (1, numel (special) + 1);
    last = 0;
    for n = 1:numel (special)
      at = special(n);
      pieces{n} = [x(last + 1:at - 1), sprintf("\\u%04x", bytes(at))];
      last = at;
    end
    pieces{end} = x(last + 1:end);
    s = ["\"", pieces{:}, "\""];
  elseif isempty (x)
    if size (x, 1) == 1, s = "[]"; else, s = "null"; end
  elseif ! isscalar (x)
    s = ["[", strjoin(arrayfun (@nbstamp_json, x, "UniformOutput", false), ","), "]"];
  elseif islogical (x)
    if x, s = "true"; else, s = "false"; end
  elseif isinteger (x)
    s = disp (x)(1:end - 1);
  elseif isnan (x)
    s = "null";
  else
    s = sprintf ("%.17g", x);
    if isempty (regexp (s, "[.e]")), s = [s, ".0"]; end
  end
end
"""
WRITE = r"""
nbstamp_file = fopen ("found.json", "w");
nbstamp_names = strsplit ("{names}", " ");
for nbstamp_n = 1:numel (nbstamp_names)
  fprintf (nbstamp_file, "%s\n", nbstamp_json (eval (nbstamp_names{nbstamp_n})));
end
fclose (nbstamp_file);
"""


def found(names: Sequence[str], folder: Path) -> dict[str, Json]:
    """What the dump says about the variables ``names``."""
    lines = (folder / "found.json").read_bytes().decode("utf-8").split("\n")
    return dict(zip(names, map(json.loads, lines[:-1]), strict=True))


def octave(script: str, folder: Path) -> None:
    """Run ``script`` in Octave, without a terminal."""
    if not shutil.which("octave-cli"):
        missing_tool("octave-cli")
    (folder / "script.m").write_text(f"1;\n{script}", encoding="utf-8")
    done = subprocess.run(
        ["octave-cli", "--norc", "script.m"],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def refused(value: Json) -> bool:
    """True for what Octave cannot hold: integers beyond 64 bits, unless they are doubles, and
    empty keys."""
    match value:
        case bool() | None | float() | str():
            return False
        case int():
            return not -(2**63) <= value < 2**64 and not is_whole_double(value)
        case list():
            return any(map(refused, value))
    return "" in value or any(map(refused, value.values()))


class InOctave(LanguageContract):
    language = OCTAVE

    def refuses(self, value: Json) -> bool:
        return refused(value)


class TestOctave(InOctave):
    """In a process of its own, as a script."""

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        octave(DUMP + f"{cell}\n" * times + WRITE.replace("{names}", " ".join(names)), folder)
        return found(names, folder)


class TestOctaveKernel(InOctave):
    """In a real kernel, which types the cell into a terminal."""

    documents = 60

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        if not shutil.which("octave") or not find_spec("octave_kernel"):
            missing_tool("octave_kernel")
        (folder / "nbstamp_json.m").write_text(DUMP, encoding="utf-8")
        (folder / "nbstamp_write.m").write_text(
            WRITE.replace("{names}", " ".join(names)), encoding="utf-8"
        )
        command = [sys.executable, "-m", "octave_kernel", "-f"]
        run_cells(command, [*[cell] * times, "nbstamp_write"], folder)
        return found(names, folder)
