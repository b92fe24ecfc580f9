"""Rust literals, for evcxr, which keeps variables of types that it can write down."""

from __future__ import annotations

import re

from nbstamp.core.languages.base import CannotHold, Language, Meaning
from nbstamp.core.languages.layout import Group, Node, around, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.text import lines, quoted
from nbstamp.core.languages.types import ANY, Type, Types, exact_double
from nbstamp.core.parameters import Json

_TYPES = Types(integers=(("i64", 64), ("i128", 128)), longest_row=12, depth=32, anything=False)


class Rust(Language):
    """Rust, as evcxr speaks it."""

    name = "rust"
    title = "Rust"
    aliases = ("evcxr",)
    kernels = ("rust", "evcxr*")
    comment = "//"
    imports = (("BTreeMap", "use std::collections::BTreeMap;"),)

    names = Names(
        grammar=re.compile(r"[a-z][A-Za-z0-9_]*").fullmatch,
        # after `let`, a name with a capital can be the name of a constant
        rule="a variable consists of the letters A to Z, digits and underscores, and starts with "
        "a small letter.",
        words=frozenset(
            [
                "abstract",
                "as",
                "async",
                "await",
                "become",
                "box",
                "break",
                "const",
                "continue",
                "crate",
                "do",
                "dyn",
                "else",
                "enum",
                "extern",
                "false",
                "final",
                "fn",
                "for",
                "gen",
                "if",
                "impl",
                "in",
                "let",
                "loop",
                "macro",
                "match",
                "mod",
                "move",
                "mut",
                "override",
                "priv",
                "pub",
                "ref",
                "return",
                "self",
                "static",
                "struct",
                "super",
                "trait",
                "true",
                "try",
                "type",
                "typeof",
                "unsafe",
                "unsized",
                "use",
                "virtual",
                "where",
                "while",
                "yield",
            ]
        ),
        steering=r"evcxr_.*",
    )
    meaning = Meaning(
        null="`Option<()>`, which is `None`; among other values of a list or a map, each of them "
        "is an `Option`",
        boolean="`bool`",
        integer="`i64`, in a list or a map with larger ones `i128`; beyond 128 bits `f64` where "
        "that is exact, else refused",
        number="`f64`; integers among them become `f64`, too",
        text="`&'static str`",
        list="`Vec`; of several types a tuple, with at most 12 items, else refused; rows of equal "
        "length are tuples whose columns have a type each",
        object="`BTreeMap<&'static str, …>`, in alphabetical order; of several types refused",
    )

    def assignment(self, name: str, value: Json) -> str:
        kind = _TYPES.of(value)
        return "\n".join(lay_out(f"let {name}: {_named(kind)} = ", _node(value, kind), ";"))

    def equivalent(self, value: Json) -> Json:
        return _TYPES.settled(value)


# --- Literals -----------------------------------------------------------------------------------

_NAMED = {"null": "Option<()>", "boolean": "bool", "number": "f64", "text": "&'static str"}
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _named(kind: Type) -> str:
    if kind == ANY:
        raise CannotHold(
            "the items of a list or a map in Rust are of one type, and these are of several. "
            "Several parameters would do, or a text."
        )
    items = [_named(item) for item in kind.items] or ["()"]
    match kind.kind:
        case "list":
            name = f"Vec<{items[0]}>"
        case "object":
            name = f"BTreeMap<&'static str, {items[0]}>"
        case "row":
            name = f"({', '.join(items)})"
        case _:
            name = _NAMED.get(kind.kind, kind.kind)
    return f"Option<{name}>" if kind.optional else name


def _node(value: Json, kind: Type) -> Node:
    if value is None:
        return "None"
    node = _plain(value, kind)
    return around("Some(", node, ")") if kind.optional else node


def _plain(value: Json, kind: Type) -> Node:
    if isinstance(value, list):
        if kind.kind == "row":
            row = zip(value, kind.items, strict=True)
            return Group("(", [("", _node(item, one)) for item, one in row], ")")
        items = [("", _node(item, *kind.items)) for item in value]
        return Group("vec![", items, "]", breaks=is_table(value))
    if isinstance(value, dict):
        pairs = [
            ("", around(f"({_text(key)}, ", _node(item, *kind.items), ")"))
            for key, item in value.items()
        ]
        return Group("BTreeMap::from([", pairs, "])") if pairs else "BTreeMap::new()"
    if isinstance(value, str):
        if pieces := lines(value):
            items = [("", _text(line)) for line in pieces]
            return Group("concat!(", items, ")", breaks=True)
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and kind.kind == "number":
        return repr(exact_double(value))
    return repr(value)


def _text(text: str) -> str:
    return quoted(text, '"', _ESCAPES, lambda character: f"\\u{{{ord(character):06x}}}")
