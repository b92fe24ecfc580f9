"""Which templates someone may have meant by a path that does not exist."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

from nbstamp.core.naming import SUFFIX

_LOOKED_AT = 200
"""Characters of a name that are compared: a path of an attacker may have thousands."""
_FINALISTS = 16
_ALIKE = 0.6


class Near:
    """Paths, prepared so that one search among 10,000 takes a few milliseconds."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._known = [(path, _folded(path), _pairs(_name(_folded(path)))) for path in paths]

    def find(self, path: str, most: int = 5) -> list[str]:
        """Paths like ``path``, the nearest first: written otherwise, in another folder, with
        another name.
        """
        return list(islice(dict.fromkeys(self._candidates(path)), most))

    def _candidates(self, path: str) -> Iterator[str]:
        wanted = _folded(path[-2 * _LOOKED_AT :]).strip("/")
        if not wanted.endswith(SUFFIX):
            wanted += SUFFIX
        name = _name(wanted)
        yield from (path for path, folded, _ in self._known if folded == wanted)
        moved = [(path, folded) for path, folded, _ in self._known if _name(folded) == name]
        yield from (path for path, _ in sorted(moved, key=lambda one: -_ratio(one[1], wanted)))

        # pairs of letters as bits choose few enough for a real comparison
        pairs = _pairs(name)
        common = [
            ((pairs & own).bit_count() / (pairs | own).bit_count(), n)
            for n, (_, _, own) in enumerate(self._known)
        ]
        finalists = [self._known[n] for _, n in sorted(common, reverse=True)[:_FINALISTS]]
        graded = [
            (_ratio(_name(folded), name), _ratio(folded, wanted), path)
            for path, folded, _ in finalists
        ]
        yield from (path for grade, _, path in sorted(graded, reverse=True) if grade >= _ALIKE)


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _ratio(one: str, other: str) -> float:
    cut = slice(-_LOOKED_AT, None)
    return difflib.SequenceMatcher(None, one[cut], other[cut], autojunk=False).ratio()


def _pairs(name: str) -> int:
    stem = name.removesuffix(SUFFIX)[:_LOOKED_AT]
    bits = 1
    for pair in zip(f" {stem}", f"{stem} ", strict=True):
        bits |= 1 << (ord(pair[0]) * 31 + ord(pair[1])) % 509
    return bits
