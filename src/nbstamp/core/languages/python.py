"""Python literals, laid out for people.

Every value becomes a literal of the language, so that nothing in it is ever evaluated.
"""

from __future__ import annotations

import builtins
import keyword
from itertools import repeat

from nbstamp.core.languages.base import Language, Meaning
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.text import ESCAPES, lines, quoted
from nbstamp.core.parameters import Json


class Python(Language):
    """Python 3 and its interactive shell."""

    name = "python"
    title = "Python"
    # the last ones are what the Spark kernels call it
    aliases = ("python3", "ipython", "ipython3", "pyspark", "pyspark3")
    kernels = (
        "python",
        "python3",
        "python3.*",
        "python3-*",
        "ipykernel",
        "conda-env-*-py",
        "xpython",
        "xpython-*",
        "pysparkkernel",
        "pyspark3kernel",
        "*_pyspark",
        "pyspark*",
        "spark_python*",
    )

    names = Names(
        grammar=str.isidentifier,
        rule="a variable consists of letters, digits and underscores and does not start with a "
        "digit.",
        words=frozenset(keyword.kwlist),
        # dunders belong to the language; IPython keeps its history and its tools in the others
        steering=r"__.*|_+|_i+|_i?\d+|_[iod]h|_exit_code|_exception|In|Out|get_ipython|exit|quit",
        shadowed=frozenset(name for name in dir(builtins) if not name.startswith("_")),
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

    def reading(self, name: str, value: Json, file: str) -> str:
        # without an import statement, which would need a name that a parameter may have
        return f'{name} = __import__("json").load(open({_text(file)}, encoding="utf-8"))'


# --- Literals -----------------------------------------------------------------------------------


def _text(text: str) -> str:
    return quoted(text, '"', ESCAPES, _escape)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_PLAIN = frozenset((type(None), bool, int, float))
"""Types whose ``repr`` is their literal, and exact."""


def _node(value: Json) -> Node:
    if isinstance(value, str):
        if pieces := lines(value):  # neighbouring texts in parentheses are one text
            texts = [("", _text(line)) for line in pieces]
            return Group("(", texts, ")", separator="", breaks=True)
        return _text(value)
    if isinstance(value, dict):
        return Group("{", [(f"{_text(key)}: ", _node(item)) for key, item in value.items()], "}")
    if isinstance(value, list):
        plain = _PLAIN.issuperset(map(type, value))
        nodes = map(repr, value) if plain else map(_node, value)
        return Group("[", list(zip(repeat(""), nodes)), "]", breaks=is_table(value))
    return repr(value)
