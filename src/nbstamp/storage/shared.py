"""The storage for home folders on a file system that the users' servers see, too.

Knows which options there are and what the broker answers; it never touches a user's file itself.
The process with the rights to act in users' names is :mod:`nbstamp.storage.broker`, and this one
has none left (:meth:`SharedStorage.give_up_rights`).
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, ClassVar, TypeGuard
from urllib.parse import quote
from weakref import WeakValueDictionary

from traitlets import Float, Int, TraitError, Unicode, validate

from nbstamp.core.errors import (
    NoFreeName,
    SaveUncertain,
    StorageFull,
    StorageUnavailable,
    TemplatingError,
    UnacceptableFileName,
)
from nbstamp.core.instance import Instance
from nbstamp.core.naming import Target, typed_folder
from nbstamp.core.parameters import Json, printable
from nbstamp.core.user import User
from nbstamp.storage import broker, files, privileges
from nbstamp.storage.accounts import USERNAME, Accounts
from nbstamp.storage.base import Description, Found, Saved, Storage

_GRACE = 5
"""Seconds that the broker may take longer than its own deadline."""


class SharedStorage(Storage):
    """Saves notebooks in users' home folders, with their identity. It must be started with the
    right to become these users."""

    keeps_files: ClassVar[bool] = True

    home = Unicode(
        "",
        help="""Home folder of a user, {username} being the name. Empty: the one of the account of
        this name on this machine.

        c.SharedStorage.home = "/srv/homes/{username}"
        """,
    ).tag(config=True)
    uid = Int(
        None,
        allow_none=True,
        min=1,
        help="""User that owns every home, where all are the same one, as in containers. Needs gid
        and home, too. Unset: the user's account on this machine says it.

        c.SharedStorage.uid = 1000
        """,
    ).tag(config=True)
    gid = Int(
        None,
        allow_none=True,
        min=1,
        help="""Group of new notebooks where uid is set.

        c.SharedStorage.gid = 100
        """,
    ).tag(config=True)
    minimum_uid = Int(
        1000,
        min=1,
        help="""Lowest user that notebooks are saved for; those below it belong to the system.

        c.SharedStorage.minimum_uid = 1000
        """,
    ).tag(config=True)
    subfolder = Unicode(
        "",
        help="""Folder in the home that everything goes into, for homes of which only a part is
        kept. It is made when it is missing.

        c.SharedStorage.subfolder = "persistent"
        """,
    ).tag(config=True)
    umask = Unicode(
        "077",
        help="""Permissions that new notebooks and folders do not get, as octal digits.

        c.SharedStorage.umask = "027"
        """,
    ).tag(config=True)
    deadline = Float(
        10,
        min=0.1,
        max=600,
        help="""Seconds after which a home folder that does not answer is given up.

        c.SharedStorage.deadline = 10
        """,
    ).tag(config=True)
    writes = Int(
        8,
        min=1,
        max=broker.TOTAL,
        help="""Notebooks that are saved at the same time for one user; more of them wait.

        c.SharedStorage.writes = 8
        """,
    ).tag(config=True)
    server_user = Unicode(
        "nobody",
        help="""Account that the server goes on as when it was started as root. It must be able to
        read the templates and this program.

        c.SharedStorage.server_user = "nbstamp"
        """,
    ).tag(config=True)
    label = Unicode(
        "Home",
        help="""What people call this place, in front of the path of a notebook.

        c.SharedStorage.label = "Home"
        """,
    ).tag(config=True)
    open_url = Unicode(
        "",
        help="""Address at which a saved notebook opens, with {username} and {path}, the path below
        the home. Both are quoted; behind a question mark twice, because an address stands there
        within another. The example opens it also when the user's server does not run yet. Empty:
        the page says where the notebook is and opens nothing.

        c.SharedStorage.open_url = "https://jupyter.example/hub/spawn/{username}?next=/user/{username}/lab/tree/{path}"
        """,
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="shared")
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @validate("umask")
    def _octal(self, proposal: Any) -> str:
        text = str(proposal["value"])
        if not (0 < len(text) <= 4 and set(text) <= set("01234567")):
            raise TraitError(f"SharedStorage.umask is {text!r}; octal digits as '027' are right")
        if int(text, 8) & 0o700:
            raise TraitError(f"SharedStorage.umask is {text!r}; the owner must keep all rights")
        return text

    @validate("home")
    def _pattern(self, proposal: Any) -> str:
        text = str(proposal["value"])
        if text and not (os.path.isabs(text) and USERNAME in text):
            raise TraitError(
                f"SharedStorage.home is {text!r}; an absolute path with {{username}} as "
                "'/srv/homes/{username}' is right"
            )
        return text

    @validate("subfolder")
    def _plain(self, proposal: Any) -> str:
        try:
            return "/".join(typed_folder(str(proposal["value"])))
        except UnacceptableFileName as err:
            raise TraitError(f"SharedStorage.subfolder: {err.message}") from err

    # --- Start and end ---

    def start(self) -> None:
        """Start the broker, with the rights that this process has now.

        Raises :class:`StorageUnavailable`, whose ``log`` says what is missing.
        """
        if (self.uid is None) != (self.gid is None) or (self.uid is not None and not self.home):
            raise _not_started("SharedStorage.uid, gid and home go together; set all three")
        rules = broker.Rules(
            accounts=Accounts(self.home, self.uid, self.gid, self.minimum_uid),
            subfolder=self._subfolder,
            umask=int(self.umask, 8),
            deadline=self.deadline,
            writes=self.writes,
        )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # a program of its own: it has none of our memory, and nobody's environment steers it
            command = [sys.executable, "-I", "-X", "utf8", "-m", broker.__name__]
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                [*command, str(theirs.fileno()), rules.dumps()],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={},
            )
        self._control = ours
        ours.settimeout(60)
        try:
            hello = json.loads(ours.recv(broker.LARGEST))
        except (OSError, ValueError):
            hello = {"problem": "it ended"}
        ours.settimeout(None)
        if "problem" in hello:
            self.stop()
            raise _not_started(f"the broker cannot work: {hello['problem']}")

    def give_up_rights(self) -> None:
        """Go on as ``server_user``, or as the same user when this is not root, with no capability.
        To be called after :meth:`start` and before there is any other thread.

        Raises :class:`StorageUnavailable`; this process must end then.
        """
        if len(os.listdir("/proc/self/task")) > 1:
            raise _not_started("there are other threads, which would keep their rights")
        uid, gid, groups = os.getuid(), os.getgid(), os.getgroups()
        try:
            if uid == 0:
                entry = pwd.getpwnam(self.server_user)
                uid, gid, groups = entry.pw_uid, entry.pw_gid, []
            privileges.become(uid, gid, groups)
        except KeyError:
            raise _not_started(
                f"SharedStorage.server_user is {self.server_user!r}, and there is no such account"
            ) from None
        except (OSError, privileges.RightsLeft) as err:
            raise _not_started(f"the server cannot give up its rights: {err}") from None
        for module in (__file__, os.__file__):
            if not os.access(module, os.R_OK):
                raise _not_started(
                    f"the account {self.server_user!r} cannot read {module}; install this program "
                    "and its Python where everybody can read them, such as /opt"
                )

    def stop(self) -> None:
        """End the broker; what is being saved is still finished."""
        if self._control:
            self._control.close()
        if self._process:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        self._control = self._process = None

    # --- What a storage does ---

    async def save(self, user: User, target: Target, instance: Instance) -> Saved:
        request = _request("save", user, target) | {
            "creation_id": instance.creation_id,
            "beside": [[file.name, len(file.data)] for file in instance.files],
        }
        answer = await self._ask(user, request, instance)
        saved, existed = _named(answer, target), answer.get("existed")
        if saved is None or not isinstance(existed, bool):
            raise _nonsense("save")
        return Saved(
            saved,
            place=self._place(*saved.folder, saved.name),
            url=self._url(user, saved),
            existed=existed,
        )

    async def describe(
        self, user: User, target: Target, same: Callable[[Mapping[str, Json]], bool]
    ) -> Description:
        """Look at the target folder only; create nothing."""
        answer = await self._ask(user, _request("look", user, target))
        taken, seen = answer.get("taken"), answer.get("seen")
        if not isinstance(taken, bool) or not isinstance(seen, list):
            raise _nonsense("look")
        found = (self._found(user, target, each) for each in seen)
        return Description(
            self._place(*target.folder),
            taken,
            next((each for each in found if same(each.provenance)), None),
        )

    def problems(self) -> Sequence[str]:
        found = [
            f"SharedStorage.open_url is {self.open_url!r} and has no {{{name}}}; "
            "'https://jupyter.example/hub/spawn/{username}?next=/user/{username}/lab/tree/{path}' "
            "would be right"
            for name in ("username", "path")
            if self.open_url and f"{{{name}}}" not in self.open_url
        ]
        try:
            self._ask_now({"act": "ping"}, seconds=_GRACE)
        except TemplatingError as err:
            found.append(f"SharedStorage: {err.log}")
        return found

    def problems_for(self, user: User) -> Sequence[str]:
        """What stands against saving notebooks for this user: whether the account is there, the
        broker can become it, the home can be reached, and its file system has the calls that are
        needed. Tries it out with a hidden file, which it removes."""
        try:
            self._ask_now({"act": "probe", "user": user.name}, seconds=self.deadline + _GRACE)
        except TemplatingError as err:
            return [f"no notebook can be saved for {printable(user.name)!r}: {err.log}"]
        return ()

    # --- The broker ---

    async def _ask(
        self, user: User, request: Mapping[str, Json], instance: Instance | None = None
    ) -> dict[str, Json]:
        loop = asyncio.get_running_loop()
        turn = self._turns.setdefault(user.name, asyncio.Semaphore(self.writes))
        async with turn:
            sending = partial(self._send, request, instance)
            reply = await loop.run_in_executor(self._threads, sending)
            with reply:
                reply.setblocking(False)
                try:
                    async with asyncio.timeout(self.deadline + _GRACE):
                        data = await loop.sock_recv(reply, broker.LARGEST)
                except TimeoutError:
                    data = b""
        return _read(data, str(request["act"]))

    def _ask_now(self, request: Mapping[str, Json], *, seconds: float) -> dict[str, Json]:
        with self._send(request) as reply:
            reply.settimeout(seconds)
            try:
                data = reply.recv(broker.LARGEST)
            except TimeoutError:
                data = b""
        return _read(data, str(request["act"]))

    def _send(self, request: Mapping[str, Json], instance: Instance | None = None) -> socket.socket:
        """Send a request; the answer comes over the socket that is returned."""
        if not self._control:
            raise _gone("the broker was not started")
        reply, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, _in_memory(instance) as notebook:
            try:
                message = json.dumps(request).encode()
                socket.send_fds(self._control, [message], [theirs.fileno(), *notebook])
            except OSError:
                reply.close()
                raise _gone("the broker has ended; the server must be started anew") from None
        return reply

    # --- Words and addresses ---

    @property
    def _subfolder(self) -> tuple[str, ...]:
        return tuple(filter(None, self.subfolder.split("/")))

    def _found(self, user: User, target: Target, entry: Json) -> Found:
        if not isinstance(entry, dict):
            raise _nonsense("look")
        seen, provenance, modified = (
            _named(entry, target),
            entry.get("provenance"),
            entry.get("modified"),
        )
        if seen is None or not isinstance(provenance, dict) or not _is_time(modified):
            raise _nonsense("look")
        return Found(seen, provenance, float(modified), url=self._url(user, seen))

    def _place(self, *parts: str) -> str:
        return " / ".join((self.label, *self._subfolder, *parts))

    def _url(self, user: User, target: Target) -> str | None:
        if not self.open_url:
            return None
        path = "/".join((*self._subfolder, target.path))
        before, mark, behind = self.open_url.partition("?")

        def filled(pattern: str, quoted: Callable[[str], str]) -> str:
            return pattern.replace(USERNAME, quoted(user.name)).replace("{path}", quoted(path))

        return filled(before, quote) + mark + filled(behind, lambda text: quote(quote(text)))


def _request(act: str, user: User, target: Target) -> dict[str, Json]:
    return {"act": act, "user": user.name, "folder": [*target.folder], "name": target.name}


@contextmanager
def _in_memory(instance: Instance | None) -> Iterator[list[int]]:
    """The notebook and its data files, one after the other, as a file without a disk, which can be
    handed to another process."""
    if instance is None:
        yield []
        return
    pieces = [*instance.segments, *(beside.data for beside in instance.files)]
    try:
        file = os.memfd_create("notebook")
        try:
            files.write(file, pieces)
            yield [file]
        finally:
            os.close(file)
    except OSError as err:
        raise _gone(f"no memory for a notebook: {os.strerror(err.errno or 0)}") from None


# --- What the broker says: a child of the user's identity may have made it up -------------------

_ERRORS = {
    cls.code: cls
    for cls in (UnacceptableFileName, NoFreeName, StorageFull, StorageUnavailable, SaveUncertain)
}


def _read(data: bytes, act: str) -> dict[str, Json]:
    if not data:
        raise broker.lost(act, "Home folders do not answer.", log="the broker does not answer")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise _nonsense(act) from None
    if not isinstance(found, dict):
        raise _nonsense(act)
    if "error" in found:
        cls = _ERRORS.get(str(found["error"]))
        if cls is None:
            raise _nonsense(act)
        refused = cls(printable(str(found.get("message")), 1000))
        refused.log = printable(str(found.get("log")), 200)
        raise refused
    return found


def _named(answer: Mapping[str, Json], target: Target) -> Target | None:
    """The place that is answered, if it can be one that was asked for."""
    name = answer.get("name")
    return Target(target.folder, name) if isinstance(name, str) and target.in_series(name) else None


def _is_time(value: Json) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 2**40  # not so for NaN


def _nonsense(act: str) -> StorageUnavailable:
    said = "The process that works in your home folder has said something else than was asked."
    return broker.lost(act, said, log="the child answered something else than was asked")


def _gone(log: str) -> StorageUnavailable:
    return StorageUnavailable(
        "Home folders cannot be reached at the moment. Please try again later. Nothing was "
        "created.",
        log=log,
    )


def _not_started(log: str) -> StorageUnavailable:
    return StorageUnavailable("Home folders cannot be reached at the moment.", log=log)
