"""Scala literals, for almond and the Scala shells, where a value can be defined again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages import jvm
from nbstamp.core.languages.base import Language, Meaning
from nbstamp.core.languages.jvm import Weighed
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.text import ESCAPES, quoted, utf16
from nbstamp.core.languages.types import ANY, Type, Types, scalar
from nbstamp.core.parameters import Json, printable

_TYPES = Types(integers=(("Int", 32), ("Long", 64), ("BigInt", 20_000)), depth=3)


class Scala(Language):
    """Scala 2 and 3."""

    name = "scala"
    title = "Scala"
    aliases = ("scala2", "scala3", "scala211", "scala212", "scala213")
    kernels = (
        "scala*",
        "almond*",
        "*_scala",
        "spark_scala*",
        "sparkkernel",
        "spylon*",
    )
    comment = "//"

    names = Names(
        grammar=re.compile(r"[A-Za-z][A-Za-z0-9_]*").fullmatch,
        rule="a variable consists of the letters A to Z, digits and underscores, and starts with a "
        "letter.",
        words=frozenset(
            [
                "abstract",
                "case",
                "catch",
                "class",
                "def",
                "do",
                "else",
                "enum",
                "export",
                "extends",
                "false",
                "final",
                "finally",
                "for",
                "forSome",
                "given",
                "if",
                "implicit",
                "import",
                "lazy",
                "macro",
                "match",
                "new",
                "null",
                "object",
                "override",
                "package",
                "private",
                "protected",
                "return",
                "sealed",
                "super",
                "then",
                "this",
                "throw",
                "trait",
                "true",
                "try",
                "type",
                "val",
                "var",
                "while",
                "with",
                "yield",
                "Any",
                "BigInt",
                "Boolean",
                "Double",
                "Int",
                "Long",
                "Map",
                "Seq",
                "String",
                "scala",
                "java",
            ]
        ),
        # results, and the tools of almond, Ammonite and Spark
        steering=r"res\d+|cmd\d+|ammonite|almond|interp|repl|kernel|publish|spark|sc|sqlContext",
        shadowed=frozenset(
            [
                "Array",
                "Console",
                "Iterator",
                "List",
                "None",
                "Nil",
                "Option",
                "Range",
                "Right",
                "Left",
                "Set",
                "Some",
                "Stream",
                "System",
                "Vector",
                "assert",
                "display",
                "identity",
                "locally",
                "math",
                "print",
                "printf",
                "println",
                "require",
            ]
        ),
    )
    meaning = Meaning(
        null="`null` of type `Any`",
        boolean="`Boolean`",
        integer="`Int`, `Long` or `BigInt`, as its size asks; in a list or a map all of the "
        "largest that is needed",
        number="`Double`; integers among them become `Double`, too, where that is exact",
        text="`String`",
        list="`Seq` of one type, or of `Any`; from about 30,000 different values on refused",
        object="`Map[String, …]`, in no order; from some hundred keys on refused",
    )

    def cell(self, parameters: Mapping[str, Json], files: Mapping[str, str] | None = None) -> str:
        source = super().cell(parameters, files)
        weight = 0
        for name, value in parameters.items():
            weight += 2 + _node(value, _TYPES.of(value))[1]
            if weight > jvm.CELL:  # the values of a cell are made in one method
                raise UnacceptableParameter(
                    name,
                    f"The values up to “{printable(name)}” are more than one cell can hold in "
                    "Scala. A list of rows can be longer than the same values in many parameters.",
                )
        return source

    def assignment(self, name: str, value: Json) -> str:
        kind = _TYPES.of(value)
        node, weight = _node(value, kind)
        jvm.check(value, weight)
        # a name that ends in an underscore would take the colon with it
        colon = " :" if name.endswith("_") else ":"
        declared = f"{name}{colon} Any" if value is None else name
        return "\n".join(lay_out(f"val {declared} = ", node))

    def equivalent(self, value: Json) -> Json:
        return _TYPES.settled(value)


# --- Literals -----------------------------------------------------------------------------------

_NAMED = {"boolean": "Boolean", "number": "Double", "text": "String"}
_ESCAPES = ESCAPES | {"\f": "\\f", "\b": "\\b"}
_INTEGERS = {"Long": "{}L", "BigInt": 'BigInt("{}")'}


def _named(kind: Type) -> str:
    item = _named(kind.items[0]) if kind.items else "Any"
    match kind.kind:
        case "list":
            return f"Seq[{item}]"
        case "object":
            return f"Map[String, {item}]"
        case "any" | "null":
            return "Any"
    # numbers and booleans cannot be null
    return "Any" if kind.optional and kind.kind != "text" else _NAMED.get(kind.kind, kind.kind)


def _node(value: Json, kind: Type) -> Weighed:
    if kind == ANY:
        kind = _TYPES.of(value)
    if isinstance(value, list):
        return _list(value, kind)
    if isinstance(value, dict):
        return _map(value, kind)
    if isinstance(value, str):
        if pieces := jvm.pieces(value):
            items = [("", _text(piece)) for piece in pieces]
            group = Group("Seq(", items, ").mkString", trailing=False, breaks=True)
            return group, len(pieces) + 2
        return _text(value), 1
    return scalar(value, kind, _INTEGERS), 1


def _list(value: list[Json], kind: Type) -> Weighed:
    one = kind.items[0] if kind.items else ANY
    name = _named(one)
    # left to itself, the compiler makes numbers of one type of numbers of several
    opening = f"Seq[{name}](" if one.items or one.optional or name not in _PLAIN else "Seq("
    items = [_node(item, one) for item in value]
    weight = 2 + sum(each for _, each in items)
    if weight <= _SHORT:
        return _sequence(opening, [node for node, _ in items], breaks=is_table(value)), weight
    divided = [
        ("() => ", _sequence(opening, [node for node, _ in part], breaks=is_table(value)))
        for part in jvm.parts(items)
    ]
    group = Group(
        f"Seq[() => Seq[{name}]](", divided, ").flatMap(_())", trailing=False, breaks=True
    )
    return group, 2 + 2 * len(divided)


_SHORT = 100
"""Weight of a list that is made at one go, together with all others of the cell."""
_PLAIN = {"Boolean", "Double", "Int", "Long", "BigInt", "String"}


def _sequence(opening: str, nodes: list[Node], *, breaks: bool) -> Node:
    return Group(opening, [("", node) for node in nodes], ")", trailing=False, breaks=breaks)


def _map(value: dict[str, Json], kind: Type) -> Weighed:
    name = _named(kind.items[0]) if kind.items else "Any"
    one = kind.items[0] if kind.items else ANY
    items = [(f"{_text(key)} -> ", *_node(item, one)) for key, item in value.items()]
    weight = 2 + sum(3 + each for _, _, each in items)
    pairs = [(key, node) for key, node, _ in items]
    return Group(f"Map[String, {name}](", pairs, ")", trailing=False), weight


def _text(text: str) -> str:
    return quoted(text, '"', _ESCAPES, utf16)
