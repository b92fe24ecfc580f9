"""Source code laid out for people, whatever the language."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbstamp.core.languages.layout import WIDTH, Group, Node, lay_out

WORDS = st.text("ab", min_size=1, max_size=40)


@st.composite
def groups(draw: st.DrawFn, items: st.SearchStrategy[Node]) -> Group:
    keys = st.just("") | WORDS.map("{}: ".format)
    return Group(
        "[",
        draw(st.lists(st.tuples(keys, items), max_size=6)),
        "]",
        trailing=draw(st.booleans()),
        breaks=draw(st.booleans()),
        continued=draw(st.sampled_from(["", " ..."])),
    )


nodes: st.SearchStrategy[Node] = st.recursive(WORDS, groups, max_leaves=20)


def plain(node: Node) -> str:
    """``node`` without line breaks, blanks, or separators after a last item."""
    if isinstance(node, str):
        return node
    inside = node.separator.join(f"{key.strip()}{plain(item)}" for key, item in node.items)
    return f"{node.opening}{inside}{node.closing}"


@settings(max_examples=80, deadline=None)
@given(nodes)
def test_only_white_space_and_trailing_separators_are_added(node: Node) -> None:
    lines = lay_out("v = ", node, ";")
    text = re.sub(r"( \.\.\.)?\n *", "", "\n".join(lines)).replace(" ", "")
    assert text.replace(",]", "]") == f"v={plain(node)};"
    assert not any(line.endswith(" ") for line in lines)


@settings(max_examples=80, deadline=None)
@given(nodes)
def test_a_line_is_longer_than_the_margin_only_for_a_single_literal(node: Node) -> None:
    for line in lay_out("v = ", node):
        assert len(line) <= WIDTH or not set("[,") & set(line.strip()[:-1].rstrip(",").rstrip(" ."))


def test_what_fits_stays_on_one_line() -> None:
    items = [("", "x" * 19)] * 4
    room = WIDTH - len(", ".join("x" * 19 for _ in range(4))) - 2
    assert len(lay_out("p" * room, Group("[", items, "]"))) == 1
    assert len(lay_out("p" * (room + 1), Group("[", items, "]"))) == 3
    assert len(lay_out("p" * room, Group("[", items, "]", breaks=True))) == 6
    assert len(lay_out("p" * room, Group("[", items, "]"), ";")) == 3


LONG = Group("{", [("a: ", "1" * 30), ("b: ", "2" * 30), ("c: ", "3" * 30)], "}")


@pytest.mark.parametrize(
    ("group", "lines"),
    [
        (LONG, ["{", f"    a: {'1' * 30},", f"    b: {'2' * 30},", f"    c: {'3' * 30},", "}"]),
        (
            LONG._replace(trailing=False),
            ["{", f"    a: {'1' * 30},", f"    b: {'2' * 30},", f"    c: {'3' * 30}", "}"],
        ),
        (
            LONG._replace(continued=" ...", trailing=False),
            [
                "{ ...",
                f"    a: {'1' * 30}, ...",
                f"    b: {'2' * 30}, ...",
                f"    c: {'3' * 30} ...",
                "}",
            ],
        ),
        (
            Group("c(", [("", "12345")] * 20, ")", trailing=False),
            ["c(", "    " + "12345, " * 11 + "12345,", "    " + "12345, " * 7 + "12345", ")"],
        ),
        (Group("[", [], "]"), ["[]"]),
        (Group("[", [], "]", breaks=True), ["[]"]),
        (
            Group("{", [("x" * 90 + ": ", Group("[", [], "]"))], "}"),
            ["{", f"    {'x' * 90}: [],", "}"],
        ),
    ],
)
def test_a_group_is_broken_as_an_author_would(group: Group, lines: list[str]) -> None:
    assert lay_out("", group) == lines


def test_a_group_in_a_group_is_indented_and_the_suffix_comes_last() -> None:
    assert lay_out("v <- ", Group("list(", [("a = ", LONG)], ")"), ";") == [
        "v <- list(",
        "    a = {",
        f"        a: {'1' * 30},",
        f"        b: {'2' * 30},",
        f"        c: {'3' * 30},",
        "    },",
        ");",
    ]


def test_the_work_grows_with_the_source_and_not_with_its_depth() -> None:
    node: Node = "innermost"
    for _ in range(200):
        node = Group("[", [("", node), ("", "x" * 60)], "]")
    assert len(lay_out("v = ", node)) < 1000
