"""File names and folders from untrusted values."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nbstamp.core.errors import UnacceptableFileName
from nbstamp.core.naming import (
    LONGEST,
    Target,
    fill,
    numbered,
    placeholders,
    safe_component,
    target_folder,
    typed_folder,
    typed_name,
)
from nbstamp.core.parameters import Json
from notebooks import documents

AWKWARD = st.sampled_from(
    [
        *'/\\:*?"<>|.{} ',
        *("\0", "\n", "\u202e", "\u200b", "\ud800", "\ufeff", "\u0301", "\u00ad", "\u1100\u1161"),
        *("..", "CON", "nul", "COM¹", ".ipynb", "é", "e\u0301", "試", "🔬", "x" * 90),
    ]
)
hostile = st.lists(AWKWARD | st.text(max_size=5), max_size=8).map("".join)
DEVICE = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³]) *(\.|$)", re.IGNORECASE)


def assert_one_safe_component(name: str) -> None:
    assert name
    assert not set('/\\:*?"<>|') & set(name)
    assert not name.startswith((".", " "))
    assert not name.endswith((".", " "))
    assert name == unicodedata.normalize("NFC", name)
    assert not {unicodedata.category(c) for c in name} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert all(c == " " or not c.isspace() for c in name)
    assert not DEVICE.match(name)
    assert len(name.encode()) <= LONGEST
    assert len(numbered(name, 999).encode("utf-16-le")) <= 2 * 255
    assert os.path.normpath(f"/a/{name}") == f"/a/{name}"
    assert len(Path(f"/a/{name}").parts) == 3


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b"]), hostile | documents), hostile)
def test_any_parameters_make_one_safe_path_component(values: dict[str, Any], around: str) -> None:
    for pattern in ("{a}.ipynb", "Fit_{a}_{b}.ipynb", f"{around}{{a}}.ipynb"):
        filled = fill(pattern, values)
        assert_one_safe_component(filled.name)
        assert filled.name.endswith(".ipynb")
        assert set(filled.missing) <= {"a", "b"} | set(re.findall(r"\w+", around))


@settings(max_examples=100, deadline=None)
@given(hostile)
@example("a .ipynb\u200b")
@example("..ipynb")
def test_a_safe_component_is_safe_and_stays_as_it_is(text: str) -> None:
    safe = safe_component(text)
    if safe:
        assert_one_safe_component(safe)
    assert safe_component(safe) == safe


@settings(max_examples=100, deadline=None)
@given(hostile, hostile, hostile)
def test_any_target_folder_stays_below_the_root(folder: str, date: str, setting: str) -> None:
    for part in target_folder(
        f"x/{{folder}}/{setting}/{{date}}", folder=folder, username="", date=date
    ):
        assert_one_safe_component(part)


@settings(max_examples=100, deadline=None)
@given(hostile)
def test_what_is_typed_is_taken_as_it_is_or_refused(text: str) -> None:
    try:
        name = typed_name(text)
    except UnacceptableFileName:
        pass
    else:
        assert_one_safe_component(name)
        typed = unicodedata.normalize("NFC", text.strip())
        assert name in (typed, f"{typed}.ipynb")
    try:
        parts = typed_folder(text)
    except UnacceptableFileName:
        return
    for part in parts:
        assert_one_safe_component(part)
    typed = unicodedata.normalize("NFC", text)
    assert list(parts) == [part.strip() for part in typed.split("/") if part.strip()]


@settings(max_examples=100, deadline=None)
@given(hostile)
def test_an_account_is_a_folder_as_it_is_or_refused(username: str) -> None:
    try:
        parts = target_folder("home/{username}", folder="", username=username, date="")
    except UnacceptableFileName:
        return
    assert parts == ("home", username)


# --- Placeholders -------------------------------------------------------------------------------

FILLED: list[tuple[str, dict[str, Json], str]] = [
    ("Data_{name}.ipynb", {"name": "Experiment-12345"}, "Data_Experiment-12345.ipynb"),
    ("{a}{b}{a}.ipynb", {"a": 1, "b": "-"}, "1-1.ipynb"),
    ("{t} K.ipynb", {"t": 21.5}, "21.5 K.ipynb"),
    ("{t}.ipynb", {"t": 1e-9}, "1e-09.ipynb"),
    ("{t}.ipynb", {"t": -3}, "-3.ipynb"),
    ("{größe}.ipynb", {"größe": "12 µm"}, "12 µm.ipynb"),
    ("{name}.ipynb", {"name": {"de": "Glas", "en": "glass"}}, "glass.ipynb"),
    ("{name}.ipynb", {"name": {"de": "Glas"}}, "Glas.ipynb"),
    ("{name}.ipynb", {"name": "../../etc/passwd"}, "_.._etc_passwd.ipynb"),
    ("{name}.ipynb", {"name": "a\\b:c*d?e\"f<g>h|i"}, "a_b_c_d_e_f_g_h_i.ipynb"),
    ("{name}.ipynb", {"name": "a\t\r\n\u00a0\u2003b"}, "a b.ipynb"),
    ("{name}.ipynb", {"name": "x\u202egnp\u200b\ufeff\x00\x7f"}, "xgnp.ipynb"),
    ("{name}.ipynb", {"name": "e\u0301"}, "é.ipynb"),
    ("{name}.ipynb", {"name": "..hidden. "}, "hidden.ipynb"),
    ("{name}.ipynb", {"name": "con"}, "_con.ipynb"),
    ("{name}.ipynb", {"name": "NUL.txt"}, "_NUL.txt.ipynb"),
    ("{name}.ipynb", {"name": "LPT¹"}, "_LPT¹.ipynb"),
    ("{name}.ipynb", {"name": "CONSOLE"}, "CONSOLE.ipynb"),
    ("{name}x.ipynb", {"name": "con"}, "conx.ipynb"),
    ("{name}.ipynb", {"name": "{other} {0} {x.y} {{z}} %s"}, "{other} {0} {x.y} {{z}} %s.ipynb"),
    ("{a}{b}.ipynb", {"a": "{b}", "b": "{a}"}, "{b}{a}.ipynb"),
    ("plain.ipynb", {"a": 1}, "plain.ipynb"),
    ("x.ipynb{a}.ipynb", {"a": 1}, "x.ipynb1.ipynb"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "values", "name"), FILLED)
def test_a_name_is_filled_once(pattern: str, values: dict[str, Json], name: str) -> None:
    filled = fill(pattern, values)
    assert filled.name == name
    assert not filled.missing


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "was not sent"),
        ({"a": None}, "its value is null"),
        ({"a": True}, "its value is true or false"),
        ({"a": ["x"]}, "its value is a list"),
        ({"a": {"magnitude": 1}}, "its value is an object"),
        ({"a": ""}, "no character"),
        ({"a": " .\u200b. "}, "no character"),
        ({"a": {"en": ""}}, "no character"),
    ],
)
def test_a_missing_piece_stays_and_is_named(values: dict[str, Json], words: str) -> None:
    filled = fill("Fit_{a}_{b}.ipynb", values | {"b": 2})
    assert filled.name == "Fit_{a}_2.ipynb"
    assert list(filled.missing) == ["a"]
    assert words in filled.missing["a"]


def test_the_language_of_a_name_is_the_sites() -> None:
    value: Json = {"en": "glass", "de": "Glas", "fr": "verre"}
    assert fill("{a}.ipynb", {"a": value}, languages=("fr",)).name == "verre.ipynb"


@pytest.mark.parametrize("text", ["x", "é", "試", "🔬", "e\u0302"])
def test_a_long_name_is_cut_between_characters_and_stays_different(text: str) -> None:
    one, other = (fill("{a}.ipynb", {"a": text * 300 + end}).name for end in "12")
    for name in (one, other):
        assert_one_safe_component(name)
        assert LONGEST - 4 < len(name.encode()) <= LONGEST
        assert re.search(r"~[0-9a-f]{8}\.ipynb$", name)
    assert one != other
    assert one == fill("{a}.ipynb", {"a": text * 300 + "1"}).name
    assert safe_component(one) == one


def test_a_name_of_exactly_the_longest_length_is_not_cut() -> None:
    assert fill("{a}.ipynb", {"a": "x" * 234}).name == "x" * 234 + ".ipynb"
    assert "~" in fill("{a}.ipynb", {"a": "x" * 235}).name


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("plain.ipynb", ()),
        ("{a}.ipynb", ("a",)),
        ("{b}_{a}_{b}.ipynb", ("b", "a")),
        ("{größe} {_x} {a1}.ipynb", ("größe", "_x", "a1")),
    ],
)
def test_a_template_says_what_its_name_needs(name: str, found: tuple[str, ...]) -> None:
    assert placeholders(name) == found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("{.ipynb", "brace"),
        ("}.ipynb", "brace"),
        ("{}.ipynb", "brace"),
        ("{1a}.ipynb", "brace"),
        ("{a b}.ipynb", "brace"),
        ("{a.b}.ipynb", "brace"),
        ("{a[0]}.ipynb", "brace"),
        ("{a!r}.ipynb", "brace"),
        ("{a:>9}.ipynb", "brace"),
        ("{{a}}.ipynb", "brace"),
        (".{a}.ipynb", "dot"),
        (".ipynb", "dot"),
    ],
)
def test_a_name_that_cannot_be_filled_is_refused(name: str, words: str) -> None:
    with pytest.raises(UnacceptableFileName, match=words):
        placeholders(name)


# --- Typed names and folders --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mine", "mine.ipynb"),
        (" mine.ipynb ", "mine.ipynb"),
        ("mine.IPYNB", "mine.IPYNB.ipynb"),
        ("a {b}", "a {b}.ipynb"),
        ("e\u0301", "é.ipynb"),
    ],
)
def test_a_typed_name_gets_its_suffix(text: str, name: str) -> None:
    assert typed_name(text) == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a name"),
        (" . ", "a name"),
        (".ipynb", "a name"),
        (".hidden", "“hidden.ipynb” would do"),
        ("../x", "“_x.ipynb” would do"),
        ("a/b", "“a_b.ipynb” would do"),
        ("CON", "“_CON.ipynb” would do"),
        ("a  b", "“a b.ipynb” would do"),
        ("a\u202eb", r"“a\\u202eb.ipynb” cannot"),
        ("x" * 300, "would do"),
    ],
)
def test_a_typed_name_that_cannot_be_used_comes_with_a_better_one(text: str, words: str) -> None:
    with pytest.raises(UnacceptableFileName, match=words):
        typed_name(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("/", ()),
        ("notebooks/sem", ("notebooks", "sem")),
        (" /notebooks // sem/ ", ("notebooks", "sem")),
        ("a.b/c d", ("a.b", "c d")),
    ],
)
def test_a_typed_folder_is_a_path_below_the_root(text: str, parts: tuple[str, ...]) -> None:
    assert typed_folder(text) == parts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("..", "cannot be used as a folder.$"),
        ("a/../b", "“a/b” would do"),
        (".ssh", "“ssh” would do"),
        ("a\\b", "“a_b” would do"),
        ("~/x/NUL", "“~/x/_NUL” would do"),
        ("/".join("x" * 21), "21 levels deep; at most 20"),
    ],
)
def test_a_typed_folder_that_cannot_be_used_is_refused(text: str, words: str) -> None:
    with pytest.raises(UnacceptableFileName, match=words):
        typed_folder(text)


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("notebooks/{folder}", ("notebooks", "x ray", "lab_1")),
        ("{folder}", ("x ray", "lab_1")),
        ("by {folder}", ("by x ray_lab_1",)),
        ("{username}/{date}", ("anna", "2026-11-25")),
        ("{username}-{date}", ("anna-2026-11-25",)),
        ("", ()),
        ("a//b/", ("a", "b")),
        ("{unknown}", ("{unknown}",)),
    ],
)
def test_the_site_says_where_notebooks_go(setting: str, parts: tuple[str, ...]) -> None:
    folder = target_folder(setting, folder="x ray/lab:1", username="anna", date="2026-11-25")
    assert folder == parts


@pytest.mark.parametrize(
    "username", ["", "..", ".anna", "a/b", "anna ", "con", "a\u200bb", "x" * 300]
)
def test_an_account_that_is_no_safe_folder_is_refused(username: str) -> None:
    with pytest.raises(UnacceptableFileName, match="ask the administrator"):
        target_folder("{username}", folder="", username=username, date="")
    assert target_folder("all", folder="", username=username, date="") == ("all",)


# --- Series -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("Fit (1).ipynb", True),
        ("Fit (1)-1.ipynb", True),
        ("Fit (1)-999.ipynb", True),
        ("Fit (1)-0.ipynb", False),
        ("Fit (1)-01.ipynb", False),
        ("Fit (1)-99999.ipynb", False),
        ("Fit (1)-1-1.ipynb", False),
        ("Fit (1)-1.ipynb~", False),
        ("Fit (1).ipynb\n", False),
        ("fit (1).ipynb", False),
        ("Fit 1.ipynb", False),
    ],
)
def test_a_series_is_the_name_and_its_numbers(name: str, belongs: bool) -> None:
    assert Target(("a",), "Fit (1).ipynb").in_series(name) == belongs


def test_a_number_stands_before_the_suffix() -> None:
    target = Target(("a", "b"), "Fit.ipynb")
    assert target.path == "a/b/Fit.ipynb"
    assert target.numbered(0) == target
    assert target.numbered(12).path == "a/b/Fit-12.ipynb"
