"""Which names can be variables: a grammar, the words of the language, what steers the session.

Knows no language; each one describes itself with one :class:`Names`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

ASCII = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
"""Letters, digits and underscores of ASCII, as nearly every language has them."""


@dataclass(frozen=True, slots=True)
class NameProblem:
    """Why a name cannot be a variable, as the end of a sentence, and a name that could."""

    reason: str
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one language."""

    grammar: Callable[[str], object] = ASCII
    """Whether a whole name can be a variable at all."""
    rule: str = (
        "a variable consists of the letters A to Z, digits and underscores, and does not start "
        "with a digit."
    )
    """The same for people, as the end of a sentence."""
    words: frozenset[str] = frozenset()
    """Words of the language, and what a parameter cell itself uses."""
    steering: str | None = None
    """Pattern of names that steer the session or that the kernel sets."""
    prefix: str = "n"
    """What makes a usable beginning in front of a digit."""
    shadowed: frozenset[str] = frozenset()
    """Names that are usable and hide something that people need."""

    def problem(self, name: str) -> NameProblem | None:
        """Why ``name`` cannot be used, or None when it can."""
        reason = self._reason(name)
        return NameProblem(reason, self._suggestion(name)) if reason else None

    def _reason(self, name: str) -> str | None:
        if not name:
            return "it is empty."
        if not self.grammar(name):
            return self.rule
        if not name.isascii() and unicodedata.normalize("NFKC", name) != name:
            # two that look alike would be one variable, or two
            return "it has a letter that stands for another one (Unicode NFKC)."
        if name in self.words:
            return "it is a word of the language, or of this cell."
        if self.steering and re.fullmatch(self.steering, name):
            return "it steers the session of the notebook."
        return None

    def _suggestion(self, name: str) -> str | None:
        """A usable name that people recognise, or None when there is none."""
        found = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", name)).strip("_")
        if self._reason(found):
            letters = unicodedata.normalize("NFKD", found.replace("ß", "ss"))
            plain = "".join(c for c in letters if not unicodedata.combining(c))
            found = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
        smaller = found.lower() if found.isupper() else found[:1].lower() + found[1:]
        candidates = (found, f"{found}_", smaller, self.prefix + found)
        for candidate in (*candidates, f"{found.lower()}_"):
            if found and candidate != name and not self._reason(candidate):
                return candidate
        return None
