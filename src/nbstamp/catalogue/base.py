"""Where templates come from: a list of paths, and one template by its path."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from traitlets.config import Configurable

from nbstamp.core.template import Kernel, Template


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue: what a list shows, without the template's bytes."""

    path: str
    """``instrument/name.ipynb``: with ``/`` between parts, whatever the platform."""
    title: str
    """The template's title; its path when it is broken."""
    kernel: Kernel | None
    """None when it is broken."""
    size: int
    """Bytes of the file."""
    modified: float
    """Seconds since the epoch of the last change."""
    content_hash: str
    """SHA-256 of the file in hex; empty when it is broken."""
    broken: str | None = None
    """Why it cannot be used, for its author; None when it can."""

    @property
    def folder(self) -> str:
        """``instrument`` of ``instrument/name.ipynb``; empty at the top."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Listing:
    """All templates known at this moment, sorted by path."""

    entries: Sequence[Entry]
    complete: bool
    """False while the first scan is still running."""


class Catalogue(Configurable):
    """A source of templates. Thread safe; calls may touch the disk, so the service makes them
    in a thread.
    """

    @abstractmethod
    def get(self, path: str) -> Template:
        """Return the template at ``path`` as it is now.

        Raises :class:`UnknownTemplate` with near matches, or :class:`BrokenTemplate`.
        """

    def recent(self, path: str) -> Template | None:
        """The template at ``path`` if it is known as it was a moment ago, else None: then ask
        :meth:`get`. Never waits, neither for the disk nor for anybody else."""
        return None

    @abstractmethod
    def listing(self) -> Listing:
        """Return what is known; never waits for a scan."""

    def start(self) -> None:
        """Begin to watch for changes."""

    def stop(self) -> None:
        """Stop watching and give threads back."""
