"""Notebooks into folders, by descriptors: complete or not at all, and never over anything.

Knows the calls of the operating system and what they refuse; neither users nor configuration, so
that a process of another identity can use it as it is. Follows no link below the root and never
renames (facts/security.md section 2 has the measured reasons).

A name appears by one ``link`` of a file that is already complete and on disk, and ``link`` refuses
a name that is taken. The names of a series are tried in order and whatever took one in between is
looked at, so two that save the same creation at once, in whatever process or on whatever machine,
meet at the first free name: one makes the notebook, the other finds it.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from typing import NamedTuple, TypeVar

from nbstamp.core.errors import (
    NoFreeName,
    StorageFull,
    StorageUnavailable,
    TemplatingError,
    UnacceptableFileName,
)
from nbstamp.core.naming import SUFFIX, Target
from nbstamp.core.parameters import Json, printable
from nbstamp.core.template import PROVENANCE, read_provenance

R = TypeVar("R")

NAMES = 1000
"""Names of a series that are tried: ``name.ipynb``, ``name-1.ipynb`` to ``name-999.ipynb``."""
LARGEST = 128 * 2**20
"""Bytes of a notebook that is read to see where it comes from; a larger one is a stranger."""


class Written(NamedTuple):
    """A notebook that is complete and on disk."""

    target: Target
    existed: bool
    """True when it was saved by an earlier or a simultaneous call with the same creation id."""


class Seen(NamedTuple):
    """A notebook of a series."""

    target: Target
    provenance: Mapping[str, Json]
    modified: float
    """Seconds since the epoch, by the clock of whoever keeps the file."""


@contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of the directory ``path``, which may be a link: whoever configures it may.

    Raises :class:`StorageUnavailable`.
    """
    with _in_words("opening the root"):
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield directory
    finally:
        os.close(directory)


def save(
    root: int,
    target: Target,
    segments: Sequence[bytes | memoryview],
    creation_id: str,
    *,
    beside: Sequence[tuple[str, bytes | memoryview]] = (),
    mode: int = 0o666,
    folder_mode: int = 0o777,
) -> Written:
    """Save a notebook at ``target`` below the open directory ``root``, under the first free name
    of its series; returns once it is on disk.

    ``creation_id`` consists of ASCII letters, digits, ``-`` and ``_``. Files ``beside`` it are
    there first; each name stands for its content, so one that is there with the same content is
    taken as it is, and one that nobody's notebook reads does no harm. The modes are subject to the
    umask. Raises :class:`NoFreeName`, :class:`UnacceptableFileName`, :class:`StorageFull` or
    :class:`StorageUnavailable`, and then has left nothing behind; only when the disk fails after
    the name was given, the notebook stays for the next try to find.
    """
    for name in (target.name, *(name for name, _ in beside)):
        _check(Target(target.folder, name))
    made: list[tuple[int, str]] = []

    def enter(parent: int, part: str) -> int:
        try:
            return _open_folder(parent, part)
        except FileNotFoundError:
            # somebody else may be making it too
            with suppress(FileExistsError):
                os.mkdir(part, folder_mode, dir_fd=parent)
                made.append((parent, part))
            os.fsync(parent)
            return _open_folder(parent, part)

    with ExitStack() as stack:
        try:
            with _in_words("opening the folder"):
                folder = _walk(root, target.folder, enter, stack)
            return _save(folder, target, segments, creation_id, mode, beside)
        except BaseException:
            for parent, part in reversed(made):
                with suppress(OSError):  # also when somebody put something into it
                    os.rmdir(part, dir_fd=parent)
            raise


def look(
    root: int, target: Target, choose: Callable[[Iterator[Seen]], R], *, newest: int = 20
) -> tuple[bool, R]:
    """Look at the folder of ``target`` below the open directory ``root`` without changing it.

    Returns whether the name is taken, and what ``choose`` makes of the ``newest`` notebooks of the
    series, newest first; each is read when it is asked for. Raises :class:`UnacceptableFileName`
    or :class:`StorageUnavailable`.
    """
    _check(target)
    with ExitStack() as stack, _in_words("looking into the folder"):
        try:
            folder = _walk(root, target.folder, _open_folder, stack)
        except FileNotFoundError:
            return False, choose(iter(()))
        names, files = _series(folder, target)
        seen = _notebooks(folder, target, files[:newest], holding=PROVENANCE, room=LARGEST)
        return target.name in names, choose(seen)


def probe(root: int, folder: Sequence[str] = ()) -> None:
    """Find out by doing it whether a notebook could be saved in ``folder`` below the open directory
    ``root``, or as far on the way to it as there are folders.

    Raises :class:`UnacceptableFileName`, :class:`StorageFull` or :class:`StorageUnavailable`.
    """
    name = _hidden_name()
    with ExitStack() as stack, _in_words("making a file on trial"):
        for part in folder:
            try:
                root = _walk(root, (part,), _open_folder, stack)
            except FileNotFoundError:
                break
        draft, link = stack.enter_context(_draft(root, 0o600))
        write(draft, (b"trial",))
        if not _linked(draft, partial(link, name)):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        os.unlink(name, dir_fd=root)


