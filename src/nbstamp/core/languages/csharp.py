"""C# literals, for .NET Interactive and other C# scripting, where a variable can be declared
again."""

from __future__ import annotations

import re

from nbstamp.core.languages.base import Language, Meaning
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.text import ESCAPES, lines, quoted, utf16
from nbstamp.core.languages.types import ANY, Type, Types, scalar
from nbstamp.core.parameters import Json

_TYPES = Types(integers=(("int", 32), ("long", 64), ("BigInteger", 20_000)), depth=3)


class CSharp(Language):
    """C#, as .NET Interactive (Polyglot Notebooks) speaks it."""

    name = "csharp"
    title = "C#"
    aliases = ("c#", "polyglot-notebook")
    kernels = (".net-csharp", "csharp", "icsharp*", "*-csharp")
    comment = "//"
    imports = (
        ("BigInteger", "using System.Numerics;"),
        ("List<", "using System.Collections.Generic;"),
        ("Dictionary<", "using System.Collections.Generic;"),
    )

    names = Names(
        grammar=re.compile(r"[A-Za-z][A-Za-z0-9_]*").fullmatch,
        rule="a variable consists of the letters A to Z, digits and underscores, and starts with a "
        "letter.",
        words=frozenset(
            [
                "abstract",
                "as",
                "async",
                "await",
                "base",
                "bool",
                "break",
                "byte",
                "case",
                "catch",
                "char",
                "checked",
                "class",
                "const",
                "continue",
                "decimal",
                "default",
                "delegate",
                "do",
                "double",
                "dynamic",
                "else",
                "enum",
                "event",
                "explicit",
                "extern",
                "false",
                "finally",
                "fixed",
                "float",
                "for",
                "foreach",
                "global",
                "goto",
                "if",
                "implicit",
                "in",
                "int",
                "interface",
                "internal",
                "is",
                "lock",
                "long",
                "nameof",
                "namespace",
                "new",
                "nint",
                "notnull",
                "nuint",
                "null",
                "object",
                "operator",
                "out",
                "override",
                "params",
                "partial",
                "private",
                "protected",
                "public",
                "readonly",
                "record",
                "ref",
                "required",
                "return",
                "sbyte",
                "scoped",
                "sealed",
                "short",
                "sizeof",
                "stackalloc",
                "static",
                "string",
                "struct",
                "switch",
                "this",
                "throw",
                "true",
                "try",
                "typeof",
                "uint",
                "ulong",
                "unchecked",
                "unmanaged",
                "unsafe",
                "ushort",
                "using",
                "var",
                "virtual",
                "void",
                "volatile",
                "when",
                "where",
                "while",
                "with",
                "yield",
                "BigInteger",
                "Dictionary",
                "List",
                "String",
                "System",
            ]
        ),
        # what .NET Interactive gives to cells
        steering=r"Kernel|KernelInvocationContext|InteractiveShell|display|Out|In",
        shadowed=frozenset(
            [
                "Array",
                "Console",
                "Convert",
                "DateTime",
                "Directory",
                "Enumerable",
                "Environment",
                "Exception",
                "File",
                "Guid",
                "HTML",
                "Math",
                "Microsoft",
                "Object",
                "Path",
                "Random",
                "Task",
                "TimeSpan",
                "Tuple",
                "csi",
                "dotnet",
            ]
        ),
    )
    meaning = Meaning(
        null="`null` of type `object`; among numbers or truth values each of them is nullable",
        boolean="`bool`",
        integer="`int`, `long` or `BigInteger`, as its size asks; in a list or a map all of the "
        "largest that is needed",
        number="`double`; integers among them become `double`, too, where that is exact",
        text="`string`",
        list="`List<…>` of one type, or of `object`",
        object="`Dictionary<string, …>` of one type, or of `object`",
    )

    def assignment(self, name: str, value: Json) -> str:
        kind = _TYPES.of(value)
        declared = "var" if kind.items or isinstance(value, list | dict) else _named(kind)
        return "\n".join(lay_out(f"{declared} {name} = ", _node(value, kind), ";"))

    def equivalent(self, value: Json) -> Json:
        return _TYPES.settled(value)


# --- Literals -----------------------------------------------------------------------------------

_NAMED = {
    "any": "object",
    "boolean": "bool",
    "null": "object",
    "number": "double",
    "text": "string",
}
_VALUES = {"boolean", "number", "int", "long", "BigInteger"}
_INTEGERS = {"long": "{}L", "BigInteger": 'BigInteger.Parse("{}")'}


def _named(kind: Type) -> str:
    item = _named(kind.items[0]) if kind.items else "object"
    match kind.kind:
        case "list":
            return f"List<{item}>"
        case "object":
            return f"Dictionary<string, {item}>"
    name = _NAMED.get(kind.kind, kind.kind)
    return f"{name}?" if kind.optional and kind.kind in _VALUES else name


def _node(value: Json, kind: Type) -> Node:
    if kind == ANY:
        kind = _TYPES.of(value)
    if isinstance(value, list):
        items = [("", _node(item, *kind.items)) for item in value]
        return _braces(kind, items, breaks=is_table(value))
    if isinstance(value, dict):
        pairs = [(f"[{_text(key)}] = ", _node(item, *kind.items)) for key, item in value.items()]
        return _braces(kind, pairs, breaks=False)
    if isinstance(value, str):
        if pieces := lines(value):
            items = [("", _text(line)) for line in pieces]
            return Group("string.Concat(", items, ")", trailing=False, breaks=True)
        return _text(value)
    return scalar(value, kind, _INTEGERS)


def _braces(kind: Type, items: list[tuple[str, Node]], *, breaks: bool) -> Node:
    if not items:
        return f"new {_named(kind)}()"
    return Group(f"new {_named(kind)} {{ ", items, " }", breaks=breaks)


def _text(text: str) -> str:
    return quoted(text, '"', ESCAPES, utf16)
