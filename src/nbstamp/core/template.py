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
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

from nbstamp.core.parameters import Json, printable

INJECTED = "injected-parameters"
"""Tag of the cell we write; papermill's word, so that each can replace the other's cell."""
PARAMETERS = "parameters"
"""Tag of the cell that holds an author's defaults; papermill's word."""
PROVENANCE = "nbstamp"
"""Key of our provenance in the notebook's metadata."""

_CLEARED_NOTEBOOK_METADATA = {"widgets", "papermill", PROVENANCE}
_CLEARED_CELL_METADATA = {"execution", "executionInfo", "ExecuteTime", "papermill"}
_DEEPEST = 200
_WIDEST_MARGIN = 32
_LONGEST_TITLE = 200


class NotANotebook(ValueError):
    """The bytes are not a notebook that can be a template; the text says why, for its author."""


class Kernel(NamedTuple):
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


class Template(NamedTuple):
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
    defaults: str
    """Source of the cell tagged ``parameters``, or an empty text."""
    cell: Splice
    """Where the parameter cell goes (facts/parameter_cells.md section 4)."""
    provenance: Splice
    """Where ``"nbstamp": {…}`` goes in the notebook's metadata."""
    kernel_name: tuple[int, int] | None
    """Offsets of the value of ``kernelspec.name``, with its quotes; None when there is none."""
    indent: str | None
    """One level of indentation, or None when the file has no line breaks between cells."""
    newline: str
    """Line break of the file: ``\\n`` or ``\\r\\n``."""

    def __repr__(self) -> str:  # not its bytes
        return f"Template({self.title!r}, {self.size} bytes)"


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
# RFC 8259, plus NaN and Infinity as Python's json module writes them into outputs. One match takes
# a scalar, or a list or object of scalars, or a run of those: that is what sources, text outputs
# and tables are. Every pattern is linear. A possessive group is used only where it fails at its
# first character or within literal characters, and runs are bounded instead: Python 3.11.2 (Debian
# 12) keeps what the last, failing round of a possessive group has consumed
# (https://github.com/python/cpython/issues/106052), and would take “[1,]”.

_WS = rb"[ \t\n\r]*+"
_STRING = rb'"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u' + rb"[0-9A-Fa-f]" * 4 + rb')*+"'
_SCALAR = (
    rb"(?:" + _STRING + rb"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
    rb"|true|false|null|NaN|-?Infinity)"
)
_KEY = _STRING + _WS + rb":" + _WS


def _flat(opening: bytes, item: bytes, closing: bytes) -> bytes:
    more = rb"(?:," + _WS + item + _WS + rb"){0,999}"
    return opening + _WS + rb"(?:" + item + _WS + more + rb")?" + closing


_SIMPLE = (
    rb"(?:"
    + _SCALAR
    + rb"|"
    + _flat(rb"\[", _SCALAR, rb"\]")
    + rb"|"
    + _flat(rb"\{", _KEY + _SCALAR, rb"\}")
    + rb")"
)
_simple = re.compile(_SIMPLE).match
_items = re.compile(rb"(?:" + _SIMPLE + _WS + rb"," + _WS + rb"){0,999}").match
_members = re.compile(rb"(?:" + _KEY + _SIMPLE + _WS + rb"," + _WS + rb"){0,999}").match
_key = re.compile(rb"(" + _STRING + rb")" + _WS + rb":" + _WS).match
_next = re.compile(_WS + rb"([,}\]])" + _WS).match
_blank = re.compile(_WS).match
_empty_list = re.compile(rb"\[" + _WS + rb"\]").fullmatch


def _pair(key: bytes, value: bytes) -> bytes:
    return rb'"' + key + rb'"' + _WS + rb":" + _WS + value + _WS


