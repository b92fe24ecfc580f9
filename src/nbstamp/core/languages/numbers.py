"""Which integers languages with numbers of 64 bits hold. Knows no language."""

from __future__ import annotations


def is_double(integer: int) -> bool:
    """True when a double is exactly this integer, as 10**20 is, and 2**53 + 1 is not."""
    try:
        return int(float(integer)) == integer
    except OverflowError:
        return False
