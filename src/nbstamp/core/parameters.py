"""Untrusted bytes to checked parameters: strict JSON, limits.

Knows nothing of templates, kernel languages or HTTP. The limits are those of DESIGN section 4;
every refusal says what was wrong, where, and what would be right.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import ItemsView, Iterator, Mapping
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from nbstamp.core.errors import MalformedRequest, TooLarge, Unacceptable, UnacceptableParameter

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Limits(NamedTuple):
    """What this server is willing to read."""

    body: int = 8 * 2**20
    """Bytes of one request body."""
    parameters: int = 500
    """Number of parameters."""
    name: int = 63
    """Characters of one parameter name (Octave and MATLAB cut longer ones)."""
    depth: int = 32
    """Levels of nesting inside one parameter."""
    digits: int = 400
    """Digits of an integer."""
    value: int = 4 * 2**20
    """Bytes of one value as JSON."""
    template: int = 64 * 2**20
    """Bytes of a template."""


class Parameters(Mapping[str, Json]):
    """Checked parameters, sorted by name: portals send them in an order of their own
    (SampleDB by the length of the name), and people look for names.
    """

    def __init__(self, values_by_name: Mapping[str, Json] | None = None) -> None:
        self.values_by_name = values_by_name or {}

    def __getitem__(self, name: str) -> Json:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def items(self) -> ItemsView[str, Json]:
        return self.values_by_name.items()

    def __repr__(self) -> str:  # values must not reach a log by accident
        return f"Parameters({len(self)} names)"

    @cached_property
    def text(self) -> str:
        """The parameters as one line of ASCII JSON: the form in which pages carry them.

        Reading it back gives equal parameters. DEL is escaped too, so that nothing in it is
        changed by a browser's form.
        """
        text = json.dumps(self.values_by_name, separators=(",", ":"), allow_nan=False)
        return text.replace("\x7f", "\\u007f")

    @cached_property
    def hash(self) -> str:
        """SHA-256 in hex of the canonical form: equal for equal names, values and types,
        whatever the order of keys or the spelling on the wire."""
        return hashlib.sha256(self._canonical.encode("ascii")).hexdigest()

    @cached_property
    def _canonical(self) -> str:
        return _CANONICAL.encode(self.values_by_name)

    @property
    def size(self) -> int:
        """Bytes of the canonical form, which is ASCII; no value alone has more as JSON."""
        return len(self._canonical)


_CANONICAL = json.JSONEncoder(separators=(",", ":"), sort_keys=True)


def read_json(text: str | bytes, *, limits: Limits, envelope: int = 0) -> Json:
    """Read one JSON text (RFC 8259) strictly: no NaN or Infinity, no number that a float cannot
    hold, no duplicate key, no lone surrogate, nothing deeper or longer than ``limits`` allow.

    ``envelope`` is the number of levels that a surrounding document adds to the depth.
    Raises :class:`MalformedRequest`.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as err:
            raise MalformedRequest(
                f"The JSON text is not valid UTF-8 (byte {err.start})."
            ) from None
    if (depth := _depth(text, limits.depth + envelope)) > limits.depth + envelope:
        raise MalformedRequest(
            f"The parameters are nested {depth - envelope} levels deep; "
            f"at most {limits.depth} are accepted."
        )

    large = limits.digits < _MANY or _MANY_DIGITS.search(text) or _LARGE_EXPONENT.search(text)
    decoder = _careful_decoder(limits.digits) if large else _DECODER
    try:
        value: Json = decoder.decode(text)
    except json.JSONDecodeError as err:
        raise MalformedRequest(
            f"This is not JSON: {err.msg} at line {err.lineno}, column {err.colno}."
        ) from None
    except RecursionError:
        raise MalformedRequest("The JSON text is nested too deeply.") from None
    if ("\\u" in text or not text.isascii()) and _MAYBE_SURROGATE.search(text):
        _refuse_surrogates(value)
    return value


