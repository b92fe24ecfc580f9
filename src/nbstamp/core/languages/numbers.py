"""Which integers languages with numbers of 64 bits hold. Knows no language."""

from __future__ import annotations

from nbstamp.core.parameters import Json


def is_double(integer: int) -> bool:
    """True when a double is exactly this integer, as 10**20 is, and 2**53 + 1 is not."""
    try:
        return int(float(integer)) == integer
    except OverflowError:
        return False


def rounded(value: Json, smallest: int = 0, largest: int = 0) -> bool:
    """True when something in ``value`` is an integer that no double is, and not one of those from
    ``smallest`` to ``largest``."""
    if isinstance(value, list):
        return any(rounded(item, smallest, largest) for item in value)
    if isinstance(value, dict):
        return any(rounded(item, smallest, largest) for item in value.values())
    return isinstance(value, int) and not (smallest <= value <= largest or is_double(value))
