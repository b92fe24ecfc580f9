"""MATLAB parameter cells, read by MATLAB's lexical rules: no interpreter can be had. What means the
same in Octave is run there, too."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from nbstamp.core.languages.matlab import KEYWORDS, Matlab
from nbstamp.core.parameters import Json
from nbstamp.testing import VALUES, LanguageContract
from support import is_whole_double
from test_language_octave import DUMP, WRITE, found, octave

MATLAB = Matlab()
Item = TypeVar("Item")


class Reader:
    """Reads assignments of literals as MATLAB's documentation defines them, and nothing else.

    Whatever is not a literal, a row, a cell array, a ``struct``, a ``containers.Map``, a ``char``
    of codes or a whole number of 64 bits is an error, so that a text which is read at all was never
    code.
    """

    _BLANK = re.compile(r" *")
    _BREAK = re.compile(r"(?: *\.\.\.\n)? *")
    _NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
    _NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.])")
    _WHOLE = re.compile(r"(u?int64)\((-?\d+)\) ([-+]) (\d+)")
    _CODES = re.compile(r"char\((?:\[([0-9 ]+)\]|([0-9]+))\)")
    _TEXT = re.compile(r"'((?:[^'\n]|'')*)'")

    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0

    def cell(self) -> dict[str, Json]:
        """The variables that the cell makes; each statement ends with a semicolon and its line."""
        assert all(c == "\n" or c.isprintable() for c in self.source)
        self.need(re.compile(r"% [\w ]*"))
        values: dict[str, Json] = {}
        while self.take("\n"):
            name = self.need(self._NAME)
            assert name not in KEYWORDS
            self.need(" = ")
            values[name] = self.value()
            self.need(";")
        assert self.at == len(self.source)
        return values

    def take(self, what: str | re.Pattern[str]) -> re.Match[str] | None:
        pattern = re.compile(re.escape(what)) if isinstance(what, str) else what
        if match := pattern.match(self.source, self.at):
            self.at = match.end()
        return match

    def need(self, what: str | re.Pattern[str]) -> str:
        match = self.take(what)
        assert match, f"{what!r} is not at {self.source[self.at : self.at + 40]!r}"
        return match[0]

    def value(self) -> Json:
        if match := self.take(self._WHOLE):
            return self.whole(*match.groups())
        if self.take("zeros(1, 0)"):
            return []
        if self.take("struct("):
            return self.struct()
        if self.take("containers.Map("):
            return self.map()
        if self.take("{"):
            return self.items("}", self.value)
        if self.take("["):
            return self.brackets()
        return self.simple()

    def simple(self) -> Json:
        for word, value in (("true", True), ("false", False), ("NaN", None)):
            if self.take(re.compile(rf"{word}\b")):
                return value
        if match := self.take(self._NUMBER):
            return float(match[0])
        return self.piece()

    def piece(self) -> str:
        if match := self.take(self._CODES):
            units = [int(code) for code in (match[1] or match[2]).split()]
            data = b"".join(unit.to_bytes(2, "big") for unit in units)
            return data.decode("utf-16-be", "surrogatepass")
        match = self.take(self._TEXT)
        assert match, f"no literal: {self.source[self.at : self.at + 40]!r}"
        return match[1].replace("''", "'")

    def whole(self, kind: str, high: str, sign: str, low: str) -> int:
        """What is added to a 64-bit integer that was a double before."""
        assert is_whole_double(int(high))
        value = int(high) + (int(low) if sign == "+" else -int(low))
        smallest, beyond = (-(2**63), 2**63) if kind == "int64" else (0, 2**64)
        assert smallest <= int(high) < beyond
        assert smallest <= value < beyond
        return value

    def brackets(self) -> Json:
        """A row: all numbers, all booleans, or texts, which become one."""
        items = self.items("]", self.simple)
        if not items:
            return None
        if all(isinstance(item, str) for item in items):
            # pieces of UTF-16 meet
            joined = "".join(str(item) for item in items).encode("utf-16-be", "surrogatepass")
            return joined.decode("utf-16-be")
        kinds = {float if item is None else type(item) for item in items}
        assert kinds in ({float}, {bool}), f"MATLAB converts a row of {kinds}"
        return items

    def struct(self) -> Json:
        values: dict[str, Json] = {}
        for key, value in self.items(")", self.field):
            assert key not in values
            values[key] = value
        return values

    def field(self) -> tuple[str, Json]:
        key = self.piece()
        assert self._NAME.fullmatch(key)
        assert key not in KEYWORDS
        self.need(", ")
        if self.take("{"):
            # one pair of braces is the struct's own
            (value,) = self.items("}", self.value)
            assert isinstance(value, list)
            return key, value
        return key, self.value()

    def map(self) -> Json:
        self.take(self._BREAK)
        self.need("{")
        keys = self.items("}", self.value)
        self.need(",")
        self.take(self._BREAK)
        self.need("{")
        values = self.items("}", self.value)
        self.need(",")
        self.take(self._BREAK)
        self.need("'UniformValues', false")
        self.take(self._BREAK)
        self.need(")")
        found = {str(key): value for key, value in zip(keys, values, strict=True)}
        assert len(found) == len(keys)
        assert all(isinstance(key, str) and key for key in keys)
        return dict(sorted(found.items()))

    def items(self, closing: str, item: Callable[[], Item]) -> list[Item]:
        """What stands between brackets; a line inside of them ends with three dots."""
        found: list[Item] = []
        self.take(self._BREAK)
        while not self.take(closing):
            if found:
                self.need(",")
                self.take(self._BREAK)
            found.append(item())
            self.take(self._BREAK)
        return found


class TestMatlab(LanguageContract):
    language = MATLAB

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        values = Reader(cell).cell()
        assert list(values) == list(names)
        return values

    def refuses(self, value: Json) -> bool:
        match value:
            case bool() | None | float() | str():
                return False
            case int():
                return not -(2**63) <= value < 2**64 and not is_whole_double(value)
            case list():
                return any(map(self.refuses, value))
        return "" in value or any(map(self.refuses, value.values()))


@pytest.mark.parametrize(
    "source",
    [
        'v = "x";',
        "v = 'a'b';",
        "v = f(1);",
        "v = 1; w = 2;",
        "v = [1, true];",
        "v = ['a\nb'];",
        "v = [1 ...\n2];",
        "v = {1, 2\n3};",
        "v = struct('a', {1, 2});",
        "v = struct('end', 1);",
        "v = int64(9007199254740993) + 1;",
        "v = 1",
    ],
)
def test_the_reader_takes_nothing_but_literals(source: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        Reader(f"% Parameters\n{source}").cell()


def test_what_means_the_same_in_octave_arrives_there(tmp_path: Path) -> None:
    suite = TestMatlab()
    values: dict[str, Json] = {}
    for number, value in enumerate(VALUES):
        # texts of Octave are bytes, so that its char takes no larger codes
        if not suite.refuses(value) and not re.search(
            r"char\(.*?(?:12[89]|1[3-9]\d|[2-9]\d\d|\d{4})", MATLAB.assignment("v", value)
        ):
            values[f"v{number}"] = value
    assert len(values) > 150
    names = list(values)
    octave(DUMP + MATLAB.cell(values) + WRITE.replace("{names}", " ".join(names)), tmp_path)
    arrived = found(names, tmp_path)
    wrong = [value for name, value in values.items() if not suite.arrived(arrived[name], value)]
    assert not wrong


LAID_OUT: list[tuple[Json, str]] = [
    (None, "v = [];"),
    (True, "v = true;"),
    (10**20, "v = 1e+20;"),
    (2**53 + 1, "v = int64(9007199254740992) + 1;"),
    (-(2**63) + 1, "v = int64(-9223372036854774784) - 1023;"),
    (2**64 - 1, "v = uint64(18446744073709549568) + 2047;"),
    ('it\'s 50 % \\n "A"', "v = 'it''s 50 % \\n \"A\"';"),
    ("µ 日本 😀", "v = 'µ 日本 😀';"),
    ("a\n\x00b", "v = ['a', char([10 0]), 'b'];"),
    ("\U000e0041", "v = char([56128 56385]);"),
    ("", "v = '';"),
    ([], "v = zeros(1, 0);"),
    ({}, "v = struct();"),
    ([1, None, 2.5], "v = [1, NaN, 2.5];"),
    ([True, 1], "v = {true, 1};"),
    (["a", "b c"], "v = {'a', 'b c'};"),
    ({"a": 1, "b": ["x"]}, "v = struct('a', 1, 'b', {{'x'}});"),
    ({"_type": "q"}, "v = containers.Map({'_type'}, {'q'}, 'UniformValues', false);"),
    (
        [["2026-11-01", 1.5], ["2026-11-02", 2.5]],
        "v = { ...\n    {'2026-11-01', 1.5}, ...\n    {'2026-11-02', 2.5} ...\n};",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
v = [ ...
    'A remark of several lines is put into the notebook as people write them:', char(10), ...
    'like this.', char(10) ...
];""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert MATLAB.assignment("v", value) == expected


@pytest.mark.parametrize("name", ["x", "Sample_1", "n" * 63])
def test_usable_names(name: str) -> None:
    assert MATLAB.name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Sample Name", "Sample_Name"),
        ("_x", "x"),
        ("2nd", "n2nd"),
        ("end", "end_"),
        ("struct", "struct_"),
        ("größe", "grosse"),
        ("ans", "ans_"),
        ("n" * 64, None),
    ],
)
def test_a_refused_name_comes_with_a_better_one(name: str, suggestion: str | None) -> None:
    problem = MATLAB.name_problem(name)
    assert problem
    assert problem.suggestion == suggestion


@pytest.mark.parametrize("name", ["i", "pi", "size"])
def test_names_that_hide_something_are_stamped_with_a_warning(name: str) -> None:
    assert MATLAB.name_problem(name) is None
    assert f"{name}_" in (MATLAB.name_warning(name) or "")
