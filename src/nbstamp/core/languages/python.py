"""Python literals, laid out for people.

Every value becomes a literal of the language, so that nothing in it is ever evaluated.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata

from nbstamp.core.languages.base import Language, Meaning, NameProblem
from nbstamp.core.languages.layout import WIDTH, Group, Node, lay_out
from nbstamp.core.parameters import Json


class Python(Language):
    """Python 3 and its interactive shell."""

    name = "python"
    title = "Python"
    aliases = ("python3", "ipython", "ipython3")
    kernels = (
        "python",
        "python3",
        "python3.*",
        "python3-*",
        "ipykernel",
        "conda-env-*-py",
        "xpython",
    )

    meaning = Meaning(
        null="`None`",
        boolean="`True` or `False`",
        integer="`int`, of any size",
        number="`float`, to the last digit",
        text="`str`",
        list="`list`",
        object="`dict`, in the order that was sent",
    )

    def assignment(self, name: str, value: Json) -> str:
        return "\n".join(lay_out(f"{name} = ", _node(value)))

    def name_problem(self, name: str) -> NameProblem | None:
        if not name:
            return NameProblem("it is empty.")
        if not name.isidentifier():
            return NameProblem(
                "a variable consists of letters, digits and underscores and does not start with a "
                "digit.",
                _suggestion(name),
            )
        if unicodedata.normalize("NFKC", name) != name:
            return NameProblem(
                "it has a letter that Python takes for another one (NFKC).", _suggestion(name)
            )
        if keyword.iskeyword(name):
            return NameProblem("it is a word of the language.", _suggestion(name))
        if name.startswith("__"):
            return NameProblem(
                "names that start with “__” belong to the language.", _suggestion(name)
            )
        if name in _SESSION or _HISTORY.fullmatch(name):
            return NameProblem("it steers the session of the notebook.", _suggestion(name))
        return None

    def name_warning(self, name: str) -> str | None:
        if name not in _BUILTINS:
            return None
        return (
            f"“{name}” hides Python's own {name}() in this notebook. The author of the template or "
            f"of the action may want to call it {name}_ instead."
        )


_SESSION = {
    "_",
    "_i",
    "_ii",
    "_iii",
    "_ih",
    "_oh",
    "_dh",
    "_exit_code",
    "_exception",
    "In",
    "Out",
} | {
    "get_ipython",
    "exit",
    "quit",
}
"""What IPython puts into a session and reads from it."""
_HISTORY = re.compile(r"_i?\d+")
"""``_1`` and ``_i1``: IPython's earlier results and inputs."""
_BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_"))


def _suggestion(name: str) -> str | None:
    """A usable name that people recognise, or None when there is none."""
    found = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", name))
    found = re.sub(r"^_+|_+$", "", found)
    if found[:1].isdigit():
        found = f"n{found}"
    if keyword.iskeyword(found) or found in _SESSION:
        found += "_"
    usable = found.isidentifier() and unicodedata.normalize("NFKC", found) == found
    return found if usable and found != name else None


# --- Literals -----------------------------------------------------------------------------------


def _scalar(value: Json) -> str:
    if isinstance(value, str):
        return _text(value)
    return repr(value)  # None, True, integers and floats: repr is their literal, and exact


_PLAIN = re.compile(r'[^\\"]*')


def _text(text: str) -> str:
    if text.isprintable() and _PLAIN.fullmatch(text):
        return f'"{text}"'
    return (
        '"' + "".join(c if c.isprintable() and c not in '\\"' else _escape(c) for c in text) + '"'
    )


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _escape(character: str) -> str:
    """Of fixed width, so that what follows never becomes part of it."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_LINES = re.compile(r"[^\n]*\n|[^\n]+")


def _node(value: Json) -> Node:
    if isinstance(value, list):
        return Group("[", [("", _node(item)) for item in value], "]")
    if isinstance(value, dict):
        return Group("{", [(f"{_text(key)}: ", _node(item)) for key, item in value.items()], "}")
    if isinstance(value, str) and len(value) > WIDTH // 2 and "\n" in value[:-1]:
        # neighbouring texts in parentheses are one text
        pieces = [("", _text(line)) for line in _LINES.findall(value)]
        return Group("(", pieces, ")", separator="", breaks=True)
    return _scalar(value)
