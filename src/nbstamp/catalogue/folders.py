"""The catalogue of folders: every ``.ipynb`` below one or several roots is a template.

Knows what was there before and what to do while a file changes; how the disk is read is in
:mod:`nbstamp.catalogue.tree`. Changes are seen by comparing what ``stat`` says, because nothing
else works on every network file system.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from traitlets import Float, Int

from nbstamp.catalogue.base import Catalogue, Entry, Listing
from nbstamp.catalogue.near import Near
from nbstamp.catalogue.tree import (
    File,
    Root,
    Signature,
    Unreachable,
    Unusable,
    is_path,
    walk,
)
from nbstamp.core.errors import BrokenTemplate, UnacceptableFileName, UnknownTemplate
from nbstamp.core.naming import placeholders
from nbstamp.core.parameters import Limits, printable
from nbstamp.core.template import Template, index

log = logging.getLogger(__name__)

MOMENT = 0.05
"""Seconds for which a template need not be looked at again: when a whole course clicks at once, its
first look is good for all."""


@dataclass(frozen=True, slots=True)
class _State:
    """What is known about one path."""

    root: int
    """Number of the root that has it."""
    signature: Signature | None
    """Of the file when it was looked at last."""
    entry: Entry
    """As it is listed; while the file is being written, as it was before."""
    reason: str | None
    """Why the file as it is cannot be used."""
    since: float
    """When this signature was first seen, by the monotonic clock."""
    fresh: bool
    """It was read so soon after a change that one more would leave the signature as it is."""

    @property
    def settled(self) -> bool:
        """Nothing is to be done until the signature changes."""
        return not self.fresh and self.reason == self.entry.broken


class _Held(NamedTuple):
    """A template in memory."""

    state: _State
    template: Template
    looked: float = float("-inf")
    """When the disk was looked at, and had it so, because somebody asked; by the monotonic
    clock."""


class _Bodies:
    """The templates that were used last, up to a number of bytes of their bodies."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Lock()

    def state(self, path: str) -> _State | None:
        with self._lock:
            return self._held[path].state if path in self._held else None

    def recent(self, path: str) -> Template | None:
        """The template at ``path`` if it was asked for and looked at a moment ago."""
        held = self._held.get(path)
        return held.template if held and time.monotonic() - held.looked < MOMENT else None

    def has(self, entry: Entry) -> bool:
        with self._lock:
            held = self._held.get(entry.path)
            return held is not None and held.template.content_hash == entry.content_hash

    def use(self, entry: Entry) -> Template | None:
        """The template that ``entry`` describes, if it is here."""
        with self._lock:
            held = self._held.get(entry.path)
            if held is None or held.template.content_hash != entry.content_hash:
                return None
            self._held.move_to_end(entry.path)
            return held.template

    def keep(self, held: _Held) -> None:
        """Hold a template that was used now; those that were not used for longest make room."""
        path = held.state.entry.path
        with self._lock:
            self._take(path)
            if len(held.template.body) > self._most:
                return
            self._put(path, held)
            while self._bytes > self._most:
                self._take(next(iter(self._held)))

    def offer(self, held: _Held) -> None:
        """Hold a template that nobody asked for yet, if there is room."""
        path = held.state.entry.path
        with self._lock:
            if self._bytes + len(held.template.body) <= self._most:
                self._put(path, held)
                self._held.move_to_end(path, last=False)

    def drop(self, path: str) -> None:
        """Forget what was at ``path``."""
        with self._lock:
            self._take(path)

    def _put(self, path: str, held: _Held) -> None:
        self._held[path] = held
        self._bytes += len(held.template.body)

    def _take(self, path: str) -> None:
        if held := self._held.pop(path, None):
            self._bytes -= len(held.template.body)


