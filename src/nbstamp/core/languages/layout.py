"""Source code laid out for people: on one line where it fits, else broken like a careful author
would break it.

Knows brackets and a margin, and no language: a language turns a value into a tree of groups and
finished literals, and this module decides where the lines end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from nbstamp.core.parameters import Json

WIDTH = 88
"""Columns that a line should keep to."""
SHORT = 24
"""Columns up to which items share lines in a group that is filled."""
STEP = "    "


class Group(NamedTuple):
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
    if not isinstance(value, list) or len(value) < 2 or not isinstance(value[0], list):
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
    return node._replace(opening=before + node.opening, closing=node.closing + after)


def lay_out(prefix: str, node: Node, suffix: str = "") -> list[str]:
    """The lines of ``prefix node suffix``; the work grows with the source, not with its depth."""
    if (line := _one_line(node, WIDTH - len(prefix) - len(suffix))) is not None:
        return [f"{prefix}{line}{suffix}"]
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
    if left < len(node.items) * len(separator) - len(separator):  # the separators alone
        return None
    pieces: list[str] = []
    for key, item in node.items:
        left -= len(key) + (len(separator) if pieces else 0)
        piece = item if isinstance(item, str) else _one_line(item, left)
        if piece is None or (left := left - len(piece)) < 0:
            return None
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
    literals = [item for key, item in group.items if not key and isinstance(item, str)]
    if len(literals) < len(group.items) or max(map(len, literals)) > SHORT:
        return False
    between = f"{group.separator} "
    # where each item would begin on one endless line; the last number is where that would end
    begins = [0, *accumulate(map(len(between).__add__, map(len, literals)))]
    if not group.trailing:
        begins[-1] -= len(group.separator)
    room = WIDTH - len(group.continued) - len(indent) + len(between) - len(group.separator)
    first = 0
    while first < len(literals):
        # as many as end within the room, and at least one
        end = max(first + 1, bisect_right(begins, begins[first] + room) - 1)
        last = end == len(literals)
        lines.append(
            indent
            + between.join(literals[first:end])
            + (group.separator if group.trailing or not last else "")
            + group.continued
        )
        first = end
    return True
