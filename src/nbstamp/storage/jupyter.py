"""Notebooks into a running Jupyter server, by its contents API: complete or not at all, and never
over anything.

Knows the API and what is behind its answers; neither users, hubs nor configuration.

The API has no exclusive create: PUT replaces, and two renames to one name can both succeed. So a
notebook is first put under a name that nobody else has, ``name~<creation id>.ipynb``, and then the
folder is listed. The notebook gets its pretty name only if that is free and nobody else has put
such a file of this name just now: of two who put at once, at least one sees the other, and stays
with the name it has (facts/jupyterhub.md section 4).
"""

from __future__ import annotations

import asyncio
import errno
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from nbstamp.core.errors import (
    SaveUncertain,
    StorageBusy,
    StorageFull,
    StorageUnavailable,
    TemplatingError,
    TooLarge,
    UnacceptableFileName,
)
from nbstamp.core.naming import SUFFIX, Target
from nbstamp.core.parameters import Json, printable
from nbstamp.core.template import PROVENANCE, read_provenance
from nbstamp.storage.files import NAMES, Seen, Written, changed

if TYPE_CHECKING:
    from httpx2 import AsyncClient

NEWEST = 20
"""Notebooks of a series that are read to see where they come from."""
LARGEST = 64 * 2**20
"""Bytes that are read of one series, and of one answer."""
RIVAL = 60.0
"""Seconds for which a file with a name of its own may still be on its way to a pretty one; a save
ends long before."""
CHECK = 1.5
"""Seconds for looking at what is there when the time for everything else is over."""
SLOWEST = 10**6
"""Bytes per second at which a notebook is taken at least."""
LISTINGS = 10
"""Times that a folder is looked at from which files vanish."""
BUSY = 60
"""Seconds until the next try, where a busy server does not say."""


class Answer(NamedTuple):
    """What a server said."""

    status: int
    body: Mapping[str, Json]
    """Empty unless it is a JSON object."""
    message: str
    """Why something was refused, as Jupyter says it; for logs and for being recognised."""
    retry_after: int


class NoAnswer(Exception):
    """Nothing came back, or not all of it; whether the request was carried out is not known."""


class Peer:
    """Somebody who is asked in the course of one task, which must end in time."""

    def __init__(
        self, client: AsyncClient, url: str, headers: Mapping[str, str], *, end: float
    ) -> None:
        """``end`` is a time of the running loop."""
        import httpx2  # of the extra “hub”

        self._client = client
        self._url = url.rstrip("/")
        self._headers = headers
        self._end = end
        self.now = 0.0
        """The clock of whoever answered last, in seconds since the epoch."""
        self._failures = (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError)

    async def request(
        self,
        method: str,
        path: str,
        query: str = "",
        *,
        content: bytes | AsyncIterator[bytes] | None = None,
        size: int = 0,
    ) -> Answer:
        """Ask for ``path`` (unquoted) below the address; ``size`` bytes of ``content`` are sent as
        JSON, and prolong the task.

        Raises :class:`NoAnswer`, also when the answer takes longer than the time that is left.
        """
        headers = dict(self._headers)
        if content is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(size)}
        url = f"{self._url}/{quote(path)}{query}"
        self._end += size / SLOWEST
        end = max(self._end, asyncio.get_running_loop().time() + CHECK)
        data = bytearray()
        try:
            async with (
                asyncio.timeout_at(end),
                self._client.stream(method, url, headers=headers, content=content) as answer,
            ):
                async for piece in answer.aiter_bytes():
                    data += piece
                    if len(data) > 2 * LARGEST:
                        raise NoAnswer("an endless answer")
        except self._failures as err:
            raise NoAnswer(type(err).__name__) from None
        body: Json = None
        if data[:1] == b"{":
            try:
                body = await asyncio.to_thread(json.loads, data)
            except (ValueError, RecursionError):  # also for what is not UTF-8
                body = None
        found = body if isinstance(body, dict) else {}
        wait = answer.headers.get("retry-after", "")
        if date := parsedate_tz(answer.headers.get("date", "")):
            self.now = mktime_tz(date)
        return Answer(
            answer.status_code,
            found,
            f"{found.get('message') or ''} {found.get('reason') or ''}",
            int(wait) if re.fullmatch("[0-9]{1,5}", wait) else BUSY,
        )


