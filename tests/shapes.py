"""What languages hold whose lists and maps hold one type: said by kinds of values, and without the
types that the languages themselves work with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nbstamp.core.parameters import Json


@dataclass(frozen=True)
class Shapes:
    """What one such language holds."""

    bits: int
    """Of its largest integer."""
    longest_row: int
    """Items of its longest tuple."""

    def holds(self, value: Json) -> bool:
        """True when ``value`` has a type."""
        if isinstance(value, list):
            if self.alike(value):
                return True
            return len(value) <= self.longest_row and all(map(self.holds, value))
        if isinstance(value, dict):
            return self.alike(value.values())
        return not isinstance(value, int) or self.holds_integer(value)

    def holds_integer(self, value: int) -> bool:
        if -(2 ** (self.bits - 1)) <= value < 2 ** (self.bits - 1):
            return True
        return is_double(value)

    def alike(self, values: Iterable[Json]) -> bool:
        """True when all ``values`` have one type; null is every type."""
        some = [value for value in values if value is not None]
        if all(isinstance(value, bool) for value in some):
            return True
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in some):
            integers = [value for value in some if isinstance(value, int)]
            small = all(-(2 ** (self.bits - 1)) <= n < 2 ** (self.bits - 1) for n in integers)
            return (small and len(integers) == len(some)) or all(map(is_double, integers))
        if all(isinstance(value, str) for value in some):
            return True
        if all(isinstance(value, dict) for value in some):
            return self.alike(v for one in some if isinstance(one, dict) for v in one.values())
        rows = [value for value in some if isinstance(value, list)]
        if len(rows) < len(some):
            return False
        if self.alike(item for row in rows for item in row):
            return True
        if len({len(row) for row in rows}) != 1 or len(rows[0]) > self.longest_row:
            return False
        return all(map(self.alike, zip(*rows, strict=True)))


def is_double(integer: int) -> bool:
    """True when ``integer`` is exactly a double."""
    return abs(integer) < 2**1023 and float(integer) == integer
