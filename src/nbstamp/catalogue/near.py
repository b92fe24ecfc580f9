"""Which templates someone may have meant by a path that does not exist."""

from __future__ import annotations

import difflib
import heapq
import itertools
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nbstamp.core.naming import SUFFIX

_LOOKED_AT = 200
"""Characters of a name that are compared: a path of an attacker may have thousands."""
_FINALISTS = 16
_ALIKE = 0.6


class _Known(NamedTuple):
    path: str
    folded: str
    pairs: int
    """Of the file name."""


class Near:
    """Paths, prepared so that one search among 10,000 takes a few milliseconds."""

    def __init__(self, paths: Iterable[str]) -> None:
        folded = ((path, _folded(path)) for path in paths)
        self._known = [_Known(path, other, _pairs(_stem(other))) for path, other in folded]

    def find(self, path: str, most: int = 5) -> list[str]:
        """Paths like ``path``, the nearest first: written otherwise, in another folder, with
        another name.
        """
        wanted = _folded(path[-2 * _LOOKED_AT :]).strip("/")
        if not wanted.endswith(SUFFIX):
            wanted += SUFFIX
        name, stem = _name(wanted), _stem(wanted)
        found = [known for known in self._known if known.folded == wanted]

        moved = [
            known._replace(pairs=_pairs(known.folded))
            for known in self._known
            if _name(known.folded) == name
        ]
        moved = _alike(moved, _pairs(wanted))
        found += sorted(moved, key=lambda known: -_ratio(known.folded, wanted))

        graded = [
            (_ratio(_stem(known.folded), stem), _ratio(known.folded, wanted), known)
            for known in _alike(self._known, _pairs(stem))
        ]
        found += [known for grade, _, known in sorted(graded, reverse=True) if grade >= _ALIKE]
        return list(dict.fromkeys(known.path for known in found))[:most]


def _alike(known: Sequence[_Known], pairs: int) -> list[_Known]:
    """Few enough for a real comparison: those that share the most pairs of letters."""

    def shared(one: _Known) -> float:
        return (one.pairs & pairs).bit_count() / (one.pairs | pairs).bit_count()

    return heapq.nlargest(_FINALISTS, known, key=shared)


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    return _name(path).removesuffix(SUFFIX)


def _ratio(one: str, other: str) -> float:
    cut = slice(-_LOOKED_AT, None)
    return difflib.SequenceMatcher(None, one[cut], other[cut], autojunk=False).ratio()


def _pairs(text: str) -> int:
    """Which pairs of letters are in ``text``: each is one of 509 bits."""
    bits = 1
    for one, other in itertools.pairwise(f" {text[:_LOOKED_AT]} "):
        bits |= 1 << (ord(one) * 31 + ord(other)) % 509
    return bits