class Server(Peer):
    """One Jupyter server that runs."""

    # --- What is there --------------------------------------------------------------------------

    async def listing(self, folder: Sequence[str]) -> dict[str, _File] | None:
        """The files of a folder by name, with those whose names are taken by something else; None
        when there is no such folder.

        Raises :class:`NoAnswer`, or an error in words.
        """
        path = _contents("/".join(folder))
        for _ in range(LISTINGS):
            answer = await self.request("GET", path, "?type=directory&content=1")
            if answer.status != 404:
                break
            # Jupyter says so, too, when a file vanishes from the folder while it looks
            if (await self.request("GET", path, "?type=directory&content=0")).status == 404:
                return None
        if answer.status in (400, 500):
            await self._check_folders(folder)
        entries = answer.body.get("content")
        if answer.status != 200 or not isinstance(entries, list):
            raise _refusal(answer, "listing the folder")
        return {file.name: file for entry in entries if (file := _file(entry))}

    async def _check_folders(self, folder: Sequence[str]) -> None:
        """Raise an error in words for the first part of a folder that is something else."""
        for depth in range(1, len(folder) + 1):
            path = _contents("/".join(folder[:depth]))
            if (await self.request("GET", path, "?type=directory&content=0")).status == 400:
                raise _not_a_folder(folder[:depth])

    async def exists(self, path: str) -> bool:
        """Raises :class:`NoAnswer`, or an error in words."""
        answer = await self.request("GET", _contents(path), "?content=0")
        if answer.status == 404:
            return False
        if answer.status == 200 and answer.body.get("name") == path.rpartition("/")[2]:
            return True
        raise _refusal(answer, "looking for the notebook")

    async def provenance(self, target: Target, holding: str) -> Mapping[str, Json] | None:
        """Where a notebook comes from, if its bytes hold ``holding``; None for whatever is not a
        complete notebook of ours. Raises :class:`NoAnswer`."""
        text = await self.text(target)
        if text is None or holding not in text:
            return None
        return await asyncio.to_thread(
            lambda: read_provenance(text.encode("utf-8", "surrogatepass"))
        )

    async def kernels(self) -> dict[str, str]:
        """Kernels by name, with what people call them; empty when they are not known."""
        try:
            answer = await self.request("GET", "api/kernelspecs")
        except NoAnswer:
            return {}
        specs = answer.body.get("kernelspecs")
        found = {}
        for name, known in specs.items() if isinstance(specs, dict) else ():
            spec = known.get("spec") if isinstance(known, dict) else None
            title = spec.get("display_name") if isinstance(spec, dict) else None
            found[name] = title if isinstance(title, str) else ""
        return found

    # --- What is changed ------------------------------------------------------------------------

    async def make_folders(self, folder: Sequence[str]) -> None:
        """Make a folder and those above it; what is there stays.

        Raises :class:`NoAnswer`, or an error in words.
        """
        for depth in range(1, len(folder) + 1):
            path = "/".join(folder[:depth])
            answer = await self._json("PUT", path, {"type": "directory"})
            if answer.status == 400:
                raise _not_a_folder(folder[:depth])
            if answer.body.get("type") == "directory" and answer.status in (200, 201):
                continue
            # two who make it at once: one of them is told 500
            if answer.status != 500 or not await self.exists(path):
                raise _refusal(answer, "making the folder")

    async def put(self, target: Target, segments: Sequence[bytes | memoryview]) -> Answer:
        """Send a notebook as it is, in pieces. Raises :class:`NoAnswer`."""
        head, tail = b'{"type":"notebook","format":"json","content":', b"}"
        first, *others = segments
        if bytes(first[:3]) == b"\xef\xbb\xbf":
            first = memoryview(first)[3:]
        pieces = [head, first, *others, tail]

        async def content() -> AsyncIterator[bytes]:
            for piece in pieces:
                view = memoryview(piece)
                for at in range(0, len(view), 2**18):
                    yield bytes(view[at : at + 2**18])

        size = sum(map(len, pieces))
        return await self.request("PUT", _contents(target.path), content=content(), size=size)

    async def put_text(self, target: Target, data: bytes) -> Answer:
        """Send a file of UTF-8. Raises :class:`NoAnswer`."""
        body = {"type": "file", "format": "text", "content": data.decode("utf-8")}
        content = (await asyncio.to_thread(json.dumps, body)).encode()
        return await self.request("PUT", _contents(target.path), content=content, size=len(content))

    async def text(self, target: Target) -> str | None:
        """What a file holds, if it is UTF-8. Raises :class:`NoAnswer`."""
        query = "?type=file&format=text&content=1"
        answer = await self.request("GET", _contents(target.path), query)
        if answer.status in (429, 502, 503, 504):
            raise NoAnswer(f"status {answer.status}")
        text = answer.body.get("content")
        return text if answer.status == 200 and isinstance(text, str) else None

    async def rename(self, target: Target, to: Target) -> Answer:
        """Raises :class:`NoAnswer`."""
        return await self._json("PATCH", target.path, {"path": to.path})

    async def remove(self, target: Target) -> None:
        """Remove a file that :func:`save` has made and nobody knows. Raises :class:`NoAnswer`."""
        await self.request("DELETE", _contents(target.path))

    async def _json(self, method: str, path: str, body: Mapping[str, Json]) -> Answer:
        content = json.dumps(body).encode()
        return await self.request(method, _contents(path), content=content, size=len(content))