_MEMBER = _KEY + _SIMPLE + _WS
_usual_cell = re.compile(
    rb"\{"
    + _WS
    + _pair(rb"cell_type", rb'"(code|markdown|raw)"')
    + rb"(?:,"
    + _WS
    + _pair(rb"execution_count", rb"(null|[1-9][0-9]*+)")
    + rb")?(?:,"
    + _WS
    + _pair(rb"id", rb'"([A-Za-z0-9_-]*+)"')
    + rb")?,"
    + _WS
    + _pair(
        rb"metadata",
        rb"(\{" + _WS + rb"(?:" + _MEMBER + rb"(?:," + _WS + _MEMBER + rb"){0,99})?\})",
    )
    + rb"(?:,"
    + _WS
    + _pair(rb"outputs", rb"\[" + _WS + rb"\]")
    + rb")?,"
    + _WS
    + _pair(rb"source", rb"(" + _STRING + rb"|" + _flat(rb"\[", _STRING, rb"\]") + rb")")
    + rb"\}"
).match
"""A cell as Jupyter saves it, without outputs: most cells of a template, so they are read in one
match each. All others, and all that are wrong, take the long way."""


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


def _skip_blank(data: bytes, at: int) -> int:
    blank = _blank(data, at)
    return blank.end() if blank else at


def _unreadable(data: bytes, at: int, wanted: str) -> NotANotebook:
    if _skip_blank(data, at) == len(data) or not data.rstrip(b" \t\n\r").endswith(b"}"):
        return NotANotebook("it ends in the middle: the file is incomplete, or still being saved")
    return _invalid(data, at, wanted)


def _invalid(data: bytes, at: int, wanted: str) -> NotANotebook:
    line = data.count(b"\n", 0, at) + 1
    column = at - data.rfind(b"\n", 0, at)
    return NotANotebook(f"it is not valid JSON: {wanted} expected at line {line}, column {column}")


def _expect(data: bytes, at: int, opening: bytes, otherwise: str) -> None:
    if not data.startswith(opening, at):
        raise _unreadable(data, at, "a value") if at == len(data) else NotANotebook(otherwise)


def _object(
    data: bytes, at: int, *, depth: int, readers: Mapping[str, Callable[[int], int]]
) -> _Object:
    """Walk the object at ``at``. A reader takes the offset of its key's value and returns where
    the value ends. A key that stands twice is refused: which one counts would be a guess.
    """
    members: dict[str, Member] = {}
    start = at
    at = _skip_blank(data, at + 1)
    if data[at : at + 1] == b"}":
        return _Object(start, [], at + 1)
    while True:
        if not (match := _key(data, at)):
            raise _unreadable(data, at, "a key in double quotes and a colon")
        key = json.loads(match[1]) if b"\\" in match[1] else match[1][1:-1].decode()
        if key in members:
            raise NotANotebook(f"the key “{printable(key)}” stands twice in one object")
        value = match.end()
        end = readers[key](value) if key in readers else _value(data, value, depth=depth + 1)
        members[key] = Member(key, at, value, end)
        at, last = _after(data, end, b"}")
        if last:
            return _Object(start, list(members.values()), at)


def _value(data: bytes, at: int, *, depth: int) -> int:
    """Return the end of the JSON value at ``at``."""
    if simple := _simple(data, at):
        return simple.end()
    opening = data[at : at + 1]
    if opening not in (b"{", b"["):
        raise _unreadable(data, at, "a value")
    if depth > _DEEPEST:
        raise NotANotebook(f"it is nested more than {_DEEPEST} levels deep")
    in_object = opening == b"{"
    at, last = _skip_blank(data, at + 1), False
    while not last:
        if run := (_members if in_object else _items)(data, at):
            at = run.end()
        if in_object:
            if not (match := _key(data, at)):
                raise _unreadable(data, at, "a key in double quotes and a colon")
            at = match.end()
        at, last = _after(data, _value(data, at, depth=depth + 1), b"}" if in_object else b"]")
    return at


def _after(data: bytes, end: int, closing: bytes) -> tuple[int, bool]:
    """What follows a member or an item that ends at ``end``: where the next one begins and False,
    or, when it was the last one, where the whole ends and True."""
    if not (follows := _next(data, end)) or follows[1] not in (b",", closing):
        raise _unreadable(data, end, f"“,” or “{closing.decode()}”")
    return (follows.end(), False) if follows[1] == b"," else (follows.end(1), True)


