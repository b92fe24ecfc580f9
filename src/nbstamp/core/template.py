"""A notebook indexed once, straight from its bytes: where a parameter cell and the provenance go,
which kernel language it speaks, what it is called.

The file is never parsed into a tree and written again: what the author wrote stays byte for byte,
except for what :func:`index` clears (results of other data are a scientific hazard) and for the
two splices of :mod:`nbstamp.core.instance`. Knows nothing of parameters or kernel languages.
"""

from __future__ import annotations

import hashlib
import json
import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nbstamp.core.parameters import Json

INJECTED = "injected-parameters"
"""Tag of the cell we write; papermill's word, so that each can replace the other's cell."""
PARAMETERS = "parameters"
"""Tag of the cell that holds an author's defaults; papermill's word."""
PROVENANCE = "nbstamp"
"""Key of our provenance in the notebook's metadata."""

_CLEARED_NOTEBOOK_METADATA = {"widgets", "papermill", PROVENANCE}
_CLEARED_CELL_METADATA = {"execution", "papermill", "ExecuteTime"}
_DEEPEST = 200


class NotANotebook(ValueError):
    """The bytes are not a notebook that can be a template; the text says why, for its author."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """What a notebook says about its kernel; every field may be empty."""

    name: str = ""
    """``kernelspec.name``, e.g. ``python3``."""
    display_name: str = ""
    """``kernelspec.display_name``, e.g. ``Python 3 (ipykernel)``."""
    language: str = ""
    """``kernelspec.language``, lower-cased."""
    info: str = ""
    """``language_info.name``, lower-cased."""


class Splice(NamedTuple):
    """Where something is put into :attr:`Template.body`."""

    at: int
    """Offset in bytes."""
    before: bytes
    """What JSON needs in front of it (a comma, white space)."""
    after: bytes
    """What JSON needs behind it."""


@dataclass(frozen=True, slots=True, repr=False)
class Template:
    """One notebook, ready to be stamped."""

    body: bytes
    """The author's bytes without cleared results, stale injected cells and old provenance."""
    content_hash: str
    """SHA-256 of the file in hex."""
    size: int
    """Bytes of the file."""
    minor: int
    """``nbformat_minor``; the major is 4."""
    title: str
    """The first Markdown heading, or an empty text."""
    kernel: Kernel
    cell_ids: frozenset[str]
    """Ids of the cells that stay."""
    cell: Splice
    """Where the parameter cell goes (facts/parameter_cells.md section 4)."""
    provenance: Splice
    """Where ``"nbstamp": {…}`` goes in the notebook's metadata."""
    indent: str | None
    """One level of indentation, or None when the file has no line breaks between cells."""
    newline: str
    """Line break of the file: ``\\n`` or ``\\r\\n``."""


def index(data: bytes) -> Template:
    """Index a notebook of nbformat 4.

    Raises :class:`NotANotebook` for everything else, with the reason for the template's author.
    """
    _check_utf8(data)
    notebook = _Notebook(data)
    if notebook.cells is None or notebook.metadata is None:
        raise NotANotebook(
            f"it has no “{'cells' if notebook.cells is None else 'metadata'}”, so it is not a "
            "complete Jupyter notebook"
        )
    return _clean(data, notebook, notebook.cells, notebook.metadata)


def read_provenance(data: bytes) -> dict[str, Json] | None:
    """Return ``metadata.nbstamp`` of a notebook, or None when there is none or the bytes are not
    a notebook. Never raises, and builds nothing but this one value.
    """
    if b'"' + PROVENANCE.encode() + b'"' not in data:
        return None
    try:
        metadata = _Notebook(data).metadata
        for member in metadata.members if metadata else ():
            if member.key == PROVENANCE:
                found = _load(data, member)
                return found if isinstance(found, dict) else None
    except (NotANotebook, UnicodeDecodeError):
        pass
    return None


# --- JSON by offsets ----------------------------------------------------------------------------
# RFC 8259, plus NaN and Infinity as Python's json module writes them into outputs. Possessive
# quantifiers keep every pattern linear. One match takes a scalar or a flat list of scalars, which
# is what sources and text outputs are.

_WS = rb"[ \t\n\r]*+"
_STRING = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+"'
_SCALAR = (
    rb"(?:" + _STRING + rb"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
    rb"|true|false|null|NaN|-?Infinity)"
)
_FLAT = rb"\[" + _WS + rb"(?:" + _SCALAR + _WS + rb"(?:," + _WS + _SCALAR + _WS + rb")*+)?+\]"
_SIMPLE_VALUE = rb"(?:" + _SCALAR + rb"|" + _FLAT + rb"|\{" + _WS + rb"\})"

