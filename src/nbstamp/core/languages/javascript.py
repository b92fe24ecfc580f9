"""JavaScript literals, laid out for people.

Cells declare with ``var``, the one declaration that can run twice and that later cells see.
"""

from __future__ import annotations

import re
from typing import ClassVar

from nbstamp.core.languages.base import CannotHold, Language, Meaning
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.numbers import is_double, rounded
from nbstamp.core.languages.text import ESCAPES, lines, quoted, utf16
from nbstamp.core.parameters import Json

_WORDS = """
    break case catch class const continue debugger default delete do else enum export extends false
    finally for function if import in instanceof new null return super switch this throw true try
    typeof var void while with
    arguments await eval implements interface let package private protected public static yield
    Infinity NaN undefined
"""  # the third line: in strict code, where tslab runs every cell
_SHADOWED = """
    Array ArrayBuffer BigInt Boolean Buffer DataView Date Error Float32Array Float64Array Function
    Intl JSON Map Math Number Promise Proxy Reflect RegExp Set String Symbol URL WeakMap
    alert atob btoa clearInterval clearTimeout confirm console decodeURI encodeURI escape fetch
    isFinite isNaN parseFloat parseInt performance prompt queueMicrotask
    setInterval setTimeout structuredClone unescape
"""


class JavaScript(Language):
    """JavaScript in Node.js, Deno or a browser."""

    name = "javascript"
    title = "JavaScript"
    aliases: ClassVar[tuple[str, ...]] = ("js", "ecmascript", "node", "node.js", "nodejs")
    kernels: ClassVar[tuple[str, ...]] = (
        "javascript",
        "jslab",
        "jp-*",
        "node",
        "nodejs",
        "xjavascript",
        "xeus-javascript",
    )
    comment = "//"
    names = Names(
        grammar=re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*").fullmatch,
        rule="a variable consists of the letters A to Z, digits, underscores and $, and does not "
        "start with a digit.",
        words=frozenset(_WORDS.split()),
        # results of earlier cells, what tslab makes of a cell, the kernels' own tools; a text
        # assigned to “location” makes a browser go there
        steering=r"_|__.*|_error|\$\$.*|exports|module|require|tsLastExpr|Object|process|global"
        r"|globalThis|Deno|window|self|top|document|location"
        # Deno drops what is assigned to these, without a word
        r"|caches|closed|crypto|localStorage|navigator|sessionStorage"
        r"|on(beforeunload|error|load|unhandledrejection|unload)",
        shadowed=frozenset(_SHADOWED.split()),
    )
    meaning = Meaning(
        null="`null`",
        boolean="`true` or `false`",
        integer="a number where a number is exactly this integer, else a `BigInt` such as "
        "`9007199254740993n`",
        number="a number, to the last digit; 3.0 and 3 are the same",
        text="a string",
        list="an array",
        object="an object, in the order that was sent; keys that are whole numbers come first, as "
        "in every JavaScript object",
    )

    def assignment(self, name: str, value: Json) -> str:
        return "\n".join(lay_out(f"var {name} = ", _node(value), ";"))

    def reading(self, name: str, value: Json, file: str) -> str:
        return f"var {name} = {_parsed(value, file, _NODE)};"

    def equivalent(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self.equivalent(item) for item in value]
        if isinstance(value, dict):
            indices = sorted(filter(_is_index, value), key=int)
            others = [key for key in value if not _is_index(key)]
            return {key: self.equivalent(value[key]) for key in (*indices, *others)}
        if isinstance(value, int) and not isinstance(value, bool) and is_double(value):
            return float(value)
        return value


class TypeScript(JavaScript):
    """TypeScript in tslab, Deno or ITypeScript. Variables are declared as ``any``, so that a cell
    with other values can be run in the same session."""

    name = "typescript"
    title = "TypeScript"
    aliases = ("ts",)
    kernels = ("typescript", "tslab", "deno", "itypescript")

    def assignment(self, name: str, value: Json) -> str:
        return "\n".join(lay_out(f"var {name}: any = ", _node(value), ";"))

    def reading(self, name: str, value: Json, file: str) -> str:
        return f"var {name}: any = {_parsed(value, file, _NODE_AND_DENO)};"


# --- Literals -----------------------------------------------------------------------------------


def _scalar(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    return f"{value}n" if isinstance(value, int) and not is_double(value) else repr(value)


def _text(text: str) -> str:
    return quoted(text, '"', ESCAPES, utf16)


def _key(key: str) -> str:
    # written plainly, this one key would set the prototype
    return '["__proto__"]: ' if key == "__proto__" else f"{_text(key)}: "


def _node(value: Json) -> Node:
    if isinstance(value, list):
        items = [("", _node(item)) for item in value]
        return Group("[", items, "]", breaks=is_table(value))
    if isinstance(value, dict):
        return Group("{", [(_key(key), _node(item)) for key, item in value.items()], "}")
    if isinstance(value, str) and (pieces := lines(value)):
        # joined: compilers of TypeScript take minutes for a chain of thousands of “+”
        return Group("[", [("", _text(line)) for line in pieces], '].join("")', breaks=True)
    return _scalar(value)


_NODE = 'require("fs")'
_NODE_AND_DENO = '(await import("node:fs"))'  # Deno knows no “require”, IJavascript no “await”


def _parsed(value: Json, file: str, files: str) -> str:
    if rounded(value):
        raise CannotHold(
            "it has an integer that no number of JavaScript is, and a JSON file is read as "
            "numbers. It would do as a text."
        )
    return f'JSON.parse({files}.readFileSync({_text(file)}, "utf8"))'


def _is_index(key: str) -> bool:
    return re.fullmatch(r"0|[1-9][0-9]{0,9}", key) is not None and int(key) < 2**32 - 1
