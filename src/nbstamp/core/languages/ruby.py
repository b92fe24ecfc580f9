"""Ruby literals, laid out for people."""

from __future__ import annotations

import re

from nbstamp.core.languages.base import Language, Meaning
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.text import lines, quoted
from nbstamp.core.parameters import Json

_WORDS = """
    alias and begin break case class def defined do else elsif end ensure false for if in module
    next nil not or redo rescue retry return self super then true undef unless until when while
    yield
"""
_SHADOWED = """
    abort binding block_given caller catch display exit fail fork format freeze gets global hash
    inspect lambda loop method methods open p pp print printf proc putc puts raise rand readline
    readlines require select sleep sprintf srand system tap test throw trap warn
"""  # methods that are called by their bare name, which then is the variable


class Ruby(Language):
    """Ruby in IRuby."""

    name = "ruby"
    title = "Ruby"
    aliases = ("iruby",)
    kernels = ("ruby", "ruby[0-9]*", "ruby-*", "iruby")
    names = Names(
        grammar=re.compile(r"[a-z_][A-Za-z0-9_]*").fullmatch,
        rule="a variable consists of the letters A to Z, digits and underscores, and starts with "
        "a small letter or an underscore (a capital one starts a constant).",
        words=frozenset(_WORDS.split()),
        # results and sources of earlier cells, parameters of blocks, the language's own methods
        steering=r"_+|__.*|_i+|_i?\d+|_[io]h|_dh",
        shadowed=frozenset(_SHADOWED.split()),
    )
    meaning = Meaning(
        null="`nil`",
        boolean="`true` or `false`",
        integer="`Integer`, of any size",
        number="`Float`, to the last digit",
        text="`String` in UTF-8",
        list="`Array`",
        object="`Hash` with texts as keys, in the order that was sent",
    )

    def assignment(self, name: str, value: Json) -> str:
        return "\n".join(lay_out(f"{name} = ", _node(value)))

    def reading(self, name: str, value: Json, file: str) -> str:
        source = f'JSON.parse(File.read({_text(file)}, encoding: "UTF-8"))'
        return f'require "json"\n{name} = {source}'


# --- Literals -----------------------------------------------------------------------------------


def _scalar(value: Json) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else repr(value)


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _text(text: str) -> str:
    # “#” is code only in front of these three
    return re.sub(r"#(?=[{$@])", r"\\#", quoted(text, '"', _ESCAPES, _escape))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\u{{{code:x}}}"


def _node(value: Json) -> Node:
    if isinstance(value, list):
        items = [("", _node(item)) for item in value]
        return Group("[", items, "]", breaks=is_table(value))
    if isinstance(value, dict):
        return Group("{", [(f"{_text(key)} => ", _node(item)) for key, item in value.items()], "}")
    if isinstance(value, str) and (pieces := lines(value)):
        # neighbouring texts are one text, as long as the line goes on
        texts = [("", _text(line)) for line in pieces]
        return Group("(", texts, ")", separator=" \\", trailing=False, breaks=True)
    return _scalar(value)