_STRINGS = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = {"[": 1, "{": 1, "]": -1, "}": -1}
_NO_BRACKET = re.compile(r"[^\[\]{}]++")
_MAYBE_SURROGATE = re.compile("\\\\u[dD][89abcdefABCDEF]|[\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _depth(text: str, enough: int) -> int:
    """The nesting of a JSON text, without recursion and before any value is built; anything up to
    ``enough`` when it cannot be more."""
    if (opening := text.count("[") + text.count("{")) <= enough:
        return opening
    brackets = _NO_BRACKET.sub("", _STRINGS.sub("", text))
    return max(accumulate(map(_BRACKETS.__getitem__, brackets)), default=0)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedRequest(
            f"The key “{printable(twice)}” stands twice in one JSON object; it is not clear "
            "which value is meant."
        )
    return found


def _refuse_constant(name: str) -> Json:
    raise MalformedRequest(f"{name} is not a JSON value (RFC 8259 section 6); null would be.")


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise MalformedRequest(
            f"The number {digits[:40]} is too large for a floating point number."
        )
    if not number and _NOT_ZERO.match(digits):
        raise MalformedRequest(
            f"The number {digits[:40]} is too small for a floating point number: it would become 0."
        )
    return number


_NOT_ZERO = re.compile(r"[-0.]*[1-9]")


def _careful_decoder(digits: int) -> json.JSONDecoder:
    """A decoder for a text that may hold a number beyond what is accepted."""
    longest = min(digits, sys.int_info.default_max_str_digits)

    def integer(digits: str) -> int:
        if (length := len(digits.lstrip("-"))) > longest:
            raise MalformedRequest(
                f"The JSON text holds an integer of {length} digits; at most {longest} are "
                "accepted."
            )
        return int(digits)

    return json.JSONDecoder(
        object_pairs_hook=_unique,
        parse_constant=_refuse_constant,
        parse_float=_float,
        parse_int=integer,
    )


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
_MANY = 200
_MANY_DIGITS = re.compile(f"[0-9]{{{_MANY}}}")
_LARGE_EXPONENT = re.compile("[eE][-+]?[0-9]{3}")
# a number that a float cannot hold (above 1e308, below 1e-324) has the one or the other


def _refuse_surrogates(value: Json) -> None:
    stack: list[Json] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack += item.values()
            stack += item.keys()
        elif isinstance(item, list):
            stack += item
        elif isinstance(item, str) and _SURROGATE.search(item):
            raise MalformedRequest(
                "A text holds half of a surrogate pair (\\ud800 to \\udfff alone): "
                "this is not a character. It was probably cut in the middle of one."
            )


def read_parameters(text: str | bytes, *, limits: Limits) -> Parameters:
    """Read the JSON object that a portal sends as ``params``.

    Raises :class:`MalformedRequest`, :class:`UnacceptableParameter`, :class:`Unacceptable` or
    :class:`TooLarge`.
    """
    return check_parameters(read_json(text, limits=limits, envelope=1), limits=limits)


def check_parameters(value: Json, *, limits: Limits) -> Parameters:
    """Check that ``value``, as read by :func:`read_json`, is an object within ``limits``.

    Raises as :func:`read_parameters`.
    """
    if not isinstance(value, dict):
        raise MalformedRequest(
            f'“params” must be a JSON object such as {{"name": "value"}}, '
            f"and is {json_type(value)}."
        )
    if len(value) > limits.parameters:
        raise Unacceptable(
            f"There are {len(value)} parameters; at most {limits.parameters} are accepted. "
            "Lists and objects can hold many values in one parameter."
        )
    for name in value:
        if len(name) > limits.name:
            raise UnacceptableParameter(
                name[: limits.name],
                f"The parameter name “{printable(name[: limits.name])}…” has {len(name)} "
                f"characters; at most {limits.name} are accepted.",
            )
    parameters = Parameters(dict(sorted(value.items(), key=_by_name)))
    if parameters.size > limits.value:
        for name, item in parameters.items():
            if (size := json_size(item)) > limits.value:
                raise TooLarge(
                    f"The value of “{printable(name)}” has {size:,} bytes as JSON; at most "
                    f"{limits.value:,} fit into a notebook cell."
                )
    return parameters


def _by_name(item: tuple[str, Json]) -> tuple[str, str]:
    return item[0].casefold(), item[0]


def json_size(value: Json) -> int:
    """Bytes of ``value`` as compact JSON in UTF-8; a text counts without its escapes."""
    if isinstance(value, str):
        return (len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))) + 2
    if isinstance(value, dict | list) and value:
        return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))
    return len(str(value))


def json_type(value: Json) -> str:
    """The JSON type of ``value`` as the end of a sentence: “a list”, “null”."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def printable(text: str, length: int = 80) -> str:
    """``text`` for a message: control and invisible characters escaped, cut at ``length``."""
    if len(text) <= length and text.isprintable():
        return text
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[: length + 1])
    return shown if len(text) <= length else shown[:length] + "…"


def language_text(value: Json, preferred: tuple[str, ...] = ("en",)) -> str | None:
    """The text of a value in several languages (``{"en": "glass", "de": "Glas"}``, as SampleDB's
    web form writes every free text), or None when ``value`` is not one.

    The site's ``preferred`` order decides, then the first language by code, never who looks.
    """
    if not isinstance(value, dict) or not value:
        return None
    if not all(_LANGUAGE_CODE.fullmatch(key) and isinstance(value[key], str) for key in value):
        return None
    for code in (*preferred, *sorted(value)):
        text = value.get(code)
        if isinstance(text, str) and text:
            return text
    return ""


_LANGUAGE_CODE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
