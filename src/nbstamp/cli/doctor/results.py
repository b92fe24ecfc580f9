"""What a check has found: a verdict, a sentence, and the lines to change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from textwrap import dedent


class Verdict(Enum):
    """How it stands; the value is what people read."""

    FINE = "ok"
    WRONG = "WRONG"
    UNSEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report."""

    check: str
    """What was looked at, in a word or two."""
    verdict: Verdict
    text: str
    """What was found."""
    change: str = ""
    """What to change or to do, as lines to paste; where they go is said first."""


def fine(check: str, text: str) -> Result:
    """As it should be."""
    return Result(check, Verdict.FINE, text)


def wrong(check: str, text: str, change: str = "") -> Result:
    """To be changed."""
    return Result(check, Verdict.WRONG, text, dedent(change).strip())


def unseen(check: str, text: str, do: str = "") -> Result:
    """Not to be seen from here; ``do`` is how it can be."""
    return Result(check, Verdict.UNSEEN, text, dedent(do).strip())
