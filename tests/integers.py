"""What a test expects of integers in languages whose own have 64 bits."""

from __future__ import annotations

from nbstamp.core.parameters import Json


def rounded(value: Json, smallest: int, end: int) -> bool:
    """True when something in ``value`` is an integer that the language would change: not from
    ``smallest`` up to ``end``, and with more than the 53 bits or the exponent of a double."""
    if isinstance(value, list):
        return any(rounded(item, smallest, end) for item in value)
    if isinstance(value, dict):
        return any(rounded(item, smallest, end) for item in value.values())
    if not isinstance(value, int) or smallest <= value < end:
        return False
    zeros = (value & -value).bit_length() - 1
    return value.bit_length() - zeros > 53 or value.bit_length() > 1024