class FolderCatalogue(Catalogue):
    """Templates in folders; sub-folders are instruments. Changes are seen without a restart."""

    interval = Float(
        2.0,
        min=0.01,
        help="""Seconds between two looks at the folders. One template that is asked for is always
        as it is on disk, or was a twentieth of a second ago; only the list lags behind.

        c.FolderCatalogue.interval = 10
        """,
    ).tag(config=True)
    memory = Int(
        256 * 2**20,
        min=0,
        help="""Bytes of templates kept in memory. All others are read from disk again when they
        are asked for, and have no last good state while they are being saved.

        c.FolderCatalogue.memory = 2**30
        """,
    ).tag(config=True)
    settle = Float(
        10.0,
        min=0,
        help="""Seconds for which a template that changed and cannot be read stays as it was before:
        it is probably still being saved. After that it is listed as broken.

        c.FolderCatalogue.settle = 60
        """,
    ).tag(config=True)

    def __init__(self, *, roots: Sequence[Path], limits: Limits, **kwargs: Any) -> None:
        """``roots``: when a path exists in two, the first one counts. Each may be a link that is
        swapped, and may come and go.
        """
        super().__init__(**kwargs)
        self._roots = [Root(Path(root)) for root in roots]
        self._limits = limits
        self._states: dict[str, _State] = {}
        self._bodies = _Bodies(self.memory)
        self._complete = False
        self._problems: dict[str, str] = {}
        self._listing: Listing | None = None
        self._near: tuple[Listing, Near] | None = None
        self._lock = threading.Lock()
        self._turns: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._scanning = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # --- What others ask ------------------------------------------------------------------------

    def get(self, path: str) -> Template:
        for spelling in self._spellings(path):
            with self._turn(spelling):
                template = self._get(spelling)
            if template:
                return template
        raise UnknownTemplate(path, near=self._like(path))

    def _get(self, path: str) -> Template | None:
        listed, looked = self._states.get(path), time.monotonic()
        found = self._look(path, listed or self._bodies.state(path))
        if listed or not found:
            self._note(path, found[0] if found else None)
        if not found:
            return None
        state, template = found
        if state.entry.broken is None and (listed or state.reason is None):
            template = template or self._bodies.use(state.entry)
            if template is None and (found := self._look(path, None)):
                state, template = found
        if template is None:
            raise BrokenTemplate(path, state.reason or "its folder cannot be read at the moment")
        self._bodies.keep(_Held(state, template, looked))
        return template

    def recent(self, path: str) -> Template | None:
        return self._bodies.recent(path)

    def listing(self) -> Listing:
        with self._lock:
            if self._listing is None:
                entries = sorted((s.entry for s in self._states.values()), key=lambda e: e.path)
                self._listing = Listing(tuple(entries), self._complete)
            return self._listing

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="templates", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._stopping.clear()

    def _spellings(self, path: str) -> Iterator[str]:
        if not is_path(path):
            return
        yield path
        if path.isascii():
            return
        composed = unicodedata.normalize("NFC", path)
        other = {composed, unicodedata.normalize("NFD", path)} - {path}
        yield from sorted(other)
        for known in list(self._states):
            if not known.isascii() and unicodedata.normalize("NFC", known) == composed:
                yield known

    def _like(self, path: str) -> list[str]:
        listing = self.listing()
        near = self._near
        if near is None or near[0] is not listing:
            paths = (entry.path for entry in listing.entries if entry.broken is None)
            self._near = near = (listing, Near(paths))
        return near[1].find(path)

    # --- Looking at all of them -----------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self.scan()
            except Exception:
                log.exception("looking for templates failed; the list stays as it is")
            took = time.monotonic() - began
            self._stopping.wait(max(self.interval, took))

    def scan(self) -> None:
        """Look at all folders once, and return when the listing is as the disk is."""
        with self._scanning:
            problems: dict[str, str] = {}
            unreachable = set()
            seen: set[str] = set()
            for number, root in enumerate(self._roots):
                try:
                    for path, signature in walk(root.resolve(), problems):
                        if self._stopping.is_set():
                            return
                        if path in seen:
                            continue
                        seen.add(path)
                        state = self._states.get(path)
                        if not state or state.signature != signature or not state.settled:
                            self._scan_one(path)
                except Unreachable as err:
                    unreachable.add(number)
                    problems[str(root.path)] = f"the folder with templates is not there ({err})"
            for path, state in list(self._states.items()):
                if path not in seen and state.root not in unreachable:
                    self._scan_one(path)
            self._say(problems)
            if not self._complete:
                with self._lock:
                    self._complete, self._listing = True, None

    def _scan_one(self, path: str) -> None:
        with self._turn(path):
            old = self._states.get(path) or self._bodies.state(path)
            found = self._look(path, old)
            self._note(path, found[0] if found else None)
            if found and found[1]:
                # a template that changes is one that someone works with
                hold = self._bodies.keep if old else self._bodies.offer
                hold(_Held(found[0], found[1]))

    def _say(self, problems: dict[str, str]) -> None:
        for where, what in problems.items():
            if self._problems.get(where) != what:
                log.warning("%s: %s", printable(where, 300), what)
        for where in self._problems.keys() - problems.keys():
            log.info("%s: this is all right again", printable(where, 300))
        self._problems = problems

    # --- Looking at one of them -----------------------------------------------------------------

    def _turn(self, path: str) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault(path, threading.Lock())

    def _look(self, path: str, old: _State | None) -> tuple[_State, Template | None] | None:
        """Compare ``old`` with the disk: what holds now, with the template if it had to be read;
        None when there is no such file."""
        for number, root in enumerate(self._roots):
            try:
                with root.file(path) as file:
                    if file:
                        return self._compare(path, number, file, old)
            except Unreachable:
                if old and old.root == number:
                    return old, None
            except Unusable as err:
                return self._unusable(path, number, None, str(err), old), None
        return None

    def _compare(
        self, path: str, number: int, file: File, old: _State | None
    ) -> tuple[_State, Template | None]:
        if old and old.root == number and old.signature == file.signature and not old.fresh:
            if not old.settled:
                return self._unusable(path, number, file, old.reason or "", old), None
            return old, None
        try:
            placeholders(path.rpartition("/")[2])
            data = file.read(self._limits.template)
            if old and old.reason is None and _hash(data) == old.entry.content_hash:
                entry = replace(old.entry, modified=file.modified)
                same = replace(old, root=number, signature=file.signature, entry=entry)
                return replace(same, fresh=file.fresh), None
            template = index(data)
        except UnacceptableFileName as err:
            return self._unusable(path, number, file, err.message, old), None
        except (Unusable, ValueError) as err:
            return self._unusable(path, number, file, str(err), old), None
        entry = Entry(
            path=path,
            title=template.title or path.rpartition("/")[2],
            kernel=template.kernel,
            size=template.size,
            modified=file.modified,
            content_hash=template.content_hash,
        )
        return _State(number, file.signature, entry, None, time.monotonic(), file.fresh), template

    def _unusable(
        self, path: str, number: int, file: File | None, reason: str, old: _State | None
    ) -> _State:
        now = time.monotonic()
        signature = file.signature if file else None
        same = old is not None and old.root == number and old.signature == signature
        since = old.since if old and same else now
        state = _State(
            root=number,
            signature=signature,
            entry=Entry(
                path=path,
                title=path,
                kernel=None,
                size=file.size if file else 0,
                modified=file.modified if file else 0.0,
                content_hash="",
                broken=reason,
            ),
            reason=reason,
            since=since,
            fresh=file is not None and file.fresh,
        )
        if old and now - since < self.settle and self._bodies.has(old.entry):
            return replace(state, entry=old.entry)
        return state

    def _note(self, path: str, state: _State | None) -> None:
        with self._lock:
            old = self._states.get(path)
            if state is None:
                self._states.pop(path, None)
            else:
                self._states[path] = state
            if (old and old.entry) != (state and state.entry):
                self._listing = None
        if state is None or state.entry.broken:
            self._bodies.drop(path)
        if state and state.entry.broken and state.entry.broken != (old and old.entry.broken):
            reason = printable(state.entry.broken, 500)
            log.warning("template %s is broken: %s", printable(path, 300), reason)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
