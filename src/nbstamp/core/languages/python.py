"""Python literals, laid out for people.

Every value becomes a literal of the language, so that nothing in it is ever evaluated. Short values
stay on one line; longer ones are broken like a careful author would: one entry a line, rows of
tables one row a line, long lists of numbers filled up to the margin, texts at their line breaks.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata

from nbstamp.core.languages.base import Language, NameProblem
from nbstamp.core.parameters import Json

WIDTH = 88
"""Columns that a line should keep to."""
_STEP = "    "


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

    def assignment(self, name: str, value: Json) -> str:
        lines: list[str] = []
        _put(value, lines, f"{name} = ", "", "")
        return "\n".join(lines)

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


def _one_line(value: Json, room: int) -> str | None:
    """``value`` on one line of at most ``room`` columns, or None.

    Gives up as soon as it is too long, so that the work does not grow with what does not fit.
    """
    if isinstance(value, list):
        pieces: list[str] = []
        left = room
        for item in value:
            left -= 2  # the brackets, then one ", " for each further item
            if (piece := _one_line(item, left)) is None:
                return None
            left -= len(piece)
            pieces.append(piece)
        return f"[{', '.join(pieces)}]" if room >= 2 else None
    if isinstance(value, dict):
        pieces = []
        left = room
        for key, item in value.items():
            left -= 2
            if len(key) > left:
                return None
            name = f"{_text(key)}: "
            if (piece := _one_line(item, left - len(name))) is None:
                return None
            left -= len(name) + len(piece)
            pieces.append(name + piece)
        return f"{{{', '.join(pieces)}}}" if room >= 2 else None
    if isinstance(value, str) and len(value) + 2 > room:
        return None
    literal = _scalar(value)
    return literal if len(literal) <= room else None


_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_SHORT = 24
"""Columns up to which the items of a list share lines."""


def _put(value: Json, out: list[str], prefix: str, indent: str, suffix: str) -> None:
    """Append ``prefix value suffix`` to the lines ``out``, broken where it does not fit."""
    room = WIDTH - len(indent) - len(prefix) - len(suffix)
    start = indent + prefix
    if (literal := _one_line(value, room)) is not None:
        out.append(start + literal + suffix)
    elif isinstance(value, dict):
        out.append(f"{start}{{")
        for key, item in value.items():
            _put(item, out, f"{_text(key)}: ", indent + _STEP, ",")
        out.append(f"{indent}}}{suffix}")
    elif isinstance(value, list):
        out.append(f"{start}[")
        if not _fill(value, out, indent + _STEP):
            for item in value:
                _put(item, out, "", indent + _STEP, ",")
        out.append(f"{indent}]{suffix}")
    elif isinstance(value, str) and "\n" in value[:-1]:
        out.append(f"{start}(")
        out += [f"{indent}{_STEP}{_text(line)}" for line in _LINES.findall(value)]
        out.append(f"{indent}){suffix}")
    else:
        out.append(start + _scalar(value) + suffix)


def _fill(items: list[Json], out: list[str], indent: str) -> bool:
    """Put short scalars side by side up to the margin; False when ``items`` are something else."""
    literals = []
    for item in items:
        if isinstance(item, list | dict) or (isinstance(item, str) and len(item) > _SHORT):
            return False
        literals.append(_scalar(item))
    line = indent
    for literal in literals:
        if len(line) + len(literal) + 1 > WIDTH and line != indent:
            out.append(line.rstrip())
            line = indent
        line += f"{literal}, "
    out.append(line.rstrip())
    return True
