"""Values as people read them on a page: cut when long, with their size, nothing invisible."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from nbstamp.core.parameters import Json, json_size, language_text

LONGEST = 240
"""Characters of a value on a page."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One parameter on a page."""

    name: str
    text: str
    """The value, or its beginning."""
    kind: str
    """``text``, ``number``, ``yes or no``, ``list of 3``, ``empty`` …"""
    size: str
    """How large the whole value is when only its beginning is shown, else empty."""
    empty: bool
    """No value, or an empty text, list or object."""


def shown_parameters(parameters: Mapping[str, Json]) -> list[Shown]:
    """All parameters in their order, those that had to be cut last."""
    rows = [shown(name, value) for name, value in parameters.items()]
    return sorted(rows, key=lambda row: bool(row.size))


def shown(name: str, value: Json) -> Shown:
    """One parameter; the work does not grow with what is not shown, except for its size."""
    text = language_text(value)
    if text is None:
        text = value if isinstance(value, str) else _start(value)
    cut = len(text) > LONGEST
    return Shown(
        name=name,
        text=visible(text[:LONGEST]) + ("…" if cut else ""),
        kind=_kind(value),
        size=human_size(json_size(value)) if cut else "",
        empty=value is None or value in ("", [], {}) or text == "",
    )


def _start(value: Json) -> str:
    if value is None:
        return ""
    pieces = json.JSONEncoder(ensure_ascii=False).iterencode(value)
    return "".join(islice(pieces, LONGEST + 1))


def _kind(value: Json) -> str:
    if value is None:
        return "no value"
    if isinstance(value, bool):
        return "yes or no"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        rows = [len(row) for row in value if isinstance(row, list)]
        if value and len(rows) == len(value) and len(set(rows)) == 1:
            return f"table, {len(rows):,} × {rows[0]:,}"
        return f"list of {len(value):,}"
    if language_text(value) is not None:
        return "text (" + ", ".join(sorted(value)) + ")"
    return f"object with {len(value):,} {'entry' if len(value) == 1 else 'entries'}"


def visible(text: str) -> str:
    """``text`` with line breaks kept and every other invisible character written as an escape, so
    that nothing on the page looks like what it is not."""
    return "".join(
        c if c.isprintable() or c == "\n" else "" if c == "\r" else f"\\u{ord(c):04x}" for c in text
    )


def human_size(size: int) -> str:
    """``339 kB`` for 339,123 bytes."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000 or unit == "MB":
            return (
                f"{amount:.0f} {unit}"
                if amount >= 10 or unit == "bytes"
                else f"{amount:.1f} {unit}"
            )
        amount /= 1000
    return ""
