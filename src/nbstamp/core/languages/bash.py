"""bash values: texts, arrays of texts, and JSON for what bash has no values for.

Every text stands in quotes that nothing is expanded in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from nbstamp.core.languages.base import CannotHold, Language, Meaning
from nbstamp.core.languages.layout import Group, Node, flat, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.text import lines, octal, quoted, utf16
from nbstamp.core.parameters import Json

_MANY = 100
"""Lines from which on a value stands on one line."""


class Bash(Language):
    """bash. Its kernel types each line of a cell into a terminal, which takes a twentieth of a
    second; a value of more than 100 lines therefore stands on one line.
    """

    name = "bash"
    title = "bash"
    aliases = ("sh", "shell")
    kernels = ("bash", "bash_kernel", "calysto_bash")

    names = Names(
        grammar=re.compile(r"(?=.*[a-z])[A-Za-z_][A-Za-z0-9_]*").fullmatch,
        rule="a variable consists of the letters A to Z, digits and underscores, does not start "
        "with a digit, and has a small letter: names in capitals belong to the shell and to "
        "programs.",
        # bash(1), “Shell Variables”, as far as they have small letters; what curl and others obey
        steering=r"__.*|auto_resume|histchars|debian_chroot|(?:https?|ftp|rsync|no|all)_proxy",
    )
    meaning = Meaning(
        null="the empty text; inside a list or an object all of that becomes JSON text",
        boolean="the text `true` or `false`",
        integer="its digits, of any number",
        number="the shortest decimals that give the same double, as text",
        text="text; one with the character NUL is refused",
        list="an array when all of it are texts, numbers or booleans, else one text that is JSON "
        "(for `jq`)",
        object="an associative array when all of its values are texts, numbers or booleans and no "
        "key is empty, else one text that is JSON; associative arrays have no order",
    )

    def assignment(self, name: str, value: Json) -> str:
        found = _assignment(name, value)
        return "\n".join(found if len(found) <= _MANY else _on_one_line(name, value))

    def reading(self, name: str, value: Json, file: str) -> str:
        if not isinstance(value, list | dict):
            return self.assignment(name, value)
        return f"{name}=$(<{_text(file)}){_JSON}"

    def cell(self, parameters: Mapping[str, Json], files: Mapping[str, str] | None = None) -> str:
        source = super().cell(parameters, files)
        if not parameters:
            return source
        # an array of this name would otherwise keep its other elements, and an exported variable
        # would reach every program
        first, _, rest = source.partition("\n")
        return f"{first}\nunset -v {' '.join(parameters)}\n{rest}"

    def equivalent(self, value: Json) -> Json:
        match value:
            case list() if _is_flat(value):
                return [_plain(item) for item in value]
            case dict() if _is_flat(list(value.values())) and "" not in value:
                return {key: _plain(value[key]) for key in sorted(value)}
            case list() | dict():
                return _json(value)
        return _plain(value)


# --- Literals -----------------------------------------------------------------------------------

# an exclamation mark could call up the history, and where an interactive bash looks for one, it
# takes \' for the end of $'…'
_ESCAPES = {"\\": "\\\\", "'": "\\047", "\n": "\\n", "\t": "\\t", "\r": "\\r", "!": "\\041"}
_JSON = "  # JSON"


def _is_flat(items: list[Json]) -> bool:
    return not any(item is None or isinstance(item, list | dict) for item in items)


def _plain(value: Json) -> str:
    """A simple value as the text that bash has for it."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


def _json(value: Json) -> str:
    """``value`` as JSON without anything that a person could not see."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else utf16(c) for c in text)


def _text(text: str) -> str:
    if "\x00" in text:
        raise CannotHold("a text in bash cannot hold the character NUL (\\u0000).")
    if text.isprintable() and "!" not in text:
        return "'{}'".format(text.replace("'", "'\\''"))
    return "$" + quoted(text, "'", _ESCAPES, octal)


def _word(value: Json) -> str:
    return _text(value) if isinstance(value, str) else _plain(value) or "''"


def _array(value: Json) -> tuple[str, Group] | None:
    """What stands in front of an array and the array, when ``value`` can be one."""
    if isinstance(value, list) and _is_flat(value):
        items = [("", _word(item)) for item in value]
        return "", Group("(", items, ")", separator="", trailing=False)
    if isinstance(value, dict) and "" not in value and _is_flat(list(value.values())):
        items = [(f"[{_text(key)}]=", _word(item)) for key, item in value.items()]
        return "declare -A ", Group("(", items, ")", separator="", trailing=False)
    return None


def _assignment(name: str, value: Json) -> list[str]:
    if found := _array(value):
        return lay_out(f"{found[0]}{name}=", found[1])
    if isinstance(value, list | dict):
        whole = lay_out("", _json_node(value))
        # pieces side by side are one text, and a separator inside of it is followed by a blank
        pieces = [f"{line.strip()} " if line.endswith(",") else line.strip() for line in whole]
        return _joined(name, pieces, _JSON)
    broken = lines(value) if isinstance(value, str) else None
    return _joined(name, broken) if broken else [f"{name}={_word(value)}"]


def _on_one_line(name: str, value: Json) -> list[str]:
    if found := _array(value):
        return [f"{found[0]}{name}={flat(found[1])}"]
    if isinstance(value, list | dict):
        return [f"{name}={_text(_json(value))}{_JSON}"]
    return [f"{name}={_word(value)}"]


def _joined(name: str, pieces: list[str], comment: str = "") -> list[str]:
    first, *rest = map(_text, pieces)
    found = [f"{name}={first}", *rest]
    return [*(f"{line}\\" for line in found[:-1]), found[-1] + comment]


def _json_node(value: Json) -> Node:
    if isinstance(value, list):
        items = [("", _json_node(item)) for item in value]
        return Group("[", items, "]", trailing=False, breaks=is_table(value))
    if isinstance(value, dict):
        pairs = [(f"{_json(key)}: ", _json_node(item)) for key, item in value.items()]
        return Group("{", pairs, "}", trailing=False)
    return _json(value)
