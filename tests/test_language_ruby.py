"""Ruby parameter cells, run in Ruby."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.languages.ruby import Ruby
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract
from support import missing_tool

RUBY = Ruby()
RUN = r"""
require "json"
def written(value)
  case value
  when nil, true, false, Integer then value.inspect.sub("nil", "null")
  when Float then value.to_s
  when String
    raise "#{value.encoding} #{value.valid_encoding?}" unless
      value.encoding == Encoding::UTF_8 && value.valid_encoding?
    JSON.generate(value)
  when Array then "[" + value.map { |item| written(item) }.join(",\n") + "]"
  when Hash
    raise "a key that is no text" unless value.keys.all?(String)
    "{" + value.map { |key, item| "#{written(key)}: #{written(item)}" }.join(",\n") + "}"
  else raise value.class.name
  end
end
ARGV.each { |file| TOPLEVEL_BINDING.eval(File.read(file, encoding: "UTF-8")) }
"""


class TestRuby(LanguageContract):
    """In Ruby, each cell evaluated in the binding of the top level, as IRuby does."""

    language = RUBY

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        ruby = shutil.which("ruby") or missing_tool("ruby")
        (folder / "cell.rb").write_text(cell, encoding="utf-8")
        (folder / "write.rb").write_text(
            f'File.write("found.json", written([{", ".join(names)}]))', encoding="utf-8"
        )
        (folder / "run.rb").write_text(RUN)
        cells = ["cell.rb"] * times + ["write.rb"]
        done = subprocess.run(
            [ruby, "-w", "run.rb", *cells], cwd=folder, capture_output=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, b"")
        found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
        return dict(zip(names, found, strict=True))


LAID_OUT: list[tuple[Json, str]] = [
    (None, "v = nil"),
    (False, "v = false"),
    (21.5, "v = 21.5"),
    (-0.0, "v = -0.0"),
    (10**30, "v = 1000000000000000000000000000000"),
    ("it's", 'v = "it\'s"'),
    ('a "b" \\', 'v = "a \\"b\\" \\\\"'),
    ("µ 日本 😀 # 1", 'v = "µ 日本 😀 # 1"'),
    ("#{x} #$x #@x ##{x} \\#{x} #", 'v = "\\#{x} \\#$x \\#@x #\\#{x} \\\\\\#{x} #"'),
    ("\x00\x7f\u202e\u2028\U000e0041", r'v = "\u0000\u007f\u202e\u2028\u{e0041}"'),
    ([], "v = []"),
    ({}, "v = {}"),
    ({"a b": [1, None], "": {}}, 'v = {"a b" => [1, nil], "" => {}}'),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
        """\
v = [
    ["2026-11-01 00:00:00.000000", 293.15],
    ["2026-11-01 00:00:01.000000", nil],
]""",
    ),
    (
        {"_type": "quantity", "units": "degC", "magnitude": 21.5, "dimension": "[temperature] "},
        """\
v = {
    "_type" => "quantity",
    "units" => "degC",
    "magnitude" => 21.5,
    "dimension" => "[temperature] ",
}""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
v = (
    "A remark of several lines is put into the notebook as people write them:\\n" \\
    "like this.\\n"
)""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert RUBY.assignment("v", value) == expected


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [{"t": f"2026-11-01 00:00:{i:02}", "values": [i / 7] * 3} for i in range(50)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in RUBY.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH


def test_any_double_arrives_to_the_last_bit(tmp_path: Path) -> None:
    chance = Random("doubles")
    numbers: list[Json] = [
        chance.uniform(-1, 1) * 10.0 ** chance.randint(-300, 300) for _ in range(5000)
    ]
    found = TestRuby().run(RUBY.cell({"v": numbers}), ["v"], tmp_path)
    assert found["v"] == numbers


@pytest.mark.parametrize("value", ["a line\n" * 100_000, "x" * 4_000_000], ids=["lines", "one"])
def test_large_texts_arrive_whole(value: str, tmp_path: Path) -> None:
    assert TestRuby().run(RUBY.cell({"v": value}), ["v"], tmp_path) == {"v": value}


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "sample_Name"),
        ("Temperature", "temperature"),
        ("ID", "id"),
        ("2nd", "n2nd"),
        ("class", "class_"),
        ("a-b", "a_b"),
        ("nil?", "nil_"),
        ("_1", "n1"),
        ("__method__", "method"),
        ("", None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = RUBY.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


def test_names_that_hide_a_method_hold_their_values(tmp_path: Path) -> None:
    values: dict[str, Json] = {name: name for name in sorted(RUBY.names.shadowed)}
    assert TestRuby().run(RUBY.cell(values), list(values), tmp_path) == values
    assert all(map(RUBY.name_warning, values))