_simple = re.compile(_SIMPLE_VALUE).match
_blank = re.compile(rb"[ \t\n\r]++").match
_key = re.compile(rb"(" + _STRING + rb")" + _WS + rb":" + _WS).match
_next = re.compile(_WS + rb"([,}\]])" + _WS).match


class Member(NamedTuple):
    """One ``"key": value`` of an object, by offsets."""

    key: str
    start: int
    value: int
    end: int


class _Object(NamedTuple):
    start: int
    members: list[Member]
    end: int


class _Item(NamedTuple):
    start: int
    end: int


def _skip_blank(data: bytes, at: int) -> int:
    blank = _blank(data, at)
    return blank.end() if blank else at


def _unreadable(data: bytes, at: int, wanted: str) -> NotANotebook:
    if at >= len(data) or not data.rstrip().endswith(b"}"):
        return NotANotebook("it ends in the middle: the file is incomplete, or still being saved")
    line = data.count(b"\n", 0, at) + 1
    column = at - data.rfind(b"\n", 0, at)
    return NotANotebook(f"it is not valid JSON: {wanted} expected at line {line}, column {column}")


def _expect(data: bytes, at: int, opening: bytes, otherwise: str) -> None:
    if not data.startswith(opening, at):
        raise _unreadable(data, at, "a value") if at >= len(data) else NotANotebook(otherwise)


def _object(
    data: bytes, at: int, *, depth: int, readers: Mapping[str, Callable[[int], int]] | None = None
) -> _Object:
    """Walk the object at ``at``. A reader takes the offset of its key's value and returns where
    the value ends. A key that stands twice is refused: which one counts would be a guess.
    """
    members: list[Member] = []
    start = at
    at = _skip_blank(data, at + 1)
    if data[at : at + 1] == b"}":
        return _Object(start, members, at + 1)
    while True:
        if not (match := _key(data, at)):
            raise _unreadable(data, at, "a key in double quotes and a colon")
        key = json.loads(match[1]) if b"\\" in match[1] else match[1][1:-1].decode()
        value = match.end()
        reader = readers.get(key) if readers else None
        if reader:
            end = reader(value)
        elif simple := _simple(data, value):
            end = simple.end()
        else:
            end = _value(data, value, depth=depth + 1)
        members.append(Member(key, at, value, end))
        if not (follows := _next(data, end)) or follows[1] == b"]":
            raise _unreadable(data, end, "“,” or “}”")
        if follows[1] == b"}":
            break
        at = follows.end()
    if readers is not None and len({member.key for member in members}) < len(members):
        keys = [member.key for member in members]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise NotANotebook(f"the key “{twice[:80]}” stands twice in one object")
    return _Object(start, members, follows.end(1))


def _array(data: bytes, at: int, *, depth: int, read: Callable[[int], int] | None) -> list[_Item]:
    """Walk the array at ``at``; the last item is an empty one where its ``]`` stands."""
    items: list[_Item] = []
    at = _skip_blank(data, at + 1)
    if data[at : at + 1] == b"]":
        return [_Item(at, at)]
    while True:
        end = read(at) if read else _value(data, at, depth=depth + 1)
        items.append(_Item(at, end))
        if not (follows := _next(data, end)) or follows[1] == b"}":
            raise _unreadable(data, end, "“,” or “]”")
        if follows[1] == b"]":
            return [*items, _Item(follows.start(1), follows.start(1))]
        at = follows.end()


def _value(data: bytes, at: int, *, depth: int) -> int:
    """Return the end of the JSON value at ``at``."""
    if simple := _simple(data, at):
        return simple.end()
    if depth > _DEEPEST:
        raise NotANotebook(f"it is nested more than {_DEEPEST} levels deep")
    opening = data[at : at + 1]
    if opening == b"{":
        return _object(data, at, depth=depth).end
    if opening == b"[":
        return _array(data, at, depth=depth, read=None)[-1].start + 1
    raise _unreadable(data, at, "a value")


def _load(data: bytes, member: Member) -> Any:
    try:
        return json.loads(data[member.value : member.end])
    except ValueError as err:  # an integer of thousands of digits
        raise NotANotebook(f"its “{member.key[:80]}” cannot be read: {err}") from None


def _check_utf8(data: bytes) -> None:
    # in pieces: a text of a whole template would take up to four times its bytes
    decoder = getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(data), 2**20):
            decoder.decode(data[at : at + 2**20])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise NotANotebook("it is not a text in UTF-8") from None


# --- The notebook -------------------------------------------------------------------------------


class _Cell(NamedTuple):
    start: int
    end: int
    kind: str
    tags: Sequence[str]
    id: str
    cuts: list[tuple[int, int, bytes]]
    source: Member | None