def _contents(path: str) -> str:
    return f"api/contents/{path}".rstrip("/")


class _File(NamedTuple):
    name: str
    notebook: bool
    size: int
    modified: float


def _file(entry: Json) -> _File | None:
    if not isinstance(entry, dict) or not isinstance(name := entry.get("name"), str):
        return None
    size, modified = entry.get("size"), entry.get("last_modified")
    try:
        moment = datetime.fromisoformat(str(modified)).timestamp()
    except ValueError:
        moment = 0.0
    return _File(
        name, entry.get("type") == "notebook", size if isinstance(size, int) else 0, moment
    )


# --- Saving and looking -------------------------------------------------------------------------


async def save(
    server: Server,
    target: Target,
    segments: Sequence[bytes | memoryview],
    creation_id: str,
    *,
    beside: Sequence[tuple[str, bytes]] = (),
) -> Written:
    """Save a notebook at ``target``, under the first free name of its series or under a name of its
    own; returns once it is there.

    ``creation_id`` consists of ASCII letters, digits, ``-`` and ``_``. Files ``beside`` it are
    there first; each name stands for its content, so one that is there with the same content is
    taken as it is, and one that nobody's notebook reads does no harm.

    Raises :class:`~nbstamp.core.errors.StorageUnavailable` with its subclasses, ``StorageFull``,
    ``TooLarge``, ``UnacceptableFileName``, or ``NoFreeName`` for a data file that was changed.
    After ``SaveUncertain`` the same call finds the notebook if it was saved.
    """
    own = _own_name(target, creation_id)
    known = None
    try:
        before = await server.listing(target.folder)
        if before is None:
            await server.make_folders(target.folder)
            before = {}
        else:
            known = await _earlier(server, target, before, creation_id)
    except NoAnswer as err:
        raise _silent(err, "before the notebook was written") from None
    if known is None:
        for name, data in beside:
            await _put_beside(server, Target(target.folder, name), data, creation_id, before)
        await _put(server, own, segments, creation_id)
    elif known != own or server.now - before[own.name].modified > RIVAL:
        return Written(known, existed=True)
    try:
        # of a file that is known and new, another replica may be just about to do the same
        written = await _name(server, target, own, creation_id, before)
        return written._replace(existed=written.existed or known is not None)
    except (NoAnswer, StorageUnavailable) as err:
        raise _uncertain(err, "giving the notebook its name") from None


async def look(
    server: Server, target: Target, same: Callable[[Mapping[str, Json]], bool]
) -> tuple[bool, Seen | None]:
    """Look at the folder of ``target`` without changing it.

    Returns whether the name is taken, and the newest notebook for whose provenance ``same``
    answers True, among the newest of the series. Raises
    :class:`~nbstamp.core.errors.StorageUnavailable` or ``UnacceptableFileName``.
    """
    try:
        listing = await server.listing(target.folder)
        if listing is None:
            return False, None
        taken = target.name in listing
        async for seen in _notebooks(server, target, listing.values(), holding=PROVENANCE):
            if same(seen.provenance):
                return taken, seen
    except NoAnswer as err:
        raise _silent(err, "looking into the folder") from None
    return taken, None


