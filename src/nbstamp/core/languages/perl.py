"""Perl literals, laid out for people.

Cells are plain ASCII: whether Perl takes other characters of a source as characters or as bytes
depends on a pragma that a cell of its own cannot know.
"""

from __future__ import annotations

from nbstamp.core.languages.base import CannotHold, Language, Meaning
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.numbers import is_double
from nbstamp.core.languages.text import ESCAPES, lines
from nbstamp.core.parameters import Json

_SMALLEST, _LARGEST = -(2**63), 2**64 - 1


class Perl(Language):
    """Perl 5 in IPerl."""

    name = "perl"
    title = "Perl"
    aliases = ("perl5", "iperl")
    kernels = ("perl", "perl5", "iperl")
    names = Names(
        # forced into the package main, or set by the language itself
        steering=r"_+|__.*|ENV|ARGV|ARGVOUT|INC|STDIN|STDOUT|STDERR|SIG|AUTOLOAD|VERSION",
        shadowed=frozenset("ab"),
    )
    meaning = Meaning(
        null="`undef`",
        boolean="`1` or `0`, as Perl has them; they cannot be told from these numbers",
        integer="a number; refused beyond 64 bits unless a double is exactly this integer",
        number="a number, to the last digit; 3.0 and 3 are the same",
        text="a string of characters, written in ASCII",
        list="a reference to an array: `$name->[0]`, `@$name`",
        object='a reference to a hash: `$name->{"key"}`, `%$name`; a hash has no order',
    )

    def assignment(self, name: str, value: Json) -> str:
        # “my”, because IPerl keeps lexical variables from cell to cell, also under “use strict”
        return "\n".join(lay_out(f"my ${name} = ", _node(value), ";"))

    def equivalent(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self.equivalent(item) for item in value]
        if isinstance(value, dict):
            return {key: self.equivalent(value[key]) for key in sorted(value)}
        if isinstance(value, bool) or (isinstance(value, float) and value.is_integer() and value):
            return int(value)
        return value


# --- Literals -----------------------------------------------------------------------------------


def _scalar(value: Json) -> str:
    if value is None:
        return "undef"
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        if not is_double(value):
            raise CannotHold(
                "it has an integer beyond 64 bits, which Perl would round. It would do as a text."
            )
        return repr(float(value))  # Perl reads at most some 250 digits
    return repr(value)


_ESCAPES = ESCAPES | {"$": "\\$", "@": "\\@"}


def _text(text: str) -> str:
    written = (_ESCAPES.get(c) or (c if " " <= c <= "~" else f"\\x{{{ord(c):x}}}") for c in text)
    return f'"{"".join(written)}"'


def _node(value: Json) -> Node:
    if isinstance(value, list):
        items = [("", _node(item)) for item in value]
        return Group("[", items, "]", breaks=is_table(value))
    if isinstance(value, dict):
        return Group("{", [(f"{_text(key)} => ", _node(item)) for key, item in value.items()], "}")
    if isinstance(value, str) and (pieces := lines(value)):
        texts = [("", _text(line)) for line in pieces]
        # joined: a chain of dots copies the text for every line
        return Group('join("",', texts, ")", breaks=True)
    return _scalar(value)
