"""R values, laid out for people.

Every value becomes a literal of R, or a vector or list of literals, so that nothing in it is ever
evaluated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from nbstamp.core.languages.base import CannotHold, Language, Meaning
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.numbers import is_double
from nbstamp.core.languages.text import ESCAPES, lines, quoted
from nbstamp.core.parameters import Json, printable

_LONGEST_NAME = 10_000
"""Bytes of a name in front of ``=``; ``names = c(…)`` takes longer ones."""
_DEEPEST = 48
"""Open brackets; R's parser gives up at 50 (``CONTEXTSTACK_SIZE`` in gram.y)."""


_WORDS = """
    if else repeat while function for next break in TRUE FALSE NULL Inf NaN NA NA_integer_ NA_real_
    NA_character_ NA_complex_
"""
_SHADOWED = "T F pi letters LETTERS month.abb month.name version R.version"


def _is_name(name: str) -> bool:
    return (
        name.replace(".", "_").isidentifier()
        and all(c.isalpha() or c.isdecimal() or c in "._" for c in name)
        and not re.match(r"_|\.[0-9_]", name)
    )


class R(Language):
    """R, and SparkR on Spark. The session needs a UTF-8 locale, as any notebook does whose texts
    are not plain ASCII: in the locale ``C``, R itself replaces other letters in what it reads.
    Data files are read with jsonlite, which the kernel brings along; integers that are no doubles
    become texts there.
    """

    name = "r"
    title = "R"
    # the last one is what the Spark kernels call it
    aliases = ("ir", "irkernel", "sparkr")
    kernels = (
        "ir",
        "ir[0-9_.-]*",
        "r",
        "r-[0-9]*",
        "xr",
        "xeus-r",
        "conda-env-*-r",
        "sparkrkernel",
        "*_sparkr",
        "spark_r",
    )

    names = Names(
        grammar=_is_name,
        rule="a variable consists of letters, digits, dots and underscores, and starts with a "
        "letter.",
        words=frozenset(_WORDS.split()),
        # the workspace's hooks and the state of its random numbers; … and ..1 are arguments
        steering=r"\.\.\.|\.\.[0-9]+|\.(First|Last)(\.sys|\.value)?|\.Random\.seed",
        # a value does not hide a function when that is called, so c, t and df are good names
        shadowed=frozenset(_SHADOWED.split()),
    )
    meaning = Meaning(
        null="`NULL`; among numbers, texts or booleans `NA`",
        boolean="`TRUE` or `FALSE`",
        integer="`integer` (`3L`) up to 2147483647 on both sides of zero, from there on `double`; "
        "an integer that no double holds, such as 9007199254740993, is refused",
        number="`double`, to the last digit",
        text="`character`; one with the character NUL is refused",
        list="a vector when all of it are numbers, texts or booleans (numbers become `double` when "
        "one of them is), else `list`; R cannot tell a vector of one from the value in it",
        object="`list` with names, in the order that was sent",
    )

    def assignment(self, name: str, value: Json) -> str:
        return "\n".join(lay_out(f"{name} <- ", _node(value, 0)))

    def reading(self, name: str, value: Json, file: str) -> str:
        return f"{name} <- jsonlite::read_json({_text(file)}, bigint_as_char = TRUE)"

    def equivalent(self, value: Json) -> Json:
        if isinstance(value, dict):
            return {key: self.equivalent(item) for key, item in value.items()}
        if isinstance(value, list):
            items = [self.equivalent(item) for item in value]
            kind = _kind(items)
            if len(items) == 1 and kind:
                return items[0]
            if kind is float and any(isinstance(item, float) for item in items):
                return [float(item) if isinstance(item, int) else item for item in items]
            return items
        if type(value) is int and abs(value) > _LARGEST and is_double(value):
            return float(value)
        return value


# --- Literals -----------------------------------------------------------------------------------

_LARGEST = 2**31 - 1


