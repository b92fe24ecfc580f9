"""MATLAB values, laid out for people; Octave's are built on them.

Every value becomes a literal, or an array, struct or map of literals, so that nothing in it is
ever evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from nbstamp.core.languages.base import CannotHold, Language, Meaning
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.numbers import is_double
from nbstamp.core.languages.text import lines
from nbstamp.core.parameters import Json, printable

LONGEST_LITERAL = 1000
"""Bytes of a text in one piece: Octave's kernel types the cell into a terminal, which takes lines
of 4,095 bytes."""

_KEYWORDS = """
    break case catch classdef continue else elseif end for function global if otherwise parfor
    persistent return spmd switch try while
"""
_USED = "true false NaN struct containers zeros char int64 uint64"
_SHADOWED = """
    abs all any axis cd cell cell2mat cellfun ceil class clear clc close cos datestr deal diff disp
    display double e eps error exist exp eye fclose fft figure fieldnames filter find fix fopen
    format fprintf hold i Inf inf input interp1 inv isempty isfield isnumeric j length line linspace
    load log log10 logical ls max mean median min mod nan norm numel ones path pi plot polyfit pwd
    rand randn real regexp repmat reshape round run save size sort sprintf sqrt std str2double
    string strcat strrep strsplit sum table text title trapz unique var which who whos xlabel ylabel
