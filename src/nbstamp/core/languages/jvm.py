"""What a class file of the Java virtual machine can hold: 64 kB of code in a method, 65,535 bytes
in a text, 65,535 constants in a class.

Knows no language; Java and Scala divide large values by what is said here.
"""

from __future__ import annotations

from nbstamp.core.languages.base import CannotHold
from nbstamp.core.languages.layout import Node
from nbstamp.core.languages.text import lines
from nbstamp.core.parameters import Json

PART = 400
"""Weight of what is put into a method of its own; one value weighs 1, what is around it 2."""
METHOD = 1500
"""Weight that certainly fits into one method."""
CELL = 4000
"""Weight that certainly fits into the constructor of an object with nothing but values."""
CONSTANTS = 60_000
TEXT = 10_000
"""Characters of a text that certainly fit into one constant, each with up to 6 bytes."""

Weighed = tuple[Node, int]


def pieces(text: str) -> list[str] | None:
    """The lines of a text that is read better on several, or parts of one that is too long for
    one constant; else None."""
    found = lines(text)
    if found and len(found) <= PART and max(map(len, found)) <= TEXT:
        return found
    if len(text) > TEXT:
        return [text[start : start + TEXT] for start in range(0, len(text), TEXT)]
    return None


def parts(items: list[Weighed]) -> list[list[Weighed]]:
    """``items`` in consecutive parts, each of which fits into one method."""
    found: list[list[Weighed]] = [[]]
    weight = 0
    for item in items:
        if found[-1] and weight + item[1] > PART:
            found.append([])
            weight = 0
        found[-1].append(item)
        weight += item[1]
    return found


def check(value: Json, weight: int) -> None:
    """Raise :class:`CannotHold` for a value that does not fit into one class."""
    if weight > METHOD or _constants(value) > CONSTANTS:
        raise CannotHold(
            "it holds more values than a compiled class of the Java virtual machine can. A list of "
            "rows can be longer than an object, and several parameters longer than one."
        )


def _constants(value: Json) -> int:
    """Entries of the constant pool."""
    found: set[str | int | float] = set()
    stack: list[Json] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            found.update(item)
            stack += item.values()
        elif isinstance(item, list):
            stack += item
        elif item is not None:
            found.add(item)
    return 2 * len(found)
