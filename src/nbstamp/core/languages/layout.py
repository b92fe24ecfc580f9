"""Source code laid out for people: on one line where it fits, else broken like a careful author
would break it.

Knows brackets and a margin, and no language: a language turns a value into a tree of groups and
finished literals, and this module decides where the lines end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nbstamp.core.parameters import Json

WIDTH = 88
"""Columns that a line should keep to."""
SHORT = 24
"""Columns up to which items share lines in a group that is filled."""
STEP = "    "


@dataclass(frozen=True, slots=True)
class Group:
    """Something in brackets; blanks inside them are for one line alone."""

    opening: str
    items: Sequence[tuple[str, Node]]
    """What stands in front of an item (a key), and the item."""
    closing: str
    separator: str = ","
    """After every item but the last."""
    trailing: bool = True
    """The language allows a separator after the last item, too, when the group is broken."""
    breaks: bool = False
    """Never on one line, although it would fit."""
    continued: str = ""
    """What the language wants at the end of a line inside a statement, such as `` ...``."""


Node = str | Group


def is_table(value: Json) -> bool:
    """True for two or more rows of equal length without anything nested: one row per line."""
    if not isinstance(value, list) or len(value) < 2:
        return False
    rows = [row for row in value if isinstance(row, list)]
    return (
        len(rows) == len(value)
        and len(set(map(len, rows))) == 1
        and len(rows[0]) > 0
        and not any(isinstance(item, list | dict) for row in rows for item in row)
    )


def around(before: str, node: Node, after: str) -> Node:
    """``node`` between two texts that belong to its first and its last line."""
    if isinstance(node, str):
        return before + node + after
    return replace(node, opening=before + node.opening, closing=node.closing + after)


def lay_out(prefix: str, node: Node, suffix: str = "") -> list[str]:
    """The lines of ``prefix node suffix``; the work grows with the source, not with its depth."""
    lines: list[str] = []
    _put(node, lines, prefix, "", suffix, "")
    return lines


def flat(node: Node) -> str:
    """``node`` on one line, however long it gets."""
    if isinstance(node, str):
        return node
    items = f"{node.separator} ".join(key + flat(item) for key, item in node.items)
    return node.opening + items + node.closing


def _one_line(node: Node, room: int) -> str | None:
    """``node`` on one line of at most ``room`` columns, or None; gives up as soon as it is too
    long."""
    if isinstance(node, str):
        return node if len(node) <= room else None
    if node.breaks:
        return None
    separator = f"{node.separator} "
    left = room - len(node.opening) - len(node.closing)
    pieces: list[str] = []
    for key, item in node.items:
        left -= len(key) + (len(separator) if pieces else 0)
        if left < 0 or (piece := _one_line(item, left)) is None:
            return None
        left -= len(piece)
        pieces.append(key + piece)
    return node.opening + separator.join(pieces) + node.closing if left >= 0 else None


def _put(
    node: Node, lines: list[str], prefix: str, indent: str, suffix: str, continued: str
) -> None:
    if isinstance(node, Group) and not node.items:
        node = node.opening + node.closing
    room = WIDTH - len(indent) - len(prefix) - len(suffix) - len(continued)
    if (line := _one_line(node, room)) is not None or isinstance(node, str):
        lines.append(f"{indent}{prefix}{node if line is None else line}{suffix}{continued}")
        return
    inside = indent + STEP
    lines.append(f"{indent}{prefix}{node.opening.rstrip()}{node.continued}")
    if not _fill(node, lines, inside):
        last = len(node.items) - 1
        for number, (key, item) in enumerate(node.items):
            end = node.separator if number < last or node.trailing else ""
            _put(item, lines, key, inside, end, node.continued)
    lines.append(f"{indent}{node.closing.lstrip()}{suffix}{continued}")


def _fill(group: Group, lines: list[str], indent: str) -> bool:
    """Put short literals side by side up to the margin; False when the items are something else."""
    if group.breaks:
        return False
    literals: list[str] = []
    for key, item in group.items:
        if key or not isinstance(item, str) or len(item) > SHORT:
            return False
        literals.append(item)
    room = WIDTH - len(group.continued)
    between = f"{group.separator} "
    last = len(literals) - 1
    first, width = 0, len(indent)
    for number, item in enumerate(literals):
        end = len(group.separator) if number < last or group.trailing else 0
        if width + len(item) + end > room and number > first:
            line = indent + between.join(literals[first:number]) + group.separator
            lines.append(line + group.continued)
            first, width = number, len(indent)
        width += len(item) + len(between)
    line = indent + between.join(literals[first:]) + (group.separator if group.trailing else "")
    lines.append(line + group.continued)
    return True