class _Notebook:
    """The outline of a notebook: offsets of its parts, and the few values that matter."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.cells: list[_Cell] | None = None
        self.metadata: _Object | None = None
        self.cells_end = 0
        self._cell_metadata: _Object | None = None
        at = _skip_blank(data, 3 if data.startswith(b"\xef\xbb\xbf") else 0)
        if data[at : at + 1] != b"{":
            raise _unreadable(data, at, "“{”") if data[at:] else NotANotebook("the file is empty")
        top = _object(
            data, at, depth=0, readers={"cells": self._read_cells, "metadata": self._read_metadata}
        )
        if (end := _skip_blank(data, top.end)) != len(data):
            raise _unreadable(data, end, "the end of the file")
        self.minor = _version(data, top)

    def _read_metadata(self, at: int) -> int:
        _expect(self.data, at, b"{", "its “metadata” is not an object")
        self.metadata = _object(self.data, at, depth=1, readers={})
        return self.metadata.end

    def _read_cells(self, at: int) -> int:
        _expect(self.data, at, b"[", "its “cells” are not a list")
        self.cells = []
        self.cells_end = _array(self.data, at, depth=1, read=self._read_cell)[-1].start
        return self.cells_end + 1

    def _read_cell_metadata(self, at: int) -> int:
        if simple := _simple(self.data, at):
            return simple.end()  # {} in nearly every cell
        _expect(self.data, at, b"{", f"the metadata of cell {self._number} are not an object")
        self._cell_metadata = _object(self.data, at, depth=3, readers={})
        return self._cell_metadata.end

    @property
    def _number(self) -> int:
        return len(self.cells or ()) + 1

    def _read_cell(self, at: int) -> int:
        data = self.data
        _expect(data, at, b"{", f"cell {self._number} is not an object")
        self._cell_metadata = None
        cell = _object(data, at, depth=2, readers={"metadata": self._read_cell_metadata})
        kind, cell_id, source = "", "", None
        outcome: list[tuple[int, int, bytes]] = []
        for member in cell.members:
            match member.key:
                case "cell_type":
                    kind = _load(data, member)
                case "id":
                    cell_id = str(_load(data, member))
                case "source":
                    source = member
                case "outputs" if _skip_blank(data, member.value + 1) + 1 != member.end:
                    outcome.append((member.value, member.end, b"[]"))
                case "execution_count" if data[member.value : member.end] != b"null":
                    outcome.append((member.value, member.end, b"null"))
        if kind not in ("code", "markdown", "raw"):
            raise NotANotebook(f"cell {self._number} has no known “cell_type”")
        tags: Sequence[str] = ()
        if self._cell_metadata:
            outcome += _without(self._cell_metadata.members, _CLEARED_CELL_METADATA)
            for member in self._cell_metadata.members:
                if member.key == "tags":
                    found = _load(data, member)
                    tags = [str(tag) for tag in found] if isinstance(found, list) else ()
        cuts = outcome if kind == "code" else []
        self.cells = self.cells if self.cells is not None else []
        self.cells.append(_Cell(at, cell.end, kind, tags, cell_id, cuts, source))
        return cell.end


def _version(data: bytes, top: _Object) -> int:
    found = {
        member.key: _load(data, member)
        for member in top.members
        if member.key in ("nbformat", "nbformat_minor")
    }
    major, minor = found.get("nbformat"), found.get("nbformat_minor")
    if major == 4 and isinstance(minor, int):
        return minor
    if "nbformat" not in found or (major == 4 and "nbformat_minor" not in found):
        raise NotANotebook("it names no nbformat version, so it is not a Jupyter notebook")
    if isinstance(major, int) and major < 4:
        raise NotANotebook(
            f"it is in the old notebook format {major}. Open it in Jupyter and save it once, or "
            "run “jupyter nbconvert --to notebook --inplace” on it; that makes it format 4"
        )
    raise NotANotebook(f"it is in notebook format {major!r}; this server knows format 4")


def _without(
    members: Sequence[Member | _Cell], unwanted: set[str] | set[int]
) -> list[tuple[int, int, bytes]]:
    """Cuts that take members (by key) or cells (by position) out, each with the one comma that
    goes with it."""
    gone = [
        (member.key if isinstance(member, Member) else number) in unwanted
        for number, member in enumerate(members)
    ]
    if all(gone):
        return [(members[0].start, members[-1].end, b"")] if members else []
    last_kept = max(number for number, out in enumerate(gone) if not out)
    return [
        (members[n].start, members[n + 1].start, b"")
        if n < last_kept
        else (members[n - 1].end, members[n].end, b"")
        for n, out in enumerate(gone)
        if out
    ]


def _clean(data: bytes, notebook: _Notebook, cells: list[_Cell], metadata: _Object) -> Template:
    injected = {n for n, cell in enumerate(cells) if cell.kind == "code" and INJECTED in cell.tags}
    kept = [cell for n, cell in enumerate(cells) if n not in injected]
    cuts = _without(metadata.members, _CLEARED_NOTEBOOK_METADATA)
    cuts += _without(cells, injected) if injected else []
    for cell in kept:
        cuts += cell.cuts
    cuts.sort()

    pieces: list[bytes | memoryview] = []
    view, done = memoryview(data), 0
    for start, end, replacement in cuts:
        pieces += (view[done:start], replacement)
        done = end
    body = b"".join([*pieces, view[done:]]) if cuts else data

    def moved(splice: Splice) -> Splice:
        by = sum(len(new) - (end - start) for start, end, new in cuts if end <= splice.at)
        return splice._replace(at=splice.at + by)

    separator = _separator(data, cells)
    line_break = separator.rfind("\n") + 1
    return Template(
        body=body,
        content_hash=hashlib.sha256(data).hexdigest(),
        size=len(data),
        minor=notebook.minor,
        title=_title(data, kept),
        kernel=_kernel(data, metadata),
        cell_ids=frozenset(cell.id for cell in kept if cell.id),
        cell=moved(_cell_splice(cells, kept, injected, notebook.cells_end, separator)),
        provenance=moved(_provenance_splice(data, metadata)),
        indent=separator[line_break : line_break + max((len(separator) - line_break) // 2, 0)]
        if line_break
        else None,
        newline="\r\n" if "\r\n" in separator else "\n",
    )


def _separator(data: bytes, cells: list[_Cell]) -> str:
    """The white space in front of a cell, as the file has it."""
    if not cells:
        return ""
    at = cells[1 if len(cells) > 1 else 0].start
    start = at
    while data[start - 1 : start] in (b" ", b"\n", b"\r", b"\t"):
        start -= 1
    return data[start:at].decode("ascii")


def _cell_splice(
    cells: list[_Cell], kept: list[_Cell], injected: set[int], end: int, separator: str
) -> Splice:
    """The rule of facts/parameter_cells.md section 4: in the place of the first injected cell, but
    never before the ``parameters`` cell; else directly after that; else after the first cell."""
    defaults = next(
        (n for n, cell in enumerate(kept) if cell.kind == "code" and PARAMETERS in cell.tags), None
    )
    if injected:
        position = min(injected)  # all cells before the first injected one are kept
        if defaults is not None and position <= defaults:
            position = defaults + 1
    else:
        position = min(1, len(kept)) if defaults is None else defaults + 1
    blank = separator.encode("ascii")
    if not kept:
        return Splice(cells[0].start if cells else end, b"", b"")
    if position < len(kept):
        return Splice(kept[position].start, b"", b"," + blank)
    return Splice(kept[-1].end, b"," + blank, b"")


def _provenance_splice(data: bytes, metadata: _Object) -> Splice:
    stay = [member for member in metadata.members if member.key not in _CLEARED_NOTEBOOK_METADATA]
    first = metadata.members[0].start if metadata.members else metadata.start + 1
    if not stay:
        return Splice(first, b"", b"")
    return Splice(stay[0].start, b"", b"," + data[metadata.start + 1 : first])


def _kernel(data: bytes, metadata: _Object) -> Kernel:
    found = {
        member.key: _load(data, member)
        for member in metadata.members
        if member.key in ("kernelspec", "language_info")
    }

    def text(section: str, key: str) -> str:
        part = found.get(section)
        value = part.get(key) if isinstance(part, dict) else None
        return value.strip() if isinstance(value, str) else ""

    return Kernel(
        name=text("kernelspec", "name"),
        display_name=text("kernelspec", "display_name"),
        language=text("kernelspec", "language").lower(),
        info=text("language_info", "name").lower(),
    )


_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|<[^<>]*>|\*\*|__|`")


def _title(data: bytes, cells: Sequence[_Cell]) -> str:
    for cell in cells:
        if cell.kind != "markdown" or cell.source is None:
            continue
        raw = data[cell.source.value : cell.source.end]
        if b"#" not in raw:
            continue
        source = json.loads(raw)
        text = source if isinstance(source, str) else "".join(map(str, source or ()))
        fenced = False
        for line in text.splitlines():
            if _FENCE.match(line):
                fenced = not fenced
            elif not fenced and (match := _HEADING.fullmatch(line)):
                title = " ".join(_MARKUP.sub(r"\1", match[1]).split())
                if title:
                    return title
    return ""
