"""GNU Octave values: those of MATLAB with texts of their own."""

from __future__ import annotations

import re
from dataclasses import replace

from nbstamp.core.languages.layout import Node, flat, lay_out
from nbstamp.core.languages.matlab import KEYWORDS, LONGEST_LITERAL, SHADOWED, USED, Matlab
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.text import ESCAPES, octal, quoted
from nbstamp.core.parameters import Json

_WORDS = """
    __FILE__ __LINE__ do end_try_catch end_unwind_protect endarguments endclassdef endenumeration
    endevents endfor endfunction endif endmethods endparfor endproperties endspmd endswitch endwhile
    until unwind_protect unwind_protect_cleanup
"""
_KEYWORDS = KEYWORDS | frozenset(_WORDS.split())
_MANY = 150
"""Lines from which on a value is written in fewer, longer ones."""
_LONGEST_LINE = 3000
"""Bytes of these; the terminal takes 4,095."""


class Octave(Matlab):
    """GNU Octave. Its kernel types each line of a cell into a terminal, which takes about a
    hundredth of a second; a value of more than 150 lines is therefore written in fewer, longer
    ones.
    """

    name = "octave"
    title = "Octave"
    aliases = ("gnu octave",)
    kernels = ("octave", "octave_kernel", "octave-*", "xoctave", "xeus-octave")
    checked = "run"
    comment = "#"

    names = Names(
        words=_KEYWORDS | USED,
        rule="a variable consists of the letters A to Z, digits and underscores, and does not "
        "start with a digit.",
        # names between double underscores are Octave's own
        steering=r"ans|__.*|varargin|varargout|nargin|nargout|argv|program_name|PS[124]",
        shadowed=SHADOWED,
    )
    meaning = replace(Matlab.meaning, text="`char`, in UTF-8")

    field = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
    keywords = _KEYWORDS
    quote = '"'

    def assignment(self, name: str, value: Json) -> str:
        node = self._node(value)
        found = lay_out(f"{name} = ", node, ";")
        return "\n".join(found if len(found) <= _MANY else lay_out(f"{name} = ", _dense(node), ";"))

    def text(self, text: str) -> list[str]:
        whole = quoted(text, '"', ESCAPES, octal)
        if len(whole.encode()) <= LONGEST_LITERAL:
            return [whole]
        # an escape has four bytes for each byte of the text, and no character has more than four
        length = LONGEST_LITERAL if text.isascii() and text.isprintable() else LONGEST_LITERAL // 16
        pieces = (text[n : n + length] for n in range(0, len(text), length))
        return [quoted(piece, '"', ESCAPES, octal) for piece in pieces]


def _dense(node: Node) -> Node:
    """``node`` with as many of its items on a line as fit."""
    if isinstance(node, str):
        return node
    items: list[tuple[str, Node]] = []
    line, size = "", 0
    for key, item in node.items:
        piece = key + flat(item)
        length = len(piece.encode())
        if line and size + length > _LONGEST_LINE:
            items.append(("", line))
            line, size = "", 0
        if length > _LONGEST_LINE:
            items.append((key, _dense(item)))
        else:
            line = f"{line}{node.separator} {piece}" if line else piece
            size += length + 2
    if line:
        items.append(("", line))
    return node._replace(items=items)