# --- Folders ------------------------------------------------------------------------------------


def _check(target: Target) -> None:
    """Names are made safe long before; this is for callers of another process."""
    for part in (*target.folder, target.name):
        if part in ("", ".", "..") or "/" in part or "\0" in part:
            raise ValueError("a part of the path is not a plain name")


def _walk(
    root: int, parts: Sequence[str], enter: Callable[[int, str], int], stack: ExitStack
) -> int:
    folder = root
    for part in parts:
        folder = enter(folder, part)
        stack.callback(os.close, folder)
    return folder


def _open_folder(parent: int, part: str) -> int:
    try:
        return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as err:
        if err.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise UnacceptableFileName(
            f"“{printable(part, 120)}” is not a folder but a file or a link, and links are not "
            "followed. Please choose another folder."
        ) from None


# --- What is there ------------------------------------------------------------------------------


class _File(NamedTuple):
    name: str
    size: int
    modified: float


def _series(folder: int, target: Target) -> tuple[set[str], list[_File]]:
    """Every name of the series of ``target``, and its regular files, newest first."""
    stem = target.name.removesuffix(SUFFIX)
    names = {n for n in os.listdir(folder) if n.startswith(stem) and target.in_series(n)}
    files = []
    for name in names:
        with suppress(FileNotFoundError):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                files.append(_File(name, found.st_size, found.st_mtime))
    return names, sorted(files, key=lambda file: file.modified, reverse=True)


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _notebooks(
    folder: int, target: Target, files: Sequence[_File], *, holding: str, room: int
) -> Iterator[Seen]:
    """Those of ``files`` whose bytes hold ``holding`` and that have a provenance, until ``room``
    bytes have been read."""
    for file in files:
        room -= file.size
        if room < 0:
            return
        provenance = _provenance(folder, file.name, holding)
        if provenance is not None:
            yield Seen(Target(target.folder, file.name), provenance, file.modified)


def _provenance(folder: int, name: str, holding: str) -> dict[str, Json] | None:
    data = _content(folder, name)
    return read_provenance(data) if data is not None and holding.encode() in data else None


def _content(folder: int, name: str) -> bytes | None:
    """None for whatever cannot be read: that is nobody's earlier notebook."""
    try:
        # a name can be anything by now; O_NONBLOCK does not wait for the other end of a pipe
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            return None
        return os.read(file, found.st_size)
    except OSError:
        return None
    finally:
        os.close(file)


# --- One new file -------------------------------------------------------------------------------


def _save(
    folder: int,
    target: Target,
    segments: Sequence[bytes | memoryview],
    creation_id: str,
    mode: int,
    beside: Sequence[tuple[str, bytes | memoryview]],
) -> Written:
    names: set[str] = set()
    files: list[_File] = []
    with _in_words("looking into the folder"):
        # without one of its first names there is no series: a folder that may hold thousands of
        # notebooks is not listed for every new one
        if any(_exists(folder, target.numbered(number).name) for number in range(3)):
            names, files = _series(folder, target)
        for seen in _notebooks(folder, target, files, holding=creation_id, room=8 * LARGEST):
            if seen.provenance.get("creation_id") == creation_id:
                os.fsync(folder)  # whoever made it may not have got that far
                return Written(seen.target, existed=True)
    for name, data in beside:
        _save_beside(folder, name, data, mode)
    with ExitStack() as stack:
        with _in_words("writing the file"):
            draft, link = stack.enter_context(_draft(folder, mode))
            write(draft, segments)
            os.fsync(draft)
        with _in_words("giving the file its name"):
            written = _name(folder, target, creation_id, names, draft, link)
    try:
        os.fsync(folder)
    except OSError as err:
        # not taken back: a name that somebody else may have put there since must not be removed,
        # and the same creation id finds this one again
        raise StorageUnavailable(
            "The notebook was written, but the disk has not confirmed it "
            f"({_reason(err)}). Please try again; no second one will be made.",
            log=_log(err, "writing the folder"),
        ) from None
    return written


def _save_beside(folder: int, name: str, data: bytes | memoryview, mode: int) -> None:
    with _in_words("writing a data file"):
        if _exists(folder, name):
            _require_content(folder, name, data)
            return
        with _draft(folder, mode) as (draft, link):
            write(draft, (data,))
            os.fsync(draft)
            if not _linked(draft, partial(link, name)):
                _require_content(folder, name, data)


def _require_content(folder: int, name: str, data: bytes | memoryview) -> None:
    """Raise :class:`NoFreeName` unless the file is exactly ``data``."""
    if _content(folder, name) != data:
        raise changed(name)


