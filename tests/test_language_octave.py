"""Octave parameter cells, run in Octave and in a real kernel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest

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


def test_decimals_are_read_as_the_doubles_that_were_sent(tmp_path: Path) -> None:
    chance = Random(0)
    numbers = [chance.uniform(-1, 1) * 10.0 ** chance.randint(-323, 308) for _ in range(20_000)]
    dump = 'f = fopen("found", "w"); fprintf(f, "%.17g\\n", numbers); fclose(f);'
    octave(f"{OCTAVE.cell({'numbers': list(numbers)})}\n{dump}", tmp_path)
    assert list(map(float, (tmp_path / "found").read_text().split())) == numbers


LAID_OUT: list[tuple[Json, str]] = [
    (None, "v = [];"),
    (True, "v = true;"),
    (3, "v = 3;"),
    (10**20, "v = 1e+20;"),
    (2**53 + 1, "v = int64(9007199254740992) + 1;"),
    ('it\'s 50 % "A" \\', 'v = "it\'s 50 % \\"A\\" \\\\";'),
    ("µ 日本 😀", 'v = "µ 日本 😀";'),
    ("\x01\u202e", r'v = "\001\342\200\256";'),
    ([], "v = zeros(1, 0);"),
    ({}, "v = struct();"),
    ([1, None, 2.5], "v = [1, NaN, 2.5];"),
    ([None], "v = {[]};"),
    (["a", 1], 'v = {"a", 1};'),
    ([[1, 2], [3, 4]], "v = { ...\n    [1, 2], ...\n    [3, 4] ...\n};"),
    ({"_type": "q", "b": ["x"]}, 'v = struct("_type", "q", "b", {{"x"}});'),
    ({"a b": 1}, 'v = containers.Map({"a b"}, {1}, "UniformValues", false);'),
    ({"end": 1}, 'v = containers.Map({"end"}, {1}, "UniformValues", false);'),
    (
        {"quantity": {"magnitude": 21.5, "units": "degC"}, "long": "and so wide that it breaks"},
        """\
v = struct( ...
    "quantity", struct("magnitude", 21.5, "units", "degC"), ...
    "long", "and so wide that it breaks" ...
);""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
v = [ ...
    "A remark of several lines is put into the notebook as people write them:\\n", ...
    "like this.\\n" ...
];""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert OCTAVE.assignment("v", value) == expected


def test_no_line_is_longer_than_a_terminal_takes() -> None:
    rows: Json = [[f"2026-11-01 {n}", n / 7, "é" * 20] for n in range(5000)]
    texts: list[Json] = ["\x01" * 5000, "é" * 5000, "x" * 5000, {"日" * 2000: "\n" * 3000}]
    texts += ["two lines\n" + "x" * 9000, "\x01\n" * 2000]
    source = OCTAVE.cell({"rows": rows, "texts": texts, "numbers": [n / 7 for n in range(5000)]})
    assert max(len(line.encode()) for line in source.splitlines()) < 4095
    assert source.count("\n") < 400


def test_usable_names_are_variables(tmp_path: Path) -> None:
    names = ["x", "Sample_1", "_x", "i", "size", "n" * 63]
    assert [name for name in names if OCTAVE.name_problem(name)] == []
    values: dict[str, Json] = {name: [1, "a"] for name in names}
    octave(DUMP + OCTAVE.cell(values) + WRITE.replace("{names}", " ".join(names)), tmp_path)
    assert list(found(names, tmp_path).values()) == [[1.0, "a"]] * len(names)


def test_keywords_are_refused_as_octave_lists_them(tmp_path: Path) -> None:
    octave('f = fopen("found", "w"); fprintf(f, "%s\\n", iskeyword(){:}); fclose(f);', tmp_path)
    keywords = (tmp_path / "found").read_text().split()
    assert len(keywords) > 30
    assert [word for word in keywords if not OCTAVE.name_problem(word)] == []


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("endif", "endif_"),
        ("struct", "struct_"),
        ("größe", "grosse"),
        ("ans", "ans_"),
        ("__x", "x"),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = OCTAVE.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


@pytest.mark.parametrize("name", ["i", "pi", "size"])
def test_names_that_hide_something_are_stamped_with_a_warning(name: str) -> None:
    assert OCTAVE.name_problem(name) is None
    assert f"{name}_" in (OCTAVE.name_warning(name) or "")


def test_papermill_gives_equal_values_where_it_can(tmp_path: Path) -> None:
    from papermill.translators import MatlabTranslator

    values: dict[str, Json] = {"a": 1, "b": 1.5, "c": True, "d": "it's"}
    dump = WRITE.replace("{names}", " ".join(values))
    octave(DUMP + OCTAVE.cell(values) + dump, tmp_path)
    ours = found(list(values), tmp_path)
    octave(DUMP + MatlabTranslator.codify(values) + dump, tmp_path)
    assert ours == found(list(values), tmp_path)