def _load(data: bytes, member: Member) -> Any:
    try:
        return json.loads(data[member.value : member.end])
    except ValueError:  # more digits than Python turns into an integer
        raise NotANotebook(f"the value of “{printable(member.key)}” cannot be read") from None


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


class _Cut(NamedTuple):
    start: int
    end: int
    new: bytes
    """What stands there instead."""


class _Cell(NamedTuple):
    start: int
    end: int
    kind: str
    tags: Sequence[str]
    id: str
    cuts: list[_Cut]
    source: Member | None


class _Notebook:
    """The outline of a notebook: offsets of its parts, and the few values that matter."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.cells: list[_Cell] | None = None
        self.metadata: _Object | None = None
        self.cells_start = self.cells_end = 0
        at = _skip_blank(data, 3 if data.startswith(b"\xef\xbb\xbf") else 0)
        if at == len(data):
            raise NotANotebook("the file is empty")
        if data[at : at + 1] != b"{":
            raise _invalid(data, at, "“{”")
        top = _object(
            data, at, depth=0, readers={"cells": self._read_cells, "metadata": self._read_metadata}
        )
        self.lead = data[top.start + 1 : top.members[0].start] if top.members else b""
        if (end := _skip_blank(data, top.end)) != len(data):
            raise _invalid(data, end, "the end of the file")
        self.minor = _version(data, top)

    def _read_metadata(self, at: int) -> int:
        _expect(self.data, at, b"{", "its “metadata” is not an object")
        self.metadata = _object(self.data, at, depth=1, readers={})
        return self.metadata.end

    def _read_cells(self, at: int) -> int:
        data = self.data
        _expect(data, at, b"[", "its “cells” are not a list")
        self.cells = []
        self.cells_start = at + 1
        self.cells_end = at = _skip_blank(data, at + 1)
        if data[at : at + 1] == b"]":
            return at + 1
        last = False
        while not last:
            self.cells.append(self._read_cell(at, number=len(self.cells) + 1))
            at, last = _after(data, self.cells[-1].end, b"]")
        self.cells_end = at - 1
        return at

    def _read_cell(self, at: int, *, number: int) -> _Cell:
        data = self.data
        if usual := _usual_cell(data, at):
            return _cell_of(data, usual)
        metadata = _Object(at, [], at)

        def read_metadata(at: int) -> int:
            nonlocal metadata
            _expect(data, at, b"{", f"the metadata of cell {number} are not an object")
            metadata = _object(data, at, depth=3, readers={})
            return metadata.end

        _expect(data, at, b"{", f"cell {number} is not an object")
        cell = _object(data, at, depth=2, readers={"metadata": read_metadata})
        members = {member.key: member for member in cell.members}
        kind = _load(data, members["cell_type"]) if "cell_type" in members else None
        if kind not in ("code", "markdown", "raw"):
            raise NotANotebook(f"cell {number} has no known “cell_type”")
        tags, cuts = _marks(data, metadata.members)
        if kind == "code":
            outputs, count = members.get("outputs"), members.get("execution_count")
            if outputs and not _empty_list(data, outputs.value, outputs.end):
                cuts.append(_Cut(outputs.value, outputs.end, b"[]"))
            if count and data[count.value : count.end] != b"null":
                cuts.append(_Cut(count.value, count.end, b"null"))
        return _Cell(
            start=at,
            end=cell.end,
            kind=kind,
            tags=tags,
            id=str(_load(data, members["id"])) if "id" in members else "",
            cuts=cuts,
            source=members.get("source"),
        )


def _cell_of(data: bytes, usual: re.Match[bytes]) -> _Cell:
    kind, count, name, metadata = usual.group(1, 2, 3, 4)
    tags: Sequence[str] = ()
    cuts: list[_Cut] = []
    if metadata != b"{}":
        tags, cuts = _marks(data, _object(data, usual.start(4), depth=3, readers={}).members)
    if kind == b"code" and count and count != b"null":
        cuts.append(_Cut(*usual.span(2), b"null"))
    start, end = usual.span(5)
    return _Cell(
        start=usual.start(),
        end=usual.end(),
        kind=kind.decode(),
        tags=tags,
        id=name.decode() if name else "",
        cuts=cuts,
        source=Member("source", start, start, end),
    )


def _marks(data: bytes, metadata: Sequence[Member]) -> tuple[Sequence[str], list[_Cut]]:
    """The tags in the metadata of a cell, and what is to be cleared from them."""
    tags = [_load(data, member) for member in metadata if member.key == "tags"]
    found = tags[0] if tags and isinstance(tags[0], list) else ()
    return found, _without_keys(metadata, _CLEARED_CELL_METADATA)


def _version(data: bytes, top: _Object) -> int:
    found = {
        member.key: _load(data, member)
        for member in top.members
        if member.key in ("nbformat", "nbformat_minor")
    }
    major, minor = found.get("nbformat"), found.get("nbformat_minor")
    if major is None or (major == 4 and minor is None):
        raise NotANotebook("it names no nbformat version, so it is not a Jupyter notebook")
    if type(major) is int and major < 4:
        raise NotANotebook(
            f"it is in the old notebook format {major}. Open it in Jupyter and save it once, or "
            "run “jupyter nbconvert --to notebook --inplace” on it; that makes it format 4"
        )
    if type(major) is not int or type(minor) is not int or major > 4 or minor < 0:
        said = f"{json.dumps(major)}.{json.dumps(minor)}"
        raise NotANotebook(
            f"it is in notebook format {printable(said, 40)}; this server knows format 4"
        )
    return minor


def _without(parts: Sequence[Member | _Cell], gone: Sequence[bool]) -> list[_Cut]:
    """Cuts that take out the members or cells that are ``gone``, each with the one comma that goes
    with it."""
    if all(gone):
        return [_Cut(parts[0].start, parts[-1].end, b"")] if parts else []
    last_kept = max(n for n, out in enumerate(gone) if not out)
    return [
        _Cut(parts[n].start, parts[n + 1].start, b"")
        if n < last_kept
        else _Cut(parts[n - 1].end, parts[n].end, b"")
        for n, out in enumerate(gone)
        if out
    ]


def _without_keys(members: Sequence[Member], keys: Container[str]) -> list[_Cut]:
    return _without(members, [member.key in keys for member in members])


def _clean(data: bytes, notebook: _Notebook, cells: list[_Cell], metadata: _Object) -> Template:
    injected = [INJECTED in cell.tags for cell in cells]
    kept = [cell for cell, out in zip(cells, injected, strict=True) if not out]
    cuts = _without_keys(metadata.members, _CLEARED_NOTEBOOK_METADATA)
    if any(injected):
        cuts += _without(cells, injected)
    for cell in kept:
        cuts += cell.cuts
    cuts.sort()

    pieces: list[bytes | memoryview] = []
    view, done = memoryview(data), 0
    for cut in cuts:
        pieces += (view[done : cut.start], cut.new)
        done = cut.end
    body = b"".join([*pieces, view[done:]]) if cuts else data

    def moved_to(at: int) -> int:
        return at + sum(len(c.new) - (c.end - c.start) for c in cuts if c.end <= at)

    def moved(splice: Splice) -> Splice:
        return splice._replace(at=moved_to(splice.at))

    layout = _layout(data, notebook, cells)
    name = _kernel_name(data, metadata)
    return Template(
        body=body,
        content_hash=hashlib.sha256(data).hexdigest(),
        size=len(data),
        minor=notebook.minor,
        title=_title(data, kept),
        kernel=_kernel(data, metadata),
        cell_ids=frozenset(cell.id for cell in kept if cell.id),
        defaults=next((_source(data, cell) for cell in kept if PARAMETERS in cell.tags), ""),
        cell=moved(_cell_splice(notebook, cells, kept, injected, layout)),
        provenance=moved(_provenance_splice(data, metadata)),
        kernel_name=(moved_to(name.value), moved_to(name.end)) if name else None,
        indent=layout.indent,
        newline=layout.newline,
    )


class _Layout(NamedTuple):
    separator: bytes
    """White space in front of a cell."""
    end: bytes
    """White space between the last cell and the closing bracket."""
    indent: str | None
    newline: str


def _layout(data: bytes, notebook: _Notebook, cells: list[_Cell]) -> _Layout:
    """How the file lays out its cells; without cells, how it lays out its keys."""
    if len(cells) > 1:
        separator = data[cells[0].end : cells[1].start].rpartition(b",")[2]
    elif cells:
        separator = data[notebook.cells_start : cells[0].start]
    else:
        separator = notebook.lead
    newline = "\r\n" if b"\r\n" in separator else "\n"
    _, line_break, margin = separator.rpartition(b"\n")
    if not line_break or len(margin) > _WIDEST_MARGIN:
        return _Layout(separator if len(separator) < 3 else b"", b"", None, newline)
    if not cells:
        end = newline.encode() + margin
        return _Layout(end + margin, end, margin.decode(), newline)
    return _Layout(separator, b"", margin[: len(margin) // 2].decode(), newline)


def _cell_splice(
    notebook: _Notebook,
    cells: list[_Cell],
    kept: list[_Cell],
    injected: list[bool],
    layout: _Layout,
) -> Splice:
    """The rule of facts/parameter_cells.md section 4: in the place of the first injected cell, but
    never before the ``parameters`` cell; else directly after that; else after the first cell."""
    if not cells:
        return Splice(notebook.cells_end, layout.separator, layout.end)
    if not kept:
        return Splice(cells[0].start, b"", b"")
    defaults = next((n for n, cell in enumerate(kept) if PARAMETERS in cell.tags), None)
    after_defaults = 0 if defaults is None else defaults + 1
    # all cells before the first injected one are kept
    position = max(injected.index(True), after_defaults) if any(injected) else after_defaults or 1
    if position < len(kept):
        return Splice(kept[position].start, b"", b"," + layout.separator)
    return Splice(kept[-1].end, b"," + layout.separator, b"")


def _provenance_splice(data: bytes, metadata: _Object) -> Splice:
    members = metadata.members
    stay = [member for member in members if member.key not in _CLEARED_NOTEBOOK_METADATA]
    first = members[0].start if members else metadata.start + 1
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
        return _characters(value).strip() if isinstance(value, str) else ""

    return Kernel(
        name=text("kernelspec", "name"),
        display_name=text("kernelspec", "display_name"),
        language=text("kernelspec", "language").lower(),
        info=text("language_info", "name").lower(),
    )


def _kernel_name(data: bytes, metadata: _Object) -> Member | None:
    for spec in metadata.members:
        if spec.key == "kernelspec" and data.startswith(b"{", spec.value):
            members = _object(data, spec.value, depth=2, readers={}).members
            named = [m for m in members if m.key == "name" and data.startswith(b'"', m.value)]
            return named[0] if named else None
    return None


_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_MARKUP = re.compile(r"!?\[([^\[\]]*+)\]\([^()]*+\)|<[^<>]*+>|\*\*|__|`")


def _source(data: bytes, cell: _Cell) -> str:
    source = _load(data, cell.source) if cell.source else ""
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))


def _title(data: bytes, cells: Sequence[_Cell]) -> str:
    for cell in cells:
        if cell.kind != "markdown":
            continue
        fenced = False
        for line in _source(data, cell).splitlines():
            if _FENCE.match(line):
                fenced = not fenced
            elif not fenced and (match := _HEADING.match(line)) and (title := _plain(line, match)):
                return title
    return ""


def _plain(line: str, heading: re.Match[str]) -> str:
    text = " ".join(line[heading.end() :].split())
    if not (opened := text.rstrip("#")) or opened.endswith(" "):
        text = opened
    for _ in range(2):  # a badge is a link around an image
        text = _MARKUP.sub(lambda match: match[1] or "", text)
    return " ".join(_characters(text).split())[:_LONGEST_TITLE]


def _characters(text: str) -> str:
    """``text`` without halves of surrogate pairs, which JSON can hold and a page cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")
