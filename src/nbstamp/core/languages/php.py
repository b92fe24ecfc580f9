"""PHP literals, laid out for people."""

from __future__ import annotations

from nbstamp.core.languages.base import CannotHold, Language, Meaning
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.numbers import is_double, rounded
from nbstamp.core.languages.text import ESCAPES, lines, quoted
from nbstamp.core.parameters import Json

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_ROUNDED = "it has an integer beyond 64 bits, which PHP would round. It would do as a text."


class PHP(Language):
    """PHP in the kernels that are built on PsySH."""

    name = "php"
    title = "PHP"
    aliases = ("php7", "php8")
    kernels = ("php", "jupyter-php", "jupyter-php-kernel", "psysh")
    comment = "//"
    names = Names(
        # superglobals, what PHP sets itself, what PsySH keeps for later cells
        steering=r"this|GLOBALS|_|_e|_[A-Z]+|__.*|http_response_header|php_errormsg",
        shadowed=frozenset(("argc", "argv")),
    )
    meaning = Meaning(
        null="`null`",
        boolean="`true` or `false`",
        integer="`int`; beyond 64 bits `float` where that is exactly this integer, else refused",
        number="`float`, to the last digit",
        text="`string` in UTF-8",
        list="`array`",
        object="`array` with these keys, in the order that was sent; PHP makes a number of a key "
        "such as “1”, so that an object with the keys “0”, “1”, … is the same as a list, and an "
        "empty object the same as an empty list",
    )

    def assignment(self, name: str, value: Json) -> str:
        return "\n".join(lay_out(f"${name} = ", _node(value), ";"))

    def reading(self, name: str, value: Json, file: str) -> str:
        if rounded(value, _SMALLEST, _LARGEST):
            raise CannotHold(_ROUNDED)
        return f"${name} = json_decode(file_get_contents({_text(file)}), true);"

    def equivalent(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self.equivalent(item) for item in value]
        if isinstance(value, dict):
            if list(value) == [str(n) for n in range(len(value))]:
                return [self.equivalent(item) for item in value.values()]
            return {key: self.equivalent(item) for key, item in value.items()}
        if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST and is_double(value):
            return float(value)
        return value


# --- Literals -----------------------------------------------------------------------------------


def _scalar(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if value == _SMALLEST and isinstance(value, int):
        return "PHP_INT_MIN"  # its digits would be a float
    if isinstance(value, int) and not (_SMALLEST <= value <= _LARGEST or is_double(value)):
        raise CannotHold(_ROUNDED)
    return repr(value)


_ESCAPES = ESCAPES | {"$": "\\$"}


def _text(text: str) -> str:
    return quoted(text, '"', _ESCAPES, lambda character: f"\\u{{{ord(character):x}}}")


def _node(value: Json) -> Node:
    if isinstance(value, list):
        items = [("", _node(item)) for item in value]
        return Group("[", items, "]", breaks=is_table(value))
    if isinstance(value, dict):
        return Group("[", [(f"{_text(key)} => ", _node(item)) for key, item in value.items()], "]")
    if isinstance(value, str) and (pieces := lines(value)):
        texts = [("", _text(line)) for line in pieces]
        return Group("(", texts, ")", separator=" .", trailing=False, breaks=True)
    return _scalar(value)
