"""bash parameter cells, run in bash and in a real kernel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

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


LAID_OUT: list[tuple[Json, str]] = [
    (None, "v=''"),
    (True, "v=true"),
    (21.5, "v=21.5"),
    (-3, "v=-3"),
    ("", "v=''"),
    ("it's $x `id` \\", "v='it'\\''s $x `id` \\'"),
    ("hello!", "v=$'hello\\041'"),
    ("it's a\ttab", "v=$'it\\047s a\\ttab'"),
    ("µ 日本 😀", "v='µ 日本 😀'"),
    ("\x15\u202e", r"v=$'\025\342\200\256'"),
    ([], "v=()"),
    ({}, "declare -A v=()"),
    (["a", 1, True], "v=('a' 1 true)"),
    ({"a b": 1, "c": "x"}, "declare -A v=(['a b']=1 ['c']='x')"),
    ([1, None], "v='[1, null]'  # JSON"),
    ({"": "\u2028"}, 'v=\'{"": "\\u2028"}\'  # JSON'),
    (
        [["2026-11-01", 1.5], ["2026-11-02", 2.5]],
        "v='['\\\n'[\"2026-11-01\", 1.5], '\\\n'[\"2026-11-02\", 2.5]'\\\n']'  # JSON",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
v=$'A remark of several lines is put into the notebook as people write them:\\n'\\
$'like this.\\n'""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert BASH.assignment("v", value) == expected


def test_variables_are_made_anew() -> None:
    assert BASH.cell({"b": 1, "a": [2]}) == "# Parameters\nunset -v b a\nb=1\na=(2)"
    assert BASH.cell({}) == "# Parameters"


def test_large_values_take_few_lines() -> None:
    rows: Json = [[f"2026-11-01 {n}", n / 7] for n in range(5000)]
    source = BASH.cell({"rows": rows, "numbers": [n / 7 for n in range(5000)], "t": "x\n" * 5000})
    assert source.count("\n") == 4


def test_json_texts_are_the_json_that_was_sent(tmp_path: Path) -> None:
    values: dict[str, Json] = {"a": [["x\u2028'\x00!", 1.5], [None, {"": "\\"}]], "b": [1e22, []]}
    arrived = TestBash().run(BASH.cell(values), list(values), tmp_path)
    assert {name: json.loads(str(text)) for name, text in arrived.items()} == values


@pytest.mark.parametrize("name", ["x", "sample_1", "Sample", "_x", "if", "path", "n" * 63])
def test_usable_names_are_variables(name: str, tmp_path: Path) -> None:
    assert BASH.name_problem(name) is None
    assert TestBash().run(BASH.cell({name: "a b"}), [name], tmp_path) == {name: "a b"}


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("PATH", "path"),
        ("PROMPT_COMMAND", "prompt_command"),
        ("PS1", "ps1"),
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("größe", "grosse"),
        ("http_proxy", "http_proxy_"),
        ("histchars", "histchars_"),
        ("T", "t"),
        ("_", None),
        ("a[0]", "a_0"),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = BASH.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


def test_papermill_gives_equal_values_where_it_can(tmp_path: Path) -> None:
    from papermill.translators import BashTranslator

    values: dict[str, Json] = {"a": 1, "b": 1.5, "c": True, "d": 'it\'s "A" $x', "e": ["x", "y z"]}
    ours = TestBash().run(BASH.cell(values), list(values), tmp_path)
    assert ours == TestBash().run(BashTranslator.codify(values), list(values), tmp_path)
