"""Julia parameter cells, read by Julia's lexical rules: no interpreter can be had."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from nbstamp.core.languages.julia import Julia
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract

JULIA = Julia()


class Reader:
    """Reads assignments of literals as Julia's manual defines them, and nothing else.

    Whatever is not a literal, a vector, a ``Dict{String, Any}`` or the product of texts is an
    error, so that a text which is read at all was never code.
    """

    _BLANK = re.compile(r"[ \n]*")
    _NAME = re.compile(r"[^\W\d]\w*")
    _FLOAT = re.compile(r"-?(?:\d+\.\d+(?:e[-+]?\d+)?|\d+e[-+]?\d+)(?![\w.])")
    _INTEGER = re.compile(r"-?(?:0|[1-9]\d*)(?![\w.])")
    _CHUNK = re.compile(r'[^"\\$]+')
    _ESCAPE = re.compile(r"\\(?:([\\\"$nrt])|u([0-9a-f]{4})|U([0-9a-f]{8}))")
    _PLAIN: ClassVar = {"n": "\n", "r": "\r", "t": "\t"}

    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0

    def cell(self) -> dict[str, Json]:
        """The variables that the cell makes; each assignment ends at the end of a line."""
        assert self.source.isascii() or all(c == "\n" or c.isprintable() for c in self.source)
        values: dict[str, Json] = {}
        for line in iter(lambda: self.take(re.compile(r"# [\w ]*(?:\n|$)")), None):
            assert line
        while self.at < len(self.source):
            name = self.need(self._NAME)
            self.need(" = ")
            values[name] = self.value()[1]
            assert self.source[self.at : self.at + 1] in ("\n", "")
            self.at += 1
        return values

    def take(self, what: str | re.Pattern[str]) -> str | None:
        pattern = re.compile(re.escape(what)) if isinstance(what, str) else what
        if found := pattern.match(self.source, self.at):
            self.at = found.end()
            return found[0]
        return None

    def need(self, what: str | re.Pattern[str]) -> str:
        found = self.take(what)
        assert found is not None, f"{what!r} is not at {self.source[self.at : self.at + 40]!r}"
        return found

    def value(self) -> tuple[str, Json]:
        """The type that Julia infers, and the value."""
        for word, kind, value in (
            ("nothing", "Nothing", None),
            ("true", "Bool", True),
            ("false", "Bool", False),
        ):
            if self.take(re.compile(rf"{word}\b")):
                return kind, value
        if text := self.take(self._FLOAT):
            return "Float64", float(text)
        if text := self.take(self._INTEGER):
            size = int(text.lstrip("-"))
            kind = "Int64" if size < 2**63 else "Int128" if size < 2**127 else "BigInt"
            return kind, int(text)
        if self.take('"'):
            return "String", self.text()
        if self.take("("):
            return "String", self.product()
        if self.take("Dict{String, Any}("):
            pairs = self.items(")", self.pair)
            assert len(dict(pairs)) == len(pairs)
            return "Dict{String, Any}", dict(pairs)
        typed = self.take("Any[") is not None
        if not typed:
            self.need("[")
        return self.vector(self.items("]", self.value), typed)

    def vector(self, items: list[tuple[str, Json]], typed: bool) -> tuple[str, Json]:
        kinds, values = {kind for kind, _ in items}, [value for _, value in items]
        if typed:
            return "Vector{Any}", values
        if kinds == {"Int64", "Float64"}:
            numbers = [float(value) for value in values if isinstance(value, int | float)]
            assert numbers == values, "an integer was rounded"
            return "Vector{Float64}", list(numbers)
        assert len(kinds) == 1, f"Julia converts a vector of {kinds}"
        return f"Vector{{{kinds.pop()}}}", values

    def items(self, closing: str, item: Callable[[], tuple[str, Json]]) -> list[tuple[str, Json]]:
        found: list[tuple[str, Json]] = []
        self.take(self._BLANK)
        while not self.take(closing):
            found.append(item())
            self.take(self._BLANK)
            if not self.take(","):
                self.need(closing)
                break
            self.take(self._BLANK)
        return found

    def pair(self) -> tuple[str, Json]:
        self.need('"')
        key = self.text()
        self.need(" => ")
        return key, self.value()[1]

    def product(self) -> str:
        """Texts that are multiplied, over several lines in parentheses."""
        text = ""
        while True:
            self.take(self._BLANK)
            self.need('"')
            text += self.text()
            if not self.take(" *"):
                break
        self.take(self._BLANK)
        self.need(")")
        return text

    def text(self) -> str:
        """After the opening quote; a bare ``$`` would begin code and is an error."""
        text = ""
        while not self.take('"'):
            if chunk := self.take(self._CHUNK):
                assert "\n" not in chunk
                text += chunk
                continue
            found = self._ESCAPE.match(self.source, self.at)
            assert found, f"no literal: {self.source[self.at : self.at + 40]!r}"
            self.at = found.end()
            plain, short, long = found.groups()
            text += self._PLAIN.get(plain, plain) if plain else chr(int(short or long, 16))
        return text


class TestJulia(LanguageContract):
    language = JULIA

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        values = Reader(cell).cell()
        assert list(values) == list(names)
        return values


@pytest.mark.parametrize(
    "source",
    [
        'v = "$x"',
        'v = "$(run(`id`))"',
        "v = f(1)",
        "v = 1; w = 2",
        "v = [1, nothing]",
        "v = [1, true]",
        "v = [9007199254740993, 0.5]",
        'v = "a\nb"',
        'v = "\\x41"',
        "v = 01",
        "v = [[1], [0.5]]",
    ],
)
def test_the_reader_takes_nothing_but_literals(source: str) -> None:
    with pytest.raises(AssertionError):
        Reader(source).cell()


LAID_OUT: list[tuple[Json, str]] = [
    (None, "v = nothing"),
    (True, "v = true"),
    (10**20, "v = 100000000000000000000"),
    ('50 % of $x "A" \\', 'v = "50 % of \\$x \\"A\\" \\\\"'),
    ("µ 日本 😀", 'v = "µ 日本 😀"'),
    ("\x00\u202e\u2028\U000e0041", r'v = "\u0000\u202e\u2028\U000e0041"'),
    ([], "v = Any[]"),
    ({}, "v = Dict{String, Any}()"),
    ([1, 2.5], "v = [1, 2.5]"),
    ([0.5, 2**53 + 1], "v = Any[0.5, 9007199254740993]"),
    ([None], "v = Any[nothing]"),
    ([[1, 2], [3, 4]], "v = [\n    [1, 2],\n    [3, 4],\n]"),
    ([[1], [0.5]], "v = Any[\n    [1],\n    [0.5],\n]"),
    ({"a": [1, None]}, 'v = Dict{String, Any}("a" => Any[1, nothing])'),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
v = (
    "A remark of several lines is put into the notebook as people write them:\\n" *
    "like this.\\n"
)""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert JULIA.assignment("v", value) == expected


def test_lines_keep_to_the_margin_unless_a_text_is_longer() -> None:
    rows: Json = [{"t": f"2026-11-01 00:00:{i:02}", "values": [i / 7] * 3} for i in range(50)]
    for line in JULIA.cell({"rows": rows, "numbers": [i / 7 for i in range(500)]}).splitlines():
        assert len(line) <= WIDTH


@pytest.mark.parametrize("name", ["x", "Sample_1", "α", "größe", "mass!", "_x", "試料"])
def test_usable_names(name: str) -> None:
    assert JULIA.name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("2nd", "n2nd"),
        ("function", "function_"),
        ("nothing", "nothing_"),
        ("Dict", "Dict_"),
        ("in", "in_"),
        ("ans", "ans_"),
        ("µ", "μ"),
        ("ɛ", None),
        ("!x", "x"),
        ("__", None),
        ("_12", "n12"),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = JULIA.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


@pytest.mark.parametrize("name", ["sum", "pi", "π", "open"])
def test_names_that_hide_something_are_stamped_with_a_warning(name: str) -> None:
    assert JULIA.name_problem(name) is None
    assert f"{name}_" in (JULIA.name_warning(name) or "")
