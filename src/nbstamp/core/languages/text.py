"""Texts between quotes: which characters stand as they are, and how the others are written.

Every escape has a fixed width, so that what follows never becomes part of it, and nothing that a
person could not see stands raw. Knows no language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from nbstamp.core.languages.layout import WIDTH

ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
"""What languages in the tradition of C write for themselves between double quotes."""
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


def quoted(text: str, quote: str, escapes: Mapping[str, str], escape: Callable[[str], str]) -> str:
    """``text`` between ``quote``: ``escapes`` for the characters that it names, ``escape`` for
    every other one that is not printable."""
    if text.isprintable():
        for character in escapes:
            if character in text:
                break
        else:
            return f"{quote}{text}{quote}"
    written = (escapes.get(c) or (c if c.isprintable() else escape(c)) for c in text)
    return f"{quote}{''.join(written)}{quote}"


def utf16(character: str) -> str:
    r"""``\uXXXX`` for each UTF-16 unit, as JSON, JavaScript and the JVM have it."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))


def octal(character: str) -> str:
    r"""``\ooo`` for each byte of UTF-8."""
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8"))


def lines(text: str) -> list[str] | None:
    """The lines of a text that is read better on several, each with its end; else None."""
    if len(text) <= WIDTH // 2 or "\n" not in text[:-1]:
        return None
    return _LINES.findall(text)