async def _earlier(
    server: Server, target: Target, listing: Mapping[str, _File], creation_id: str
) -> Target | None:
    """The notebook of this creation, if there is one."""
    own = _own_name(target, creation_id).name
    files = [
        file for file in listing.values() if file.name == own or not _is_own_name(target, file.name)
    ]
    async for seen in _notebooks(server, target, files, holding=creation_id):
        if seen.provenance.get("creation_id") == creation_id:
            return seen.target
    return None


async def _notebooks(
    server: Server, target: Target, files: Iterable[_File], *, holding: str
) -> AsyncIterator[Seen]:
    """The newest notebooks of the series of ``target`` among ``files`` that have a provenance and
    hold ``holding``."""
    series = [file for file in files if file.notebook and _in_series(target, file.name)]
    room = LARGEST
    for file in sorted(series, key=lambda file: file.modified, reverse=True)[:NEWEST]:
        room -= file.size
        if room < 0:
            return
        found = Target(target.folder, file.name)
        if (provenance := await server.provenance(found, holding)) is not None:
            yield Seen(found, provenance, file.modified)


async def _put(
    server: Server, own: Target, segments: Sequence[bytes | memoryview], creation_id: str
) -> None:
    """Put the notebook under its own name. Returns only when it is there; what the server says
    about that is not enough where it could be wrong."""
    refusal: TemplatingError
    try:
        answer = await server.put(own, segments)
        if answer.status in (200, 201) and answer.body.get("name") == own.name:
            return
        refusal = _refusal(answer, "writing the notebook")
        if answer.status in (403, 413, 429):
            raise refusal
    except NoAnswer as err:
        refusal = _silent(err, "writing the notebook")
    try:
        found = await server.provenance(own, creation_id)
        if found and found.get("creation_id") == creation_id:
            return
        if await server.exists(own.path):
            # Jupyter writes into the file itself: this is the beginning of the notebook
            await server.remove(own)
            if type(refusal) is StorageUnavailable:
                refusal = _full(refusal.log)
    except (NoAnswer, StorageUnavailable) as err:
        raise _uncertain(err, "writing the notebook") from None
    raise refusal


async def _put_beside(
    server: Server, file: Target, data: bytes, creation_id: str, listing: Mapping[str, _File]
) -> None:
    """Put a data file, under a name of its own first: whoever reads the other one, reads all of
    it."""
    own = _own_name(file, creation_id)
    try:
        if file.name not in listing:
            answer = await server.put_text(own, data)
            if answer.status in (200, 201):
                answer = await server.rename(own, file)
                if answer.status == 200:
                    return
            await server.remove(own)
            if answer.status != 409:
                raise _refusal(answer, "writing a data file")
        if await server.text(file) != data.decode("utf-8"):
            raise changed(file.name)
    except NoAnswer as err:
        raise _silent(err, "writing a data file") from None


async def _name(
    server: Server,
    target: Target,
    own: Target,
    creation_id: str,
    before: Mapping[str, _File],
) -> Written:
    """Give the notebook the first free name of its series, if that is safe."""
    listing = await server.listing(target.folder) or {}
    new = {name: file for name, file in listing.items() if name not in before}
    if twin := await _twin(server, target, own, new, creation_id):
        return twin
    if own.name not in listing or _has_rivals(target, own, listing):
        return await _there(server, target, own, creation_id)
    for number in range(NAMES):
        wanted = target.numbered(number)
        if wanted.name in listing:
            continue
        try:
            answer = await server.rename(own, wanted)
        except NoAnswer:
            return await _there(server, target, own, creation_id)
        if answer.status == 200 and answer.body.get("name") == wanted.name:
            return Written(wanted, existed=False)
        if answer.status != 409:
            return await _there(server, target, own, creation_id)
        new = {wanted.name: _File(wanted.name, notebook=True, size=0, modified=0)}
        if twin := await _twin(server, target, own, new, creation_id):
            return twin
    return Written(own, existed=False)


async def _twin(
    server: Server, target: Target, own: Target, files: Mapping[str, _File], creation_id: str
) -> Written | None:
    """The same creation among ``files``, by another replica at the same time that was through when
    this one put its file; nobody has been told of that one."""
    others = {name: file for name, file in files.items() if name != own.name}
    if found := await _earlier(server, target, others, creation_id):
        await server.remove(own)
        return Written(found, existed=True)
    return None


