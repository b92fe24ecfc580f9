"""Julia values, laid out for people.

Every value becomes a literal of Julia, or a vector or dictionary of literals, so that nothing in
it is ever evaluated.
"""

from __future__ import annotations

from nbstamp.core.languages.base import Language, Meaning
from nbstamp.core.languages.layout import Group, Node, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.numbers import is_double
from nbstamp.core.languages.text import ESCAPES, lines, quoted
from nbstamp.core.parameters import Json

# the last ones are operators, and calls with a syntax of their own
_WORDS = """
    baremodule begin break catch const continue do else elseif end export false finally for function
    global if import let local macro module public quote return struct true try using while
    in isa where ccall cglobal
"""
_SHADOWED = """
    abs all any axes BigInt Bool Char collect cos count display eltype exp fill filter first Float64
    float get haskey hcat im Inf Int Int64 isempty isnothing ismissing join keys last length log map
    max maximum merge min minimum missing NaN names ndims ones open pairs parse pi pop! print
    println push! rand read reduce replace reshape round similar sin size sort split sqrt step
    string sum Symbol tan time typeof unique values Vector vcat vec write zeros zip π ℯ
"""
# what Julia itself takes for another letter (ɛ for ε, the middle dot for ⋅), and for a symbol
_OTHER_LETTERS = frozenset("\u025b\u00b7\u0387\u2118\u212e")


def _is_name(name: str) -> bool:
    plain = name.replace("!", "_") if name[0] != "!" else name
    return plain.isidentifier() and _OTHER_LETTERS.isdisjoint(name)


class Julia(Language):
    """Julia, through IJulia or another kernel."""

    name = "julia"
    title = "Julia"
    kernels = ("julia", "julia-*", "julia_*", "ijulia*", "xjulia")
    checked = "rule"

    names = Names(
        grammar=_is_name,
        rule="a variable consists of letters, digits, underscores and exclamation marks, and "
        "starts with a letter or an underscore.",
        words=frozenset(_WORDS.split()) | {"Any", "Dict", "String", "nothing"},
        # what is only underscores can be written and not read; IJulia keeps its history
        steering=r"_+|_\d+|ans|In|Out|IJulia|Main|Base|Core|eval|include",
        shadowed=frozenset(_SHADOWED.split()),
    )
    meaning = Meaning(
        null="`nothing`",
        boolean="`Bool`",
        integer="`Int64`, larger ones `Int128` or `BigInt`",
        number="`Float64`, to the last digit",
        text="`String`",
        list="a vector of one type when all of it have the same (numbers become `Float64` when one "
        "of them is and all can), else `Vector{Any}`",
        object="`Dict{String, Any}`, which has no order",
    )

    def assignment(self, name: str, value: Json) -> str:
        return "\n".join(lay_out(f"{name} = ", _node(value)))

    def equivalent(self, value: Json) -> Json:
        if isinstance(value, dict):
            return {key: self.equivalent(value[key]) for key in sorted(value)}
        if isinstance(value, list):
            if _type(value) == "Vector{Float64}":
                return [float(item) for item in value]  # type: ignore[arg-type]  # all numbers
            return [self.equivalent(item) for item in value]
        return value


# --- Types --------------------------------------------------------------------------------------


def _type(value: Json) -> str:
    """The type that Julia gives to the literal of ``value``."""
    match value:
        case bool():
            return "Bool"
        case int():
            # a literal is read without its sign
            size = abs(value)
            return "Int64" if size < 2**63 else "Int128" if size < 2**127 else "BigInt"
        case float():
            return "Float64"
        case str():
            return "String"
        case list():
            return f"Vector{{{_element(value)}}}"
        case dict():
            return "Dict{String, Any}"
    return "Nothing"


def _element(value: list[Json]) -> str:
    kinds = {_type(item) for item in value}
    if kinds == {"Int64", "Float64"} and all(map(_fits, value)):
        return "Float64"
    if len(kinds) != 1 or kinds == {"Nothing"}:
        return "Any"
    return kinds.pop()


def _fits(number: Json) -> bool:
    return not isinstance(number, int) or is_double(number)


# --- Literals -----------------------------------------------------------------------------------

_ESCAPES = ESCAPES | {"$": "\\$"}


def _text(text: str) -> str:
    return quoted(text, '"', _ESCAPES, _escape)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _scalar(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "nothing" if value is None else repr(value)


def _node(value: Json) -> Node:
    if isinstance(value, list):
        # vectors of other vectors would be converted to a common type of theirs
        opening = "Any[" if _element(value) == "Any" else "["
        return Group(opening, [("", _node(item)) for item in value], "]", breaks=is_table(value))
    if isinstance(value, dict):
        pairs = [(f"{_text(key)} => ", _node(item)) for key, item in value.items()]
        return Group("Dict{String, Any}(", pairs, ")")
    if isinstance(value, str):
        if pieces := lines(value):
            items = [("", _text(line)) for line in pieces]
            return Group("(", items, ")", separator=" *", trailing=False, breaks=True)
        return _text(value)
    return _scalar(value)