def changed(name: str) -> NoFreeName:
    """The error for a data file that is there and is not what its name stands for."""
    return NoFreeName(
        f"The data file “{printable(name, 120)}” is there already and was changed since it was "
        "made. It stays as it is; please choose another folder for the new notebook."
    )


def _name(
    folder: int,
    target: Target,
    creation_id: str,
    taken: set[str],
    draft: int,
    link: Callable[[str], None],
) -> Written:
    for number in range(NAMES):
        wanted = target.numbered(number)
        if wanted.name in taken:
            continue
        if _linked(draft, partial(link, wanted.name)):
            return Written(wanted, existed=False)
        provenance = _provenance(folder, wanted.name, creation_id)
        if provenance is not None and provenance.get("creation_id") == creation_id:
            return Written(wanted, existed=True)
    raise NoFreeName(
        f"“{printable(target.name, 120)}” and {NAMES - 1} numbered variants of it exist already. "
        "Please choose another name or folder."
    )


def _linked(draft: int, link: Callable[[], None]) -> bool:
    """True when the file has its name now, False when that was taken."""
    links = os.fstat(draft).st_nlink
    try:
        link()
    except OSError as err:
        # over NFS the answer to a call that was carried out can be lost
        if os.fstat(draft).st_nlink > links:
            return True
        if err.errno == errno.EEXIST:
            return False
        raise
    return True


@contextmanager
def _draft(folder: int, mode: int) -> Iterator[tuple[int, Callable[[str], None]]]:
    """A new file in ``folder`` that nobody sees, and how it gets a name.

    It has no name, so that it vanishes with this process, where the file system can do that; else
    a hidden one, and those of processes that were killed are removed a day later.
    """
    file = _unnamed(folder, mode)
    if file is not None:
        try:
            yield file, partial(os.link, f"/proc/self/fd/{file}", dst_dir_fd=folder)
        finally:
            os.close(file)
        return
    _remove_leftovers(folder)
    name = _hidden_name()
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder)
    try:
        yield (
            file,
            partial(os.link, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False),
        )
    finally:
        os.close(file)
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)


_NO_UNNAMED_FILES = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)


def _unnamed(folder: int, mode: int) -> int | None:
    if not _has_proc():  # without it there is no way to name the file later
        return None
    try:
        return os.open(".", os.O_TMPFILE | os.O_WRONLY, mode, dir_fd=folder)
    except OSError as err:
        if err.errno in _NO_UNNAMED_FILES:
            return None
        raise


@cache
def _has_proc() -> bool:
    return os.path.isdir("/proc/self/fd")


def _hidden_name() -> str:
    return f".nbstamp-{os.urandom(16).hex()}.tmp"


_HIDDEN = re.compile(r"\.nbstamp-[0-9a-f]{32}\.tmp")
_LEFT_BEHIND = 24 * 3600


def _remove_leftovers(folder: int) -> None:
    """Remove hidden files of processes that did not live to do it."""
    for name in os.listdir(folder):
        if _HIDDEN.fullmatch(name):
            with suppress(OSError):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if time.time() - found.st_mtime > _LEFT_BEHIND:
                    os.unlink(name, dir_fd=folder)


_IOV_MAX = 1024


def write(file: int, segments: Sequence[bytes | memoryview]) -> None:
    """Write all segments, one after the other, to the open ``file``."""
    left = [memoryview(segment) for segment in segments]
    at = 0
    while at < len(left):
        written = os.writev(file, left[at : at + _IOV_MAX])
        while at < len(left) and written >= len(left[at]):
            written -= len(left[at])
            at += 1
        if written:
            left[at] = left[at][written:]


# --- Refusals -----------------------------------------------------------------------------------

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BAD_NAME = (errno.ENAMETOOLONG, errno.EILSEQ)


class _in_words:  # noqa: N801 - it reads as what it does, like those of contextlib
    """Around calls of the operating system: what they refuse, in words."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, err: BaseException | None, traceback: object) -> None:
        if isinstance(err, OSError):
            # the error itself names the file, which may hold a parameter's value
            raise _refusal(err, self._doing) from None


def _refusal(err: OSError, doing: str) -> TemplatingError:
    log = _log(err, doing)
    if err.errno in _FULL:
        return StorageFull(
            f"There is no room for this notebook where notebooks are kept ({_reason(err)}). "
            "Nothing was created.",
            log=log,
        )
    if err.errno in _BAD_NAME:
        return UnacceptableFileName(
            f"The file system does not take this name ({_reason(err)}). A shorter, plainer one "
            "may do."
        )
    return StorageUnavailable(
        f"Notebooks cannot be saved in this folder at the moment ({_reason(err)}). Nothing was "
        "created.",
        log=log,
    )


def _reason(err: OSError) -> str:
    return os.strerror(err.errno or 0)


def _log(err: OSError, doing: str) -> str:
    return f"{errno.errorcode.get(err.errno or 0, 'an error')} while {doing}"