def _has_rivals(target: Target, own: Target, listing: Mapping[str, _File]) -> bool:
    oldest = listing[own.name].modified - RIVAL
    return any(
        file.modified > oldest
        for name, file in listing.items()
        if name != own.name and _is_own_name(target, name)
    )


async def _there(server: Server, target: Target, own: Target, creation_id: str) -> Written:
    """Where the notebook that was put is now, after an answer that does not say so."""
    listing = await server.listing(target.folder) or {}
    if twin := await _twin(server, target, own, listing, creation_id):
        return twin
    if own.name in listing:
        return Written(own, existed=False)
    raise _uncertain(NoAnswer("the notebook is not where it was put"), "naming the notebook")


# --- Names of their own -------------------------------------------------------------------------

_ROOM = 180
"""Bytes of a name that stay in front of a creation id of up to 64 characters, so that Jupyter's own
prefixes still fit into 255."""


def _stem(target: Target) -> str:
    stem = target.name.rpartition(".")[0]
    return stem.encode("utf-8")[:_ROOM].decode("utf-8", "ignore")


def _own_name(target: Target, creation_id: str) -> Target:
    """``name~<creation id>.ipynb``, a name that nobody else has; a data file keeps its suffix."""
    suffix = target.name.rpartition(".")[2]
    return Target(target.folder, f"{_stem(target)}~{creation_id}.{suffix}")


def _is_own_name(target: Target, name: str) -> bool:
    """True for names that :func:`_own_name` gives to notebooks that want to be ``target``."""
    pattern = rf"{re.escape(_stem(target))}~[A-Za-z0-9_-]{{8,64}}{re.escape(SUFFIX)}"
    return re.fullmatch(pattern, name) is not None


def _in_series(target: Target, name: str) -> bool:
    return target.in_series(name) or _is_own_name(target, name)


# --- Refusals -----------------------------------------------------------------------------------

_FULL = re.compile(
    rf"\[Errno (?:{errno.ENOSPC}|{errno.EDQUOT}|{errno.EFBIG})\]|No space left on device"
    "|Disk quota exceeded|File too large"
)
"""How a full disk looks in the message of a 500; the numbers are those of Linux."""


def _refusal(answer: Answer, doing: str) -> TemplatingError:
    log = f"the user's server answered {answer.status} while {doing}"
    if answer.status == 507 or _FULL.search(answer.message):
        return _full(log)
    if answer.status == 413:
        return TooLarge(
            "The notebook is larger than what may be sent to your Jupyter server. Nothing was "
            "created. The people who run it can raise the limit of the proxy in front of it.",
        )
    if answer.status == 429:
        return StorageBusy(
            "Your Jupyter server is asked too much at the moment. Nothing was created.",
            retry_after=answer.retry_after,
            log=log,
        )
    if answer.status == 403 and "permission denied" in answer.message.lower():
        return StorageUnavailable(
            "Your Jupyter server may not write into this folder. Nothing was created. Please "
            "choose another one.",
            log=f"{log}: no permission",
        )
    if answer.status == 403:
        log += "; is “access:servers!user” among the service's oauth_client_allowed_scopes?"
    return StorageUnavailable(
        f"Your Jupyter server could not save the notebook (it answered {answer.status}). Nothing "
        "was created.",
        log=log,
    )


def _full(log: str) -> StorageFull:
    return StorageFull(
        "There is no room for this notebook where your Jupyter server keeps its files: the disk or "
        "your quota is full. Nothing was created.",
        log=log,
    )


def _not_a_folder(folder: Sequence[str]) -> UnacceptableFileName:
    return UnacceptableFileName(
        f"“{printable('/'.join(folder), 120)}” cannot be a folder: a file has this name already, "
        "or Jupyter hides it. Please choose another folder."
    )


def _silent(err: Exception, doing: str) -> StorageUnavailable:
    return StorageUnavailable(
        "Your Jupyter server does not answer. Nothing was created.",
        log=f"{err} while {doing}",
    )


def _uncertain(err: Exception, doing: str) -> SaveUncertain:
    return SaveUncertain(
        "Your Jupyter server stopped answering while the notebook was being saved. Please try "
        "again: if it was saved, you get that one, and no second one is made.",
        log=f"{err} while {doing}",
    )
