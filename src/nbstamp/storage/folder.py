"""The storage for a directory that this process may write.

Knows what the directory is called and where its notebooks open; how a file is made is in
:mod:`nbstamp.storage.files`. Everybody's notebooks are side by side in it, unless the target folder
holds the user's name.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote
from weakref import WeakValueDictionary

from traitlets import Int, Unicode, validate

from nbstamp.core.errors import StorageUnavailable, TemplatingError
from nbstamp.core.instance import Instance
from nbstamp.core.naming import Target
from nbstamp.core.parameters import Json
from nbstamp.core.user import User
from nbstamp.storage import files
from nbstamp.storage.base import Description, Found, Saved, Storage

R = TypeVar("R")


class FolderStorage(Storage):
    """Saves notebooks in a directory. Permissions follow the umask of this process."""

    keeps_files: ClassVar[bool] = True

    root = Unicode(
        "",
        help="""Directory for notebooks; it must exist and be writable. It may be a link; links
        below it are not followed.

        c.FolderStorage.root = "/srv/notebooks"
        """,
    ).tag(config=True)
    label = Unicode(
        "Notebooks",
        help="""What people call this place, in front of the path of a notebook.

        c.FolderStorage.label = "Group drive"
        """,
    ).tag(config=True)
    open_url = Unicode(
        "",
        help="""Address at which a saved notebook opens; {path} is its path below the root. Empty:
        the page says where the notebook is and opens nothing.

        c.FolderStorage.open_url = "https://jupyter.example/lab/tree/{path}"
        """,
    ).tag(config=True)
    writes = Int(
        8,
        min=1,
        help="""Notebooks that are written at the same time for one user; more of them wait.

        c.FolderStorage.writes = 8
        """,
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # not the loop's own threads: a slow disk must not keep pages waiting
        self._threads = ThreadPoolExecutor(32, thread_name_prefix="folder")
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @validate("root")
    def _absolute(self, proposal: Any) -> str:
        path = str(proposal["value"])
        return os.path.abspath(os.path.expanduser(path)) if path else ""

    async def save(self, user: User, target: Target, instance: Instance) -> Saved:
        turn = self._turns.setdefault(user.name, asyncio.Semaphore(self.writes))
        async with turn:
            written = await self._in_thread(partial(self._save, target, instance))
        return Saved(
            written.target,
            place=self._place(*written.target.folder, written.target.name),
            url=self._url(written.target),
            existed=written.existed,
        )

    async def describe(
        self, user: User, target: Target, same: Callable[[Mapping[str, Json]], bool]
    ) -> Description:
        """Look at the target folder only; create nothing."""
        taken, seen = await self._in_thread(partial(self._look, target, same))
        found = seen and Found(
            seen.target, seen.provenance, seen.modified, url=self._url(seen.target)
        )
        return Description(self._place(*target.folder), taken, found)

    def problems(self) -> Sequence[str]:
        found = []
        if self.open_url and "{path}" not in self.open_url:
            found.append(
                f"FolderStorage.open_url is {self.open_url!r} and has no {{path}}; "
                "'https://jupyter.example/lab/tree/{path}' would be right"
            )
        if not self.root:
            return [*found, "FolderStorage.root is not set; name a directory for notebooks"]
        try:
            with files.opened(self.root) as root:
                files.probe(root)
        except TemplatingError as err:
            found.append(
                f"FolderStorage.root is {self.root!r}, and no notebook can be saved there: "
                f"{err.log}. It must be an existing directory that this process may write, on a "
                "file system with hard links"
            )
        return found

    async def _in_thread(self, call: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _save(self, target: Target, instance: Instance) -> files.Written:
        with files.opened(self._root) as root:
            beside = [(file.name, file.data) for file in instance.files]
            return files.save(root, target, instance.segments, instance.creation_id, beside=beside)

    def _look(
        self, target: Target, same: Callable[[Mapping[str, Json]], bool]
    ) -> tuple[bool, files.Seen | None]:
        def first(notebooks: Iterator[files.Seen]) -> files.Seen | None:
            return next((seen for seen in notebooks if same(seen.provenance)), None)

        with files.opened(self._root) as root:
            return files.look(root, target, first)

    @property
    def _root(self) -> str:
        if not self.root:
            raise StorageUnavailable(
                "This server has not been told where to keep notebooks. Nothing was created.",
                log="FolderStorage.root is not set",
            )
        return self.root

    def _place(self, *parts: str) -> str:
        return " / ".join((self.label, *parts))

    def _url(self, target: Target) -> str | None:
        if not self.open_url:
            return None
        return self.open_url.replace("{path}", quote(target.path))
