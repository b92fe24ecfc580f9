"""The one type that JSON values have in a language whose lists and maps hold values of one type.

Knows how the types of items come together, and no language: each says how it writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce

from nbstamp.core.languages.base import CannotHold
from nbstamp.core.languages.layout import is_table
from nbstamp.core.languages.numbers import is_double
from nbstamp.core.parameters import Json, printable


@dataclass(frozen=True, slots=True)
class Type:
    """A type; two that are equal are one type in the language."""

    kind: str
    """``null``, ``boolean``, ``number``, ``text``, the name of an integer type, ``list`` and
    ``object`` (whose items are of one type), ``row`` (whose items have a type each) or ``any``."""
    items: tuple[Type, ...] = ()
    """Of a list or an object the type of its items, or nothing when it has none."""
    optional: bool = False
    """Null is among the values."""
    exact: bool = True
    """A double holds each of the integers."""


NULL = Type("null")
ANY = Type("any")


@dataclass(frozen=True, slots=True)
class Types:
    """The types of one language."""

    integers: tuple[tuple[str, int], ...]
    """Names of its integer types and their bits with the sign, the smallest first."""
    longest_row: int = 0
    """Items up to which a list of several types is a tuple."""
    depth: int = 4
    """Levels of nesting up to which a type is spelled out; what is below can be anything."""
    anything: bool = True
    """The language has a type for values of any type."""

    def of(self, value: Json) -> Type:
        """The type of ``value``."""
        return self._limited(self._of(value), self.depth)

    def settled(self, value: Json, kind: Type | None = None) -> Json:
        """``value`` as its type has it: an integer among numbers is a number. Objects have their
        keys in alphabetical order, as not every map keeps another."""
        if kind is None or kind == ANY:
            kind = self.of(value)
        if isinstance(value, list):
            kinds = kind.items if kind.kind == "row" else kind.items * len(value)
            return [self.settled(item, one) for item, one in zip(value, kinds, strict=True)]
        if isinstance(value, dict):
            return {key: self.settled(value[key], *kind.items) for key in sorted(value)}
        if isinstance(value, int) and kind.kind == "number":
            return float(value)
        return value

    def _of(self, value: Json) -> Type:
        if value is None:
            return NULL
        if isinstance(value, bool):
            return Type("boolean")
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            return Type("number")
        if isinstance(value, str):
            return Type("text")
        if isinstance(value, dict):
            return Type("object", self._together([self._of(item) for item in value.values()]))
        rows = [row for row in value if isinstance(row, list)]
        if is_table(value) and (row := self._row(rows)):
            return Type("list", (row,))
        items = [self._of(item) for item in value]
        one = self._together(items)
        if one == (ANY,) and len(items) <= self.longest_row:
            return Type("row", tuple(items))
        return Type("list", one)

    def _row(self, rows: list[list[Json]]) -> Type | None:
        """The type of the rows of a table by its columns; None when a column has no type."""
        if len(rows[0]) > self.longest_row:
            return None
        columns = [reduce(self._join, map(self._of, column)) for column in zip(*rows, strict=True)]
        if ANY in columns:
            return None
        one = reduce(self._join, columns)
        return Type("row", tuple(columns)) if one == ANY else Type("list", (one,))

    def _integer(self, value: int) -> Type:
        for name, bits in self.integers:
            if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
                return Type(name, exact=is_double(value))
        return Type("number", exact=is_double(value))

    def _together(self, types: list[Type]) -> tuple[Type, ...]:
        return (reduce(self._join, types),) if types else ()

    def _join(self, one: Type, other: Type) -> Type:
        """The type of either."""
        if one == other:
            return one
        if ANY in (one, other):
            return ANY
        if one.kind == "null" or other.kind == "null":
            return replace(other if one.kind == "null" else one, optional=True)
        optional = one.optional or other.optional
        exact = one.exact and other.exact
        order = [name for name, _ in self.integers]
        if one.kind in order and other.kind in order:
            kind = max(one.kind, other.kind, key=order.index)
            return Type(kind, optional=optional, exact=exact)
        if {one.kind, other.kind} <= {*order, "number"} and exact:
            return Type("number", optional=optional)
        if one.kind != other.kind:
            return ANY
        if one.kind == "row":
            if len(one.items) != len(other.items):
                return ANY
            items = tuple(map(self._join, one.items, other.items))
            return ANY if ANY in items else Type("row", items, optional)
        if one.kind in {"list", "object"}:
            both = tuple(map(self._join, one.items, other.items))
            if ANY in both and not self.anything:
                return ANY
            return Type(one.kind, both or one.items or other.items, optional)
        return Type(one.kind, optional=optional)

    def _limited(self, one: Type, depth: int) -> Type:
        if not one.items:
            return one
        if depth == 0:
            return ANY
        return replace(one, items=tuple(self._limited(item, depth - 1) for item in one.items))


def exact_double(integer: int) -> float:
    """``integer`` as a double.

    Raises :class:`CannotHold` when no double is exactly this integer.
    """
    if not is_double(integer):
        raise CannotHold(
            f"the integer {printable(str(integer), 40)} is too large for its integers, and a "
            "floating point number would change it. A text would do."
        )
    return float(integer)


def scalar(value: float | None, kind: Type, integers: Mapping[str, str]) -> str:
    """The literal of a number, a truth value or null where they are spelled as in C; ``integers``
    are format strings for the types whose literals are not the digits alone.

    Raises :class:`CannotHold`.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind.kind == "number":
        return repr(exact_double(value) if isinstance(value, int) else value)
    return integers.get(kind.kind, "{}").format(value)
