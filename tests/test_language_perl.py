"""Perl parameter cells, run in Perl as a script and as IPerl runs them."""

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
from nbstamp.core.languages.perl import Perl
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract, same
from support import missing_tool

PERL = Perl()
DUMP = r"""
package Found;
use strict; use warnings; use B;
sub text {
    my $text = shift;
    $text =~ s/([^ !#-\[\]-~])/join "", map { sprintf "\\u%04x", $_ } units(ord $1)/ge;
    return "\"$text\"";
}
sub units {
    my $code = shift;
    return $code if $code < 0x10000;
    return (0xd800 + (($code - 0x10000) >> 10), 0xdc00 + (($code - 0x10000) & 0x3ff));
}
sub one {
    my $value = shift;
    return "null" unless defined $value;
    return "[" . join(",\n", map { one($_) } @$value) . "]" if ref $value eq "ARRAY";
    return "{" . join(",\n", map { text($_) . ":" . one($value->{$_}) } sort keys %$value) . "}"
        if ref $value eq "HASH";
    die "a reference" if ref $value;
    my $flags = B::svref_2object(\$value)->FLAGS;
    return text($value) if $flags & B::SVf_POK;
    return sprintf "%s", $value if $flags & B::SVf_IOK;
    my $number = sprintf "%.17g", $value;
    return $number =~ /[.e]/ ? $number : "$number.0";
}
sub write_all {
    open my $file, ">", "found.json" or die;
    print $file one([@_]);
    close $file;
}
package main;
"""
SESSION = r"""
use Reply; use Encode;
my $session = Reply->new(plugins => [qw(Packages LexicalPersistence Hints)]);
sub cell {
    open my $file, "<:encoding(UTF-8)", shift or die;
    $session->step(do { local $/; <$file> }, 0);
}
cell($_) for @ARGV;
"""


class TestPerl(LanguageContract):
    """In Perl, as a script under every stricture."""

    language = PERL

    def refuses(self, value: Json) -> bool:
        return rounded(value, -(2**63), 2**64)

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        perl = shutil.which("perl") or missing_tool("perl")
        write = f"Found::write_all({', '.join(f'${name}' for name in names)});\n"
        strict = "use strict; use warnings FATAL => 'all'; no warnings 'shadow', 'misc';\n"
        (folder / "cell.pl").write_text(
            DUMP + strict + f"{cell}\n" * times + write, encoding="utf-8"
        )
        done = subprocess.run(
            [perl, "cell.pl"], cwd=folder, capture_output=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return found(names, folder)


class TestReply(TestPerl):
    """In Reply with the plugins that IPerl runs its cells with."""

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        perl = shutil.which("perl") or missing_tool("perl")
        if subprocess.run(
            [perl, "-MReply", "-e", "1"], capture_output=True, check=False
        ).returncode:
            missing_tool("Perl's module Reply")
        write = f"Found::write_all({', '.join(f'${name}' for name in names)});\n"
        (folder / "run.pl").write_text(DUMP + SESSION)
        (folder / "cell.pl").write_text(cell, encoding="utf-8")
        (folder / "write.pl").write_text(f"use strict;\n{write}")
        cells = ["cell.pl"] * times + ["write.pl"]
        subprocess.run([perl, "run.pl", *cells], cwd=folder, check=True, timeout=60)
        return found(names, folder)


def found(names: Sequence[str], folder: Path) -> dict[str, Json]:
    values = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return dict(zip(names, values, strict=True))


LAID_OUT: list[tuple[Json, str]] = [
    (None, "my $v = undef;"),
    (True, "my $v = 1;"),
    (False, "my $v = 0;"),
    (21.5, "my $v = 21.5;"),
    (2**64 - 1, "my $v = 18446744073709551615;"),
    (10**20, "my $v = 1e+20;"),
    ("it's 50 % #1", 'my $v = "it\'s 50 % #1";'),
    ('a "b" \\ $x @y', 'my $v = "a \\"b\\" \\\\ \\$x \\@y";'),
    ("µ 日\u2028😀\x00", r'my $v = "\x{b5} \x{65e5}\x{2028}\x{1f600}\x{0}";'),
    ([], "my $v = [];"),
    ({}, "my $v = {};"),
    ({"a b": [1, None], "": {}}, 'my $v = {"a b" => [1, undef], "" => {}};'),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
        """\
my $v = [
    ["2026-11-01 00:00:00.000000", 293.15],
    ["2026-11-01 00:00:01.000000", undef],
];""",
    ),
    (
        {"_type": "quantity", "units": "degC", "magnitude": 21.5, "dimension": "[temperature] "},
        """\
my $v = {
    "_type" => "quantity",
    "units" => "degC",
    "magnitude" => 21.5,
    "dimension" => "[temperature] ",
};""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
my $v = join("",
    "A remark of several lines is put into the notebook as people write them:\\n",
    "like this.\\n",
);""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert PERL.assignment("v", value) == expected


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [{"t": f"2026-11-01 00:00:{i:02}", "values": [i / 7] * 3} for i in range(50)]
    numbers: Json = [i / 7 for i in range(500)]
    for line in PERL.cell({"rows": rows, "numbers": numbers}).splitlines():
        assert len(line) <= WIDTH
        assert line.isascii()


def test_any_double_arrives_to_the_last_bit(tmp_path: Path) -> None:
    chance = Random("doubles")
    numbers: list[Json] = [
        chance.uniform(-1, 1) * 10.0 ** chance.randint(-300, 300) for _ in range(5000)
    ]
    arrived = TestPerl().run(PERL.cell({"v": numbers}), ["v"], tmp_path)
    assert arrived["v"] == numbers


@pytest.mark.parametrize("value", ["a line\n" * 100_000, "x" * 4_000_000], ids=["lines", "one"])
def test_large_texts_arrive_whole(value: str, tmp_path: Path) -> None:
    assert TestPerl().run(PERL.cell({"v": value}), ["v"], tmp_path) == {"v": value}


@pytest.mark.parametrize("value", [2**64 + 1, -(2**63) - 1, 10**399, [{"k": 10**30 + 1}]])
def test_integers_that_perl_would_round_are_refused(value: Json) -> None:
    with pytest.raises(UnacceptableParameter, match="beyond 64 bits"):
        PERL.cell({"v": value})


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (True, 1),
        (3.0, 3),
        (-0.0, -0.0),
        (1e20, 10**20),
        ({"b": [False], "a": None}, {"a": None, "b": [0]}),
        ("1", "1"),
    ],
)
def test_what_cannot_be_told_apart(value: Json, seen: Json) -> None:
    assert same(PERL.equivalent(value), seen)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("_", None),
        ("ENV", "ENV_"),
        ("a::b", "a_b"),
        ("__PACKAGE__", "PACKAGE"),
        ("", None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = PERL.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


def test_words_of_the_language_are_names_of_variables(tmp_path: Path) -> None:
    names = ["if", "my", "print", "q", "s", "y", "m", "x", "undef", "class", "id", "a", "b"]
    values: dict[str, Json] = {name: name for name in names}
    assert TestPerl().run(PERL.cell(values), names, tmp_path) == values
    assert PERL.name_warning("a")