def _kind(items: Sequence[Json]) -> type | None:
    """What the vector of ``items`` consists of, when they can be one."""
    kinds = {
        float if isinstance(item, int) and not isinstance(item, bool) else type(item)
        for item in items
        if item is not None
    }
    kind = next(iter(kinds)) if len(kinds) == 1 else None
    return kind if kind in (float, str, bool) else None


def _scalar(value: Json, null: str = "NULL", *, whole: bool = True) -> str:
    """``whole``: numbers of no decimals may be integers; among doubles, R makes doubles of them."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return _integer(value, whole=whole)
    return _decimal(value) if isinstance(value, float) else null


def _integer(number: int, *, whole: bool) -> str:
    if whole and abs(number) <= _LARGEST:
        return f"{number}L"
    if not is_double(number):
        raise CannotHold(
            f"R has no integer as large as {printable(str(number), 30)} and would round it. "
            "Sent as a text, it would arrive whole."
        )
    return str(number) if abs(number) <= 2**53 else _decimal(float(number))


def _decimal(number: float) -> str:
    """The shortest decimals that R reads as ``number``.

    R reads decimals in extended precision and rounds twice, so that a decimal close to the middle
    between two doubles may become the other one (16 of 100,000 doubles as ``repr`` writes them).
    Those are written with more digits, which are closer to the double that is meant.
    """
    shortest = repr(number)
    digits, _, exponent = shortest.lstrip("-").partition("e")
    whole, _, part = digits.partition(".")
    power = int(exponent or 0) - len(part)
    above, below = abs(number).as_integer_ratio()
    there, unit = int(whole + part) * 10 ** max(power, 0), 10 ** max(-power, 0)
    # |there / unit - above / below| against half the step to the next double
    distance = abs(there * below - above * unit) / (below * unit) if number else 0.0
    # powers of ten up to 10^27 are exact in extended precision, the others are products
    blur = abs(number) * 2.0 ** (-63 if abs(power) <= 27 else -58)
    if distance + blur < math.ulp(number) / 2:
        return shortest
    return f"{number:.20e}"


def _text(text: str) -> str:
    if "\x00" in text:
        raise CannotHold("a text in R cannot hold the character NUL (\\u0000).")
    return quoted(text, '"', ESCAPES, _escape)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _node(value: Json, depth: int) -> Node:
    if isinstance(value, list):
        if _kind(value):
            whole = not any(isinstance(item, float) for item in value)
            literals = (_scalar(item, "NA", whole=whole) for item in value)
            return Group("c(", [("", literal) for literal in literals], ")", trailing=False)
        items = [("", _node(item, _deeper(depth))) for item in value]
        return Group("list(", items, ")", trailing=False, breaks=is_table(value))
    if isinstance(value, dict):
        return _named(value, depth)
    if isinstance(value, str) and (pieces := lines(value)):
        items = [("", _text(line)) for line in pieces]
        return Group("paste0(", items, ")", trailing=False, breaks=True)
    return _scalar(value)


def _named(value: dict[str, Json], depth: int) -> Node:
    keys = [_text(key) for key in value]
    if all(0 < len(key.encode()) < _LONGEST_NAME for key in value) and value:
        pairs = zip(keys, value.values(), strict=True)
        items = [(f"{key} = ", _node(item, _deeper(depth))) for key, item in pairs]
        return Group("list(", items, ")", trailing=False)
    # nothing, "" and very long texts cannot stand in front of =
    names = Group("c(", [("", key) for key in keys], ")", trailing=False)
    inner = [("", _node(item, _deeper(depth + 1))) for item in value.values()]
    parts: list[tuple[str, Node]] = [
        ("", Group("list(", inner, ")", trailing=False)),
        ("names = ", names if keys else "character(0)"),
    ]
    return Group("structure(", parts, ")", trailing=False)


def _deeper(depth: int) -> int:
    if depth + 1 > _DEEPEST:
        raise CannotHold("R does not read values that are nested so deeply.")
    return depth + 1
