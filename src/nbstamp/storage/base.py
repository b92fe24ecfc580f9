"""Where finished notebooks go. One required method; everything else is an optional protocol."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from traitlets.config import Configurable

from nbstamp.core.instance import Instance
from nbstamp.core.naming import Target
from nbstamp.core.parameters import Json
from nbstamp.core.user import User


@dataclass(frozen=True, slots=True)
class Saved:
    """The notebook is complete on disk."""

    target: Target
    """Where it is; the name may differ from the wanted one by a suffix ``-1``, ``-2``, …"""
    place: str
    """The same as people read it, e.g. ``Home / notebooks / sem / Analysis.ipynb``."""
    url: str | None = None
    """Where it opens, if it can be opened."""
    existed: bool = False
    """True when this very creation had been saved before (a retry, a second press)."""


@dataclass(frozen=True, slots=True)
class Download:
    """The notebook is handed to the browser; nothing is kept."""

    name: str
    """File name, already safe."""
    instance: Instance


Outcome = Saved | Download


@dataclass(frozen=True, slots=True)
class Found:
    """A notebook of the same series that is there already."""

    target: Target
    provenance: Mapping[str, Json]
    """Its ``metadata.nbstamp``."""
    modified: float
    """Seconds since the epoch of the last change to the file."""
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """What :meth:`Describing.describe` knows before anything is written."""

    place: str
    """The folder as people read it, e.g. ``Home / notebooks / sem``."""
    taken: bool
    """True when the wanted name exists, so that a numbered one will be made."""
    found: Found | None
    """The newest notebook for which ``same`` answered True."""


class Storage(Configurable):
    """A place for notebooks. Its traits are options of the configuration.

    One instance is shared between concurrent requests.
    """

    saves: ClassVar[bool] = True
    """False when nothing is kept here, so that the page can speak of a download."""
    keeps_files: ClassVar[bool] = False
    """True when :meth:`save` keeps ``instance.files`` beside the notebook. Where it does not, all
    values are in the parameter cell, and there are no files."""

    @abstractmethod
    async def save(self, user: User, target: Target, instance: Instance) -> Outcome:
        """Store ``instance`` for ``user``, completely or not at all; never replace anything.

        The same ``instance.creation_id`` again gives the notebook that is already there. With
        :attr:`keeps_files`, the data files are there before the notebook is.
        Raises :class:`NoFreeName`, :class:`StorageFull` or :class:`StorageUnavailable`.
        """

    def problems(self) -> Sequence[str]:
        """What stands against saving anything here, in words for the administrator; asked at the
        start and by ``/readyz``, so it must be quick and leave nothing behind."""
        return ()


@runtime_checkable
class Describing(Protocol):
    """A storage that can look before it writes."""

    async def describe(
        self, user: User, target: Target, same: Callable[[Mapping[str, Json]], bool]
    ) -> Description:
        """Look at the target folder only; create and start nothing."""