"""
KEYWORDS = frozenset(_KEYWORDS.split())
USED = frozenset(_USED.split())
"""What a cell calls; a variable of such a name would be indexed instead."""
SHADOWED = frozenset(_SHADOWED.split())

_FLINTMAX = 2**53


class Matlab(Language):
    """MATLAB, through any of its kernels."""

    name = "matlab"
    title = "MATLAB"
    aliases: ClassVar[tuple[str, ...]] = ("imatlab",)
    kernels: ClassVar[tuple[str, ...]] = ("matlab", "imatlab", "matlab_kernel", "*_matlab_kernel")
    checked = "rule"
    comment = "%"

    names = Names(
        grammar=re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}").fullmatch,
        rule="a variable consists of at most 63 letters A to Z, digits and underscores, and starts "
        "with a letter.",
        words=KEYWORDS | USED,
        steering=r"ans|varargin|varargout|nargin|nargout",
        shadowed=SHADOWED,
    )
    meaning = Meaning(
        null="`[]`, empty and without a row; among numbers `NaN`",
        boolean="`true` or `false`",
        integer="`double` wherever a double holds it, and that is the same as the number; other "
        "integers of up to 64 bits `int64` or `uint64`; larger ones are refused",
        number="`double`, to the last digit",
        text="`char`, in UTF-16",
        list="a row when all of it are numbers or all are booleans, else a cell array "
        "(`cell2mat(v')` makes a matrix of rows of numbers); empty: `zeros(1, 0)`; a row of one is "
        "the same as the value in it",
        object="`struct` when all keys can be fields, else `containers.Map`, which sorts its keys; "
        "one with an empty key is refused",
    )

    field: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
    """Which keys can be fields of a struct, unless they are one of :attr:`keywords`."""
    keywords: ClassVar[frozenset[str]] = KEYWORDS
    quote: ClassVar[str] = "'"

    def assignment(self, name: str, value: Json) -> str:
        return "\n".join(lay_out(f"{name} = ", self._node(value), ";"))

    def reading(self, name: str, value: Json, file: str) -> str:
        raise CannotHold(
            f"the template asks for it in a data file, and jsondecode of {self.title} would rename "
            "keys and turn lists into matrices. Its author can take the comment “type: data” away."
        )

    def equivalent(self, value: Json) -> Json:
        if isinstance(value, dict):
            keys = list(value) if self._is_struct(value) else sorted(value)
            return {key: self.equivalent(value[key]) for key in keys}
        if isinstance(value, list):
            items = [self.equivalent(item) for item in value]
            return items[0] if len(items) == 1 and isinstance(items[0], float | bool) else items
        if type(value) is int and is_double(value):
            return float(value)
        return value

    def text(self, text: str) -> list[str]:
        """Literals that make ``text`` when they stand side by side in brackets."""
        found = []
        for printed, run in groupby(text, str.isprintable):
            for piece in _pieces("".join(run), LONGEST_LITERAL // 4):
                if printed:
                    found.append("'{}'".format(piece.replace("'", "''")))
                else:
                    units = piece.encode("utf-16-be")
                    codes = [str(units[n] << 8 | units[n + 1]) for n in range(0, len(units), 2)]
                    inner = " ".join(codes)
                    found.append(f"char([{inner}])" if len(codes) > 1 else f"char({inner})")
        return found or ["''"]

    def _is_struct(self, value: dict[str, Json]) -> bool:
        return all(self.field.fullmatch(key) and key not in self.keywords for key in value)

    def _node(self, value: Json) -> Node:
        match value:
            case str():
                return self._text(value)
            case list():
                return self._list(value)
            case dict():
                return self._struct(value) if self._is_struct(value) else self._map(value)
        return _scalar(value)

    def _text(self, text: str) -> Node:
        broken = lines(text)
        pieces: list[str] = []
        for line in broken or [text]:
            literals = self.text(line)
            together = ", ".join(literals)
            short = broken and len(together.encode()) <= LONGEST_LITERAL
            pieces += [together] if short else literals
        if len(pieces) == 1:
            return pieces[0]
        items = [("", piece) for piece in pieces]
        return _group("[", items, "]", breaks=bool(broken) or len(text) > LONGEST_LITERAL)

    def _list(self, value: list[Json]) -> Node:
        if not value:
            return "zeros(1, 0)"
        if _is_row(value):
            return _group("[", [("", _scalar(item, "NaN")) for item in value], "]")
        items = [("", self._node(item)) for item in value]
        return _group("{", items, "}", breaks=is_table(value))

    def _struct(self, value: dict[str, Json]) -> Node:
        items: list[tuple[str, Node]] = []
        for key, item in value.items():
            node = self._node(item)
            if isinstance(node, Group) and node.opening == "{":
                # a cell array would make an array of structs
                node = node._replace(opening="{{", closing="}}")
            items.append((f"{self.quote}{key}{self.quote}, ", node))
        return _group("struct(", items, ")")

    def _map(self, value: dict[str, Json]) -> Node:
        if "" in value:
            raise CannotHold(
                f"an object in {self.title} cannot have an empty key. It would need a name."
            )
        keys = _group("{", [("", self._text(key)) for key in value], "}")
        values = _group("{", [("", self._node(item)) for item in value.values()], "}")
        uniform = f"{self.quote}UniformValues{self.quote}, "
        return _group("containers.Map(", [("", keys), ("", values), (uniform, "false")], ")")


# --- Literals -----------------------------------------------------------------------------------


def _group(
    opening: str, items: Sequence[tuple[str, Node]], closing: str, *, breaks: bool = False
) -> Group:
    # in brackets and braces, the end of a line begins a new row
    return Group(opening, items, closing, trailing=False, breaks=breaks, continued=" ...")


def _is_row(items: Sequence[Json]) -> bool:
    """True when all of ``items`` are booleans, or all are doubles or null and one is a double."""
    if all(isinstance(item, bool) for item in items):
        return True
    numbers = [item for item in items if item is not None]
    return bool(numbers) and all(
        isinstance(item, float) or (type(item) is int and is_double(item)) for item in numbers
    )


def _scalar(value: Json, null: str = "[]") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _integer(value)
    return null if value is None else repr(value)


def _integer(number: int) -> str:
    if is_double(number):
        return str(number) if abs(number) <= _FLINTMAX else repr(float(number))
    if not -(2**63) <= number < 2**64:
        raise CannotHold(
            f"no integer type holds {printable(str(number), 30)}. Sent as a text, it would arrive "
            "whole."
        )
    # a literal is a double before it is converted, so the last digits are added afterwards
    kind, size = "int64" if number < 2**63 else "uint64", abs(number)
    low = size.bit_length() - 53
    high = size >> low << low
    return f"{kind}({high}) + {size - high}" if number > 0 else f"{kind}(-{high}) - {size - high}"


def _pieces(text: str, length: int) -> list[str]:
    return [text[n : n + length] for n in range(0, len(text), length)]
