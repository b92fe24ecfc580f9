"""Java literals, for kernels that speak JShell, where a variable can be declared again."""

from __future__ import annotations

import re

from nbstamp.core.languages import jvm
from nbstamp.core.languages.base import Language, Meaning
from nbstamp.core.languages.jvm import Weighed
from nbstamp.core.languages.layout import Group, Node, around, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.text import ESCAPES, quoted, utf16
from nbstamp.core.languages.types import ANY, Type, Types, scalar
from nbstamp.core.parameters import Json

_TYPES = Types(integers=(("Integer", 32), ("Long", 64), ("BigInteger", 20_000)), depth=3)


class Java(Language):
    """Java 16 and newer, in JShell."""

    name = "java"
    title = "Java"
    aliases = ("jshell",)
    kernels = ("java", "ijava", "jjava*", "rapaio*", "ganymede*", "jbang*")
    comment = "//"
    imports = (
        ("BigInteger", "import java.math.*;"),
        ("List", "import java.util.*;"),
        ("Map", "import java.util.*;"),
        ("Supplier", "import java.util.function.*;"),
        ("Stream", "import java.util.stream.*;"),
    )

    names = Names(
        grammar=re.compile(r"[A-Za-z][A-Za-z0-9_]*").fullmatch,
        rule="a variable consists of the letters A to Z, digits and underscores, and starts with a "
        "letter.",
        words=frozenset(
            [
                "abstract",
                "assert",
                "boolean",
                "break",
                "byte",
                "case",
                "catch",
                "char",
                "class",
                "const",
                "continue",
                "default",
                "do",
                "double",
                "else",
                "enum",
                "extends",
                "false",
                "final",
                "finally",
                "float",
                "for",
                "goto",
                "if",
                "implements",
                "import",
                "instanceof",
                "int",
                "interface",
                "long",
                "native",
                "new",
                "null",
                "package",
                "permits",
                "private",
                "protected",
                "public",
                "record",
                "return",
                "sealed",
                "short",
                "static",
                "strictfp",
                "super",
                "switch",
                "synchronized",
                "this",
                "throw",
                "throws",
                "transient",
                "true",
                "try",
                "var",
                "void",
                "volatile",
                "while",
                "yield",
                "Arrays",
                "BigInteger",
                "Boolean",
                "Double",
                "HashMap",
                "Integer",
                "List",
                "Long",
                "Map",
                "Object",
                "Stream",
                "String",
                "Supplier",
                "java",
            ]
        ),
        # the class around each statement, and what kernels give to cells
        steering=r"REPL|do_it\w*|display|render|kernel|magics",
        shadowed=frozenset(
            [
                "ArrayList",
                "Collectors",
                "Exception",
                "IntStream",
                "LinkedHashMap",
                "Math",
                "Optional",
                "Set",
                "System",
                "Thread",
                "javax",
                "jdk",
                "org",
                "com",
            ]
        ),
    )
    meaning = Meaning(
        null="`null`",
        boolean="`boolean`",
        integer="`int`, `long` or `BigInteger`, as its size asks; in a list or a map all of the "
        "largest that is needed",
        number="`double`; integers among them become `Double`, too, where that is exact",
        text="`String`",
        list="`List`, which cannot be changed, of one type, or of `Object`; from about 30,000 "
        "different values on refused",
        object="`Map<String, …>`, which cannot be changed unless it holds null, in no order; from "
        "some hundred keys on refused",
    )

    def assignment(self, name: str, value: Json) -> str:
        kind = _TYPES.of(value)
        node, weight = _node(value, kind)
        jvm.check(value, weight)
        declared = _PRIMITIVE.get(kind.kind) or _named(kind)
        return "\n".join(lay_out(f"{declared} {name} = ", node, ";"))

    def equivalent(self, value: Json) -> Json:
        return _TYPES.settled(value)


# --- Literals -----------------------------------------------------------------------------------

_PRIMITIVE = {"boolean": "boolean", "number": "double", "Integer": "int", "Long": "long"}
_NAMED = {
    "null": "Object",
    "any": "Object",
    "boolean": "Boolean",
    "number": "Double",
    "text": "String",
}
_INTEGERS = {"Long": "{}L", "BigInteger": 'new BigInteger("{}")'}


def _named(kind: Type) -> str:
    item = _named(kind.items[0]) if kind.items else "Object"
    match kind.kind:
        case "list":
            return f"List<{item}>"
        case "object":
            return f"Map<String, {item}>"
    return _NAMED.get(kind.kind, kind.kind)


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
            group = Group('String.join("", ', items, ")", trailing=False, breaks=True)
            return group, len(pieces) + 2
        return _text(value), 1
    return scalar(value, kind, _INTEGERS), 1


def _list(value: list[Json], kind: Type) -> Weighed:
    one = kind.items[0] if kind.items else ANY
    # left to itself, the compiler looks for the narrowest type of all items at once
    given = f"<{_named(one)}>" if one.items or one.kind in {"any", "list", "object"} else ""
    items = [_node(item, one) for item in value]
    weight = 2 + sum(each for _, each in items)
    if weight > jvm.PART:
        divided = [
            ("() -> ", _listed(value, one, given, [node for node, _ in part]))
            for part in jvm.parts(items)
        ]
        group = Group(
            f"Stream.<Supplier<List<{_named(one)}>>>of(",
            divided,
            ").flatMap(part -> part.get().stream()).toList()",
            trailing=False,
            breaks=True,
        )
        return group, 2 + 2 * len(divided)
    return _listed(value, one, given, [node for node, _ in items]), weight


def _listed(value: list[Json], one: Type, given: str, nodes: list[Node]) -> Node:
    items = [("", node) for node in nodes]
    if None not in value:
        return Group(f"List.{given}of(", items, ")", trailing=False, breaks=is_table(value))
    if len(items) == 1 and items[0][1] == "null":  # null alone would be an array that is not there
        items = [("", f"({_named(one)}) null")]
    return Group(f"Arrays.{given}asList(", items, ")", trailing=False)


def _map(value: dict[str, Json], kind: Type) -> Weighed:
    one = kind.items[0] if kind.items else ANY
    items = [(_text(key), *_node(item, one)) for key, item in value.items()]
    weight = 2 + sum(3 + each for _, _, each in items)
    if None in value.values():
        puts = [("", around(f"put({key}, ", node, ");")) for key, node, _ in items]
        return (
            Group(f"new HashMap<String, {_named(one)}>() {{{{ ", puts, " }}", separator=""),
            weight,
        )
    # without the types, the compiler takes a minute for 200 entries
    entries = [("", around(f"Map.entry({key}, ", node, ")")) for key, node, _ in items]
    opening = f"Map.<String, {_named(one)}>ofEntries("
    return Group(opening, entries, ")", trailing=False), weight


def _text(text: str) -> str:
    return quoted(text, '"', ESCAPES, _escape)


def _escape(character: str) -> str:
    # \uXXXX is read before anything else, so that it must not stand for an end of line
    return f"\\{ord(character):03o}" if ord(character) < 0x100 else utf16(character)
