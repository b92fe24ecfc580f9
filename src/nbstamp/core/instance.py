"""A template with parameters stamped in: segments of bytes, never a re-serialised notebook.

``stamp`` is the whole of nbstamp as a pure function. Knows nothing of where the result goes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from json.encoder import encode_basestring
from types import MappingProxyType

from nbstamp import __version__
from nbstamp.core.contract import data_parameters
from nbstamp.core.languages.base import Language
from nbstamp.core.naming import safe_component
from nbstamp.core.parameters import Json, Parameters
from nbstamp.core.template import INJECTED, PROVENANCE, Splice, Template


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known about where an instance comes from, before it is stamped."""

    template: str
    """Path of the template in the catalogue."""
    creation_id: str
    """One confirmed act; the same id again is the same notebook."""
    time: str
    """When the creation was offered to the user: ISO 8601 in UTC."""
    portal: str = ""
    """Origin of the portal (``https://sampledb.example``), if known."""
    object_id: Json = None
    """The portal's id of the object, if known."""
    user: str = ""
    """The user's name; empty unless the site wants it in notebooks."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A value that stands beside the notebook, because the template asks for it."""

    name: str
    """File name: the parameter and a hash of the value, so that one name never stands for two
    contents and a retry finds its own file."""
    data: bytes
    """JSON in UTF-8, one item of a list or an object per line."""


@dataclass(frozen=True)
class Instance:
    """A finished notebook as bytes in pieces."""

    segments: tuple[bytes | memoryview, ...]
    """To be written one after the other; views of the template's bytes are not copied."""
    creation_id: str
    provenance: Mapping[str, str | int]
    """``metadata.nbstamp`` as it is in the notebook."""
    files: tuple[DataFile, ...] = ()
    """What the notebook reads from its own folder; to be there before the notebook is."""

    @cached_property
    def size(self) -> int:
        """Bytes of the notebook."""
        return sum(len(segment) for segment in self.segments)

    def __len__(self) -> int:
        return self.size

    def __bytes__(self) -> bytes:
        return b"".join(self.segments)


def stamp(
    template: Template,
    parameters: Parameters,
    origin: Origin,
    language: Language | None,
    *,
    files: bool = True,
    kernel_names: Mapping[str, str] = MappingProxyType({}),
) -> Instance:
    """Put ``parameters`` into ``template`` as one new code cell, and ``origin`` into its metadata.

    Values that the template declares as data become :attr:`Instance.files`, unless there is no
    place for ``files``; then they are in the cell as all others. Without parameters no cell is
    made and ``language`` may be None. A kernel in ``kernel_names`` becomes the other one. The same
    arguments give the same bytes. Raises
    :class:`~nbstamp.core.errors.UnacceptableParameter` when the language cannot hold a name or a
    value.
    """
    source = ""
    beside: dict[str, DataFile] = {}
    if parameters:
        if language is None:
            raise ValueError("parameters need a kernel language")
        if files and (names := data_parameters(template.defaults)):
            beside = _data_files(names, parameters)
        source = language.cell(parameters, {name: file.name for name, file in beside.items()})
    cell_hash = hashlib.sha256(source.encode("utf-8")).hexdigest() if source else ""
    provenance = _provenance(template, parameters, origin, cell_hash)
    body = memoryview(template.body)
    splices = [_put(template.provenance, _member(PROVENANCE, provenance))]
    if source:
        splices.append(_put(template.cell, _cell(template, source, cell_hash)))
    if template.kernel_name and (name := kernel_names.get(template.kernel.name)):
        splices.append((*template.kernel_name, _utf8(encode_basestring(name))))
    segments: list[bytes | memoryview] = []
    done = 0
    for start, end, content in sorted(splices):
        segments += (body[done:start], content)
        done = end
    return Instance(
        (*segments, body[done:]), origin.creation_id, provenance, tuple(beside.values())
    )


def _data_files(names: frozenset[str], parameters: Parameters) -> dict[str, DataFile]:
    # null stays null in the cell: there is no data
    return {
        name: _data_file(name, value)
        for name, value in parameters.items()
        if name in names and value is not None
    }


def _data_file(name: str, value: Json) -> DataFile:
    def text(item: Json) -> str:
        return json.dumps(item, ensure_ascii=False, allow_nan=False)

    match value:
        case list():
            lines = [text(item) for item in value]
            whole = "[\n" + ",\n".join(lines) + "\n]\n"
        case dict():
            lines = [f"{text(key)}: {text(item)}" for key, item in value.items()]
            whole = "{\n" + ",\n".join(lines) + "\n}\n"
        case _:
            whole = f"{text(value)}\n"
    data = whole.encode("utf-8")
    return DataFile(safe_component(f"{name}-{hashlib.sha256(data).hexdigest()[:16]}.json"), data)


def _put(splice: Splice, content: bytes) -> tuple[int, int, bytes]:
    return splice.at, splice.at, splice.before + content + splice.after


def _provenance(
    template: Template, parameters: Parameters, origin: Origin, cell_hash: str
) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "template": origin.template,
        "content_hash": template.content_hash,
        "creation_id": origin.creation_id,
        "time": origin.time,
        "parameters_hash": parameters.hash,
        "nbstamp": __version__,
    }
    if cell_hash:
        found["cell_hash"] = cell_hash
    if origin.portal:
        found["portal"] = origin.portal
    if isinstance(origin.object_id, int | str) and not isinstance(origin.object_id, bool):
        found["object_id"] = origin.object_id
    if origin.user:
        found["user"] = origin.user
    return found


def _member(key: str, value: Mapping[str, str | int]) -> bytes:
    members = [
        f'"{name}": {encode_basestring(item) if isinstance(item, str) else item}'
        for name, item in value.items()
    ]
    return _utf8(f'"{key}": {{{", ".join(members)}}}')


def _utf8(text: str) -> bytes:
    # half a surrogate pair (a template's file name may hold one) becomes its JSON escape
    return text.encode("utf-8", "backslashreplace")


def _cell(template: Template, source: str, cell_hash: str) -> bytes:
    start, middle, between, end = _outline(template.indent, template.newline, template.minor)
    name = _cell_id(template.cell_ids, cell_hash) if middle else ""
    lines = between.join(map(encode_basestring, source.splitlines(keepends=True)))
    return f"{start}{name}{middle}{lines}{end}".encode()


@lru_cache
def _outline(indent: str | None, newline: str, minor: int) -> tuple[str, str, str, str]:
    """A code cell as Jupyter lays cells out, so that the notebook reads well in a diff: what stands
    before its id, between that and the lines of its source, between two of them, and after them.
    Without ids, the second piece is empty."""
    cell: dict[str, Json] = {"cell_type": "code", "execution_count": None}
    if minor >= 5:
        cell["id"] = ""
    cell |= {"metadata": {"tags": [INJECTED]}, "outputs": [], "source": [""]}
    text, between = json.dumps(cell, indent=indent), ", "
    if indent is not None:
        text = text.replace("\n", newline + indent * 2)
        between = f",{newline}{indent * 4}"
    head, end = text.rsplit('""', 1)
    start, quotes, middle = head.partition('""')
    return (f'{start}"', f'"{middle}', between, end) if quotes else (start, "", between, end)


def _cell_id(taken: frozenset[str], cell_hash: str) -> str:
    """As short as Jupyter's own (nbformat 4.5 wants unique ids), the same for the same source."""
    found, number = cell_hash[:8], 0
    while found in taken:
        number += 1
        found = f"{cell_hash[:8]}-{number}"
    return found
