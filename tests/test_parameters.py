"""Untrusted bytes to checked parameters."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbstamp.core.errors import MalformedRequest, TooLarge, Unacceptable, UnacceptableParameter
from nbstamp.core.forms import read_form
from nbstamp.core.parameters import (
    Json,
    Limits,
    Parameters,
    check_parameters,
    json_size,
    json_type,
    language_text,
    printable,
    read_json,
    read_parameters,
)
from nbstamp.testing import same
from notebooks import documents, texts

LIMITS = Limits()


def read(text: str | bytes, **limits: int) -> Json:
    return read_json(text, limits=Limits(**limits))


# --- Forms --------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(texts, texts, max_size=5))
def test_any_form_of_a_browser_is_read(form: dict[str, str]) -> None:
    assert read_form(urlencode(form).encode()) == form


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"&&a=1&", {"a": "1"}),
        (b"a", {"a": ""}),
        (b"=", {"": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a+b=c+d%2B", {"a b": "c d+"}),
        (b"a=*-._~", {"a": "*-._~"}),
        (b"a=%C3%A9\xc3\xa9", {"a": "éé"}),
        (b"a=%00%0D%0a", {"a": "\x00\r\n"}),
        (b"a=%EF%BB%BF1", {"a": "\ufeff1"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
    ],
)
def test_a_form_is_read_as_the_standard_says(body: bytes, form: dict[str, str]) -> None:
    assert read_form(body) == form


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"a=%", "hexadecimal"),
        (b"a=%4", "hexadecimal"),
        (b"a=%zz", "hexadecimal"),
        (b"%u0041=1", "hexadecimal"),
        (b"a=%ff", "a field that is not valid UTF-8"),
        (b"%ff=a", "a field name that is not valid UTF-8"),
        (b"a=%ED%A0%80", "UTF-8"),
        (b"a=1&a=1", "“a” was sent twice"),
        (b"a=1&%61=2", "“a” was sent twice"),
        (b"&".join(b"f%d=1" % n for n in range(101)), "more than 100 fields"),
    ],
)
def test_a_form_that_is_not_clear_is_refused_in_words(body: bytes, words: str) -> None:
    with pytest.raises(MalformedRequest, match=words):
        read_form(body)


# --- JSON ---------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(documents, st.booleans())
def test_any_json_is_read_as_it_is(value: Json, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert same(read(text), value)
    assert same(read(text.encode()), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"\\u003c\\u0027\\ud83d\\ude00\\/"', "<'😀/"),
        ('"\\u0000\\u2028"', "\x00\u2028"),
        ("9223372036854775808", 2**63),
        ("-" + "9" * 400, -(10**400 - 1)),
        ("1E400", None),
        ("0e-400", 0.0),
        ("-0.000E-999", -0.0),
        ("5e-324", 5e-324),
        ("0." + "0" * 190 + "1e-99", 1e-290),
        ("-0", 0),
        ("-0.0", -0.0),
        ("1.0", 1.0),
        (" \t\r\n1 ", 1),
        ('{"": {"": []}}', {"": {"": []}}),
        ('{"a": 1, "A": 2, "á": 3}', {"a": 1, "A": 2, "á": 3}),
    ],
)
def test_values_keep_their_type(text: str, value: Json) -> None:
    if value is None:
        with pytest.raises(MalformedRequest, match="1E400 is too large"):
            read(text)
    else:
        assert same(read(text), value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "line 1, column 2"),
        ("[1,]", "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1} x', "not JSON"),
        ("\ufeff{}", "not JSON"),
        ('"\n"', "not JSON"),
        ("01", "not JSON"),
        ("nan", "not JSON"),
        ("\u0661", "not JSON"),
        ("[NaN]", "NaN is not a JSON value"),
        ("Infinity", "Infinity is not a JSON value"),
        ('{"a": [-Infinity]}', "-Infinity is not a JSON value"),
        ("-1e999", "too large"),
        ("1.8e308", "too large"),
        ("1e-400", "too small .* would become 0"),
        ("[-2e-324]", "too small"),
        ("0." + "0" * 330 + "1", "too small"),
        ("[1, 18E+0307]", "too large"),
        ("9" * 300 + "e9", "too large"),
        ("9" * 309 + ".0", "too large"),
        ("0." + "0" * 99 + "1E500", "too large"),
        ("9" * 401, "401 digits; at most 400"),
        ("[" + "9" * 4301 + "]", "4301 digits; at most 400"),
        ('{"a": {"b": 1, "b": 1}}', "“b” stands twice"),
        ('{"a": 1, "\\u0061": 2}', "“a” stands twice"),
        ('{"\\u202e": 1, "\\u202e": 2}', "u202e” stands twice"),
        ('"\\ud800"', "surrogate"),
        ('["\\udc00\\ud800"]', "surrogate"),
        ('{"a\\udfff": 1}', "surrogate"),
        ('{"a": {"b": ["\\uD83D"]}}', "surrogate"),
        (b"\xff", "UTF-8 .byte 0"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (b"\xff\xfe1\x00", "UTF-8"),
    ],
)
def test_json_that_is_not_clear_is_refused_in_words(text: str | bytes, words: str) -> None:
    with pytest.raises(MalformedRequest, match=words):
        read(text)


def test_a_site_may_allow_fewer_digits() -> None:
    with pytest.raises(MalformedRequest, match="51 digits; at most 50"):
        read_json("9" * 51, limits=Limits(digits=50))


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"]":', '"\\"[",[['])
def test_depth_is_refused_before_anything_is_built(opening: str) -> None:
    with pytest.raises(MalformedRequest, match=r"levels deep|not JSON"):
        read(opening * 100_000)


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("1", 0),
        ("[]", 1),
        ('"[[[["', 0),
        ('["\\"[[[", {}]', 2),
        ('{"{{{": [[]], "b": [[[]]]}', 4),
        ("[" * 32 + "]" * 32, 32),
    ],
)
def test_depth_counts_lists_and_objects_alone(text: str, depth: int) -> None:
    read(text, depth=depth)
    if depth:
        with pytest.raises(MalformedRequest, match=f"nested {depth} levels deep; at most"):
            read(text, depth=depth - 1)


# --- Parameters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "is a list"),
        ("null", "is null"),
        ('"{}"', "is a text"),
        ("1", "is a number"),
        ("true", "is true or false"),
    ],
)
def test_params_are_an_object(text: str, words: str) -> None:
    with pytest.raises(MalformedRequest, match=words):
        read_parameters(text, limits=LIMITS)


def test_every_limit_lets_through_what_it_names() -> None:
    tight = Limits(parameters=2, name=3, depth=1, value=12)
    read_parameters('{"abc": [1], "b": "1234567890"}', limits=tight)
    with pytest.raises(Unacceptable, match="3 parameters; at most 2"):
        read_parameters('{"a": 1, "b": 2, "c": 3}', limits=tight)
    with pytest.raises(UnacceptableParameter, match="“abc…” has 4 characters; at most 3") as long:
        read_parameters('{"abcd": 1}', limits=tight)
    assert long.value.parameter == "abc"
    with pytest.raises(MalformedRequest, match="2 levels deep; at most 1"):
        read_parameters('{"a": [[]]}', limits=tight)
    with pytest.raises(TooLarge, match="“a” has 13 bytes as JSON; at most 12"):
        read_parameters('{"a": "1234567890a"}', limits=tight)


def test_parameters_are_in_the_order_of_their_names() -> None:
    found = read_parameters('{"b": 1, "A": 2, "a": {"z": 1, "y": 2}, "Ä": 3}', limits=LIMITS)
    assert list(found) == ["A", "a", "b", "Ä"]
    assert list(found["a"]) == ["z", "y"]  # type: ignore[arg-type]  # it is an object


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(texts, documents, max_size=4))
def test_the_text_that_pages_carry_gives_the_same_parameters(values: dict[str, Any]) -> None:
    parameters = check_parameters(values, limits=LIMITS)
    again = read_parameters(parameters.text, limits=LIMITS)
    assert same(dict(again), dict(parameters))
    assert again.hash == parameters.hash
    assert parameters.text.isascii()
    assert parameters.text.isprintable()
    # a browser's form changes nothing in it
    assert read_form(b"p=" + quote_plus(parameters.text).encode()) == {"p": parameters.text}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ('{"a": 1, "b": {"c": 2, "d": 3}}', '{"b": {"d": 3, "c": 2}, "a": 1}', True),
        ('{"a": "\\u00e9"}', '{"a": "é"}', True),
        ('{"a": 1.50}', '{"a": 1.5}', True),
        ('{"a": 1}', '{"a": 1.0}', False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": 0}', '{"a": false}', False),
        ('{"a": 0.0}', '{"a": -0.0}', False),
        ('{"a": "1"}', '{"a": 1}', False),
        ('{"a": null}', "{}", False),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', False),
        ('{"a": "é"}', '{"a": "e\u0301"}', False),
    ],
)
def test_the_hash_is_that_of_names_values_and_types(one: str, other: str, equal: bool) -> None:
    hashes = {read_parameters(text, limits=LIMITS).hash for text in (one, other)}
    assert (len(hashes) == 1) == equal


def test_values_do_not_reach_a_log_by_accident() -> None:
    assert "confidential" not in f"{Parameters({'confidential': 'confidential'})!r}"


# --- For people ---------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), documents, max_size=3))
def test_no_value_is_larger_than_all_of_them(values: dict[str, Json]) -> None:
    assert all(json_size(value) <= Parameters(values).size for value in values.values())


@settings(max_examples=100, deadline=None)
@given(documents)
def test_the_size_of_a_value_is_that_of_its_json(value: Json) -> None:
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, str):
        assert json_size(value) <= len(compact.encode())
    else:
        assert abs(json_size(value) - len(compact.encode())) <= 1  # true and True, null and None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (False, "true or false"),
        (0, "a number"),
        (math.pi, "a number"),
        ("", "a text"),
        ([], "a list"),
        ({}, "an object"),
    ],
)
def test_a_type_is_named_for_people(value: Json, words: str) -> None:
    assert json_type(value) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Fe3O4 µ 試料", "Fe3O4 µ 試料"),
        ("a\nb\x1b[31m", "a\\u000ab\\u001b[31m"),
        ("\u202egnp", "\\u202egnp"),
        ("\ud800", "\\ud800"),
        ("x" * 81, "x" * 80 + "…"),
        ("x" * 80, "x" * 80),
    ],
)
def test_a_text_in_a_message_shows_what_it_is(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"en": "glass", "de": "Glas"}, "glass"),
        ({"de": "Glas"}, "Glas"),
        ({"en": "", "fr": "verre", "de": "Glas"}, "Glas"),
        ({"en": ""}, ""),
        ({"pt-BR": "vidro"}, "vidro"),
        ({"zh_Hans": "玻璃"}, "玻璃"),
        ({}, None),
        ({"en": 1}, None),
        ({"en": "glass", "units": "m"}, None),
        ({"EN": "glass"}, None),
        ("glass", None),
        (["en"], None),
        (None, None),
    ],
)
def test_a_text_in_several_languages_is_one_text(value: Json, text: str | None) -> None:
    assert language_text(value) == text


def test_the_site_decides_which_language_comes_first() -> None:
    value: Json = {"en": "glass", "de": "Glas", "fr": "verre"}
    assert language_text(value, ("fr", "de")) == "verre"
    assert language_text(value, ("es",)) == "Glas"
    assert language_text(value, ()) == "Glas"
