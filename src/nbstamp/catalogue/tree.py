"""A folder of templates on disk: which files are in it, and one of them, read safely.

Knows links, special files and folders that are swapped; nothing of notebooks, nor of what was
there before. Nothing outside the folder is ever read, and nothing is opened that is not a file.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbstamp.core.naming import SUFFIX
from nbstamp.core.parameters import printable

Signature = tuple[int, int, int, int, int]
"""Changes whenever a file changes, except within one tick of the file system's clock."""

_LONGEST = 4096
_ATTEMPTS = 3
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
_GONE = {
    errno.EIO,
    errno.ENOTCONN,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EREMOTEIO,
}
"""What a network file system says that has lost its server."""
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_NOT_OURS = {"lost+found", "#recycle", "#snapshot", "$RECYCLE.BIN", "@eaDir"}
"""What file servers put into the folders that they export."""


class Unreachable(Exception):
    """The folder itself is not there; the text says why, for the administrator."""


class Unusable(Exception):
    """The file is there and cannot be read; the text says why, for the template's author."""


class File:
    """A regular file inside a root, found and not yet read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._describe(os.fstat(descriptor))

    def _describe(self, found: os.stat_result) -> None:
        self.signature = signature(found)
        self.size = found.st_size
        self.modified = found.st_mtime
        # one tick of the kernel's clock is at most 10 ms; some file systems keep full seconds
        tick = 0.05 if found.st_mtime_ns % 10**9 else 2.0
        self.fresh = abs(time.time() - self.modified) < tick
        """It changed so shortly before that one more change could leave the signature as it is."""

    def read(self, most: int) -> bytes:
        """The bytes as they were at one moment, in one allocation.

        Raises :class:`Unusable`, also for more than ``most`` bytes.
        """
        for _ in range(_ATTEMPTS):
            if self.size > most:
                raise Unusable(
                    f"it has {self.size:,} bytes, and this server accepts templates of at most "
                    f"{most:,} bytes"
                )
            try:
                again = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDONLY | os.O_NONBLOCK)
                with open(again, "rb", buffering=0) as file:
                    data = file.read(self.size + 1)
            except PermissionError:
                raise Unusable("this server is not allowed to read the file") from None
            except OSError as err:
                raise Unusable(f"the file cannot be read ({err.strerror})") from err
            found = os.fstat(self._descriptor)
            if len(data) == self.size and signature(found) == self.signature:
                return data
            self._describe(found)
        raise Unusable("the file is being written at this moment")


def signature(found: os.stat_result) -> Signature:
    """What :data:`Signature` says of a file."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def is_path(path: str) -> bool:
    """True when ``path`` could be one of :func:`walk`: relative, without hidden parts or ``..``."""
    return (
        len(path) <= _LONGEST
        and path.endswith(SUFFIX)
        and not _UNUSABLE.search(path)
        and not any(not part or _hidden(part) for part in path.split("/"))
    )


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in _NOT_OURS


class Root:
    """A folder as it was configured: perhaps a link that is swapped, perhaps not there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._device: int | None = None

    def resolve(self) -> str:
        """Where it is at this moment, without any link and without a slash at the end.

        Raises :class:`Unreachable`.
        """
        try:
            descriptor = os.open(self.path, os.O_PATH | os.O_DIRECTORY)
        except OSError as err:
            raise Unreachable(err.strerror) from err
        try:
            home = _place(descriptor).rstrip("/")
            device = os.fstat(descriptor).st_dev
        finally:
            os.close(descriptor)
        if device != self._device:
            if self._device is not None and not os.listdir(home or "/"):
                raise Unreachable("it is empty and not the file system that it was: is it mounted?")
            self._device = device
        return home

    @contextmanager
    def file(self, path: str) -> Iterator[File | None]:
        """The file at ``path``, or None when there is none, or none that is a regular file.

        Raises :class:`Unusable` for a file that is there, :class:`Unreachable` for the root.
        """
        descriptor = self._descriptor(path)
        if descriptor is None:
            yield None
            return
        try:
            yield File(descriptor) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
        finally:
            os.close(descriptor)

    def _descriptor(self, path: str) -> int | None:
        # O_PATH opens nothing: no FIFO waits, no device reacts, and the kernel itself says where
        # links have led. More attempts, because a root or a folder may be swapped in between.
        outside = False
        homes: list[str] = []
        while homes.count(home := self.resolve()) < _ATTEMPTS:
            homes.append(home)
            try:
                descriptor = os.open(f"{home}/{path}", os.O_PATH)
            except OSError as err:
                if err.errno in _ABSENT:
                    outside = False
                    continue
                if err.errno in _GONE:
                    raise Unreachable(err.strerror) from err
                if err.errno == errno.ELOOP:
                    raise Unusable("it is a link that leads in a circle") from None
                raise Unusable(f"the file cannot be read ({err.strerror})") from err
            if _within(_place(descriptor), home):
                return descriptor
            os.close(descriptor)
            outside = True
        if outside:
            raise Unusable("it is a link that leads out of the folder with the templates")
        return None


def _place(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def walk(home: str, problems: dict[str, str]) -> Iterator[tuple[str, Signature | None]]:
    """Every file below ``home`` that could be a template, with its signature (None when it cannot
    be had). What is in the way is put into ``problems``: what it is about, and what is wrong.
    Raises :class:`Unreachable`.

    A link to a folder is followed when it stays below ``home``, does not lead back up, and no
    other link has led to the same folder; so links of whatever shape come to an end.
    """
    linked: set[str] = set()
    folders: list[tuple[str, str, tuple[str, ...]]] = [("", home, ())]
    while folders:
        prefix, real, above = folders.pop()
        try:
            with os.scandir(real or "/") as found:
                entries = sorted(found, key=_name)
        except FileNotFoundError:
            continue  # deleted or swapped in between
        except OSError as err:
            if real == home:
                raise Unreachable(err.strerror) from err
            problems[real] = f"the folder cannot be read ({err.strerror})"
            continue
        inner = []
        for entry in entries:
            name = entry.name
            if _hidden(name):
                continue
            path = prefix + name
            is_template = name.endswith(SUFFIX)
            try:
                is_folder = entry.is_dir()
                usable = not _UNUSABLE.search(name)
                if (is_folder or is_template) and not usable:
                    problems[f"{real}/{printable(name)}"] = (
                        "the name is not UTF-8, or has a backslash or a control character"
                    )
                elif is_folder and entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    if not _within(target, home):
                        problems[entry.path] = "the link leads out of the folder with the templates"
                    elif target not in linked and not any(
                        _within(place, target) for place in (*above, real)
                    ):
                        linked.add(target)
                        inner.append((f"{path}/", target, (*above, real)))
                elif is_folder:
                    inner.append((f"{path}/", entry.path, above))
                elif is_template:
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode):
                        yield path, signature(status)
            except FileNotFoundError:
                continue  # deleted in between, or a link to nothing
            except OSError:
                if is_template:
                    yield path, None
        folders += reversed(inner)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
