"""Lua literals, laid out for people.

Variables are global, because a local one ends with its cell.
"""

from __future__ import annotations

import re

from nbstamp.core.languages.base import CannotHold, Language, Meaning
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import ASCII, Names
from nbstamp.core.languages.numbers import is_double
from nbstamp.core.languages.text import ESCAPES, lines, quoted
from nbstamp.core.parameters import Json

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_REGISTERS = 200
"""Of the 255 that a function has."""
_WORDS = frozenset(
    [
        "and",
        "break",
        "do",
        "else",
        "elseif",
        "end",
        "false",
        "for",
        "function",
        "goto",
        "if",
        "in",
        "local",
        "nil",
        "not",
        "or",
        "repeat",
        "return",
        "then",
        "true",
        "until",
        "while",
    ]
)
_SHADOWED = """
    arg assert bit32 collectgarbage coroutine debug dofile error getmetatable ipairs load
    loadfile loadstring math module next os package pairs pcall print rawequal rawget rawlen rawset
    require select setmetatable string table tonumber tostring type unpack utf8 warn xpcall
"""


class Lua(Language):
    """Lua 5.3 or newer in xeus-lua or ILua."""

    name = "lua"
    title = "Lua"
    aliases = ("ilua",)
    kernels = ("lua", "lua5*", "xlua", "xeus-lua", "ilua")
    comment = "--"
    names = Names(
        words=_WORDS,
        # the language keeps names with capitals after an underscore, kernels flush “io”
        steering=r"_+|_[A-Z].*|__.*|io|ilua",
        shadowed=frozenset(_SHADOWED.split()),
    )
    meaning = Meaning(
        null="`nil`; an object's member that is null is a member that is not there; refused "
        "inside a list, whose length it would make unknown",
        boolean="`true` or `false`",
        integer="an integer; beyond 64 bits a float where that is exactly this integer, else "
        "refused",
        number="a float, to the last digit",
        text="a string in UTF-8",
        list="a table, counted from 1; an empty list is the same as an empty object",
        object="a table, which has no order",
    )

    def assignment(self, name: str, value: Json) -> str:
        return "\n".join(
            lay_out(f"{name} = ", _node(value, counted=_registers(value) > _REGISTERS))
        )

    def equivalent(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self.equivalent(item) for item in value]
        if isinstance(value, dict):
            there = {k: self.equivalent(value[k]) for k in sorted(value) if value[k] is not None}
            return there or []
        if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST and is_double(value):
            return float(value)
        return value


# --- Literals -----------------------------------------------------------------------------------


def _scalar(value: Json) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if value == _SMALLEST and isinstance(value, int):
        return f"{_SMALLEST + 1} - 1"  # its digits would be a float
    if isinstance(value, int) and not (_SMALLEST <= value <= _LARGEST or is_double(value)):
        raise CannotHold(
            "it has an integer beyond 64 bits, which Lua would round. It would do as a text."
        )
    return repr(value)


def _text(text: str) -> str:
    # ILua reads the source from JSON and takes \\u for an escape of JSON, wherever it stands
    return re.sub(r"\\\\(?=u)", r"\\092", quoted(text, '"', ESCAPES, _escape))


def _escape(character: str) -> str:
    return "".join(f"\\{byte:03d}" for byte in character.encode())


def _key(key: str) -> str:
    return f"{key} = " if ASCII(key) and key not in _WORDS else f"[{_text(key)}] = "


def _registers(value: Json) -> int:
    """About how many registers the compiler takes: those of a list hold up to 50 items at once."""
    if isinstance(value, list):
        return 2 + max((n % 50 + _registers(item) for n, item in enumerate(value)), default=0)
    if isinstance(value, dict):
        return 2 + max(map(_registers, value.values()), default=0)
    return 1


def _node(value: Json, *, counted: bool) -> Node:
    """``counted``: each item of a list with its number, which takes no register."""
    if isinstance(value, list):
        if None in value:
            raise CannotHold(
                "it has a null inside a list, which in Lua ends there. A list without it, or an "
                "object with keys, would do."
            )
        items = [
            (f"[{n}] = " if counted else "", _node(item, counted=counted))
            for n, item in enumerate(value, 1)
        ]
        return Group("{", items, "}", breaks=is_table(value))
    if isinstance(value, dict):
        members = [(_key(key), _node(item, counted=counted)) for key, item in value.items()]
        return Group("{", members, "}")
    if isinstance(value, str) and (pieces := lines(value)):
        # \z skips the end of the line and the blanks that follow
        texts = [("", re.sub("^ ", r"\\032", _text(line)[1:-1])) for line in pieces]
        return Group('"\\z', texts, '"', separator="\\z", breaks=True)
    return _scalar(value)
