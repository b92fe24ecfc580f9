"""What passes through the browser: sealed, dated, for one purpose."""

from __future__ import annotations

import pytest

from nbstamp.web.tokens import LEEWAY, BadToken, Tokens

SECRET = "a secret of more than thirty-two characters"
OTHER = "another secret of more than thirty-two characters"


def at(moment: float, *secrets: str) -> Tokens:
    return Tokens(secrets or (SECRET,), clock=lambda: moment)


def test_a_token_comes_back_with_its_age() -> None:
    token = at(1000.0).seal("confirmation", {"a": ["µ", 1, None]})
    opened = at(1060.0).open("confirmation", token)
    assert opened.data == {"a": ["µ", 1, None]}
    assert opened.age == pytest.approx(60)


def test_a_token_does_not_show_what_it_holds() -> None:
    assert "visible" not in at(0).seal("arrival", {"portal": "visible"})


def test_a_token_opens_for_its_own_purpose_only() -> None:
    token = at(0).seal("arrival", {})
    with pytest.raises(BadToken):
        at(0).open("confirmation", token)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-2], lambda t: t[:30] + "B" + t[31:], lambda t: ""]
)
def test_a_changed_token_is_none_of_ours(change: object) -> None:
    token = at(0).seal("arrival", {"x": 1})
    with pytest.raises(BadToken):
        at(0).open("arrival", change(token))  # type: ignore[operator]


def test_an_old_secret_still_opens_and_a_removed_one_does_not() -> None:
    token = at(0, OTHER).seal("arrival", {"x": 1})
    assert at(0, SECRET, OTHER).open("arrival", token).data == {"x": 1}
    with pytest.raises(BadToken):
        at(0, SECRET).open("arrival", token)


def test_the_clock_of_a_replica_may_be_a_minute_ahead() -> None:
    token = at(1000 + LEEWAY - 1).seal("arrival", {})
    assert at(1000).open("arrival", token).age == 0
    with pytest.raises(BadToken):
        at(1000).open("arrival", at(1000 + LEEWAY + 1).seal("arrival", {}))


def test_what_is_not_trusted_for_its_date_may_be_dated_ahead() -> None:
    now = [1000.0]
    tokens = Tokens([SECRET], clock=lambda: now[0])
    sealed = tokens.seal("session", {"a": 1})
    for moment, expected in ((1000.0, True), (4600.0, True), (-2600.0, True), (4601.0, False)):
        now[0] = moment
        assert (tokens.read("session", sealed, 3600) is not None) == expected, moment
    now[0] = -2601.0
    assert tokens.read("session", sealed, 3600) is None
    assert tokens.read("login", sealed, 3600) is None
    assert tokens.read("session", "x", 3600) is None
