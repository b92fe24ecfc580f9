"""The process that lets others act in users' names: one short-lived child for each act.

Knows how to become a user and how to give up on a child; what is saved where is in
:mod:`nbstamp.storage.files`, and nothing here knows the web. It imports little, opens no user's
file itself, and waits for no child: the owner of a home can stop a child, and a dead file server
can hold it for ever (facts/security.md section 2).

``python -m nbstamp.storage.broker DESCRIPTOR RULES`` is started by
:class:`~nbstamp.storage.shared.SharedStorage`. It gets requests over a socket. Each request is one
JSON object, comes with the socket for its one answer, and, when there is something to save, with
the notebook in memory. It ends when nobody holds the other end of the first socket any more.
"""

from __future__ import annotations

import errno
import gc
import json
import mmap
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple, NoReturn

from nbstamp.core.errors import SaveUncertain, StorageUnavailable, TemplatingError
from nbstamp.core.naming import Target
from nbstamp.storage import files, privileges
from nbstamp.storage.accounts import Account, Accounts, check_name

LARGEST = 128 * 1024
"""Bytes of one message."""
PROVENANCE = 4096
"""Bytes of one notebook's provenance in an answer; what is larger was not written by nbstamp."""
TOTAL = 256
"""Children at the same time, those that do not end among them."""
NEEDED = (privileges.SETUID, privileges.SETGID)
WANTED = (*NEEDED, privileges.SETPCAP, privileges.KILL)
"""``SETPCAP`` makes a child's rights fewer still, ``KILL`` ends those that do not answer."""


class Rules(NamedTuple):
    """What the administrator decided; no request can change it."""

    accounts: Accounts
    subfolder: tuple[str, ...] = ()
    """Below the home; everything goes into it."""
    umask: int = 0o077
    deadline: float = 10
    """Seconds for one act."""
    writes: int = 8
    """Acts at the same time for one user, those that do not end among them."""

    def dumps(self) -> str:
        """The same as text."""
        return json.dumps(self)

    @classmethod
    def loads(cls, text: str) -> Rules:
        """The rules that :meth:`dumps` wrote."""
        accounts, subfolder, *others = json.loads(text)
        return cls(Accounts(*accounts), tuple(subfolder), *others)


def main(arguments: Sequence[str]) -> None:
    """Serve requests until the other end is closed. The first message says that it can, or what
    stands against it."""
    with socket.socket(fileno=int(arguments[0])) as control:
        rules = Rules.loads(arguments[1])
        # a signal for the whole service is the web process's to obey; this one ends after it
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        try:
            has = _prepare(rules)
        except (OSError, privileges.RightsLeft) as err:
            control.send(_message({"problem": str(err)}))
            return
        control.send(_message({"ready": True}))
        _rehearse()
        gc.freeze()  # children need not copy what they never change
        Broker(control, rules, has).run()


def _prepare(rules: Rules) -> privileges.Rights:
    """Keep only the rights that are needed, try whether they are enough, and return them."""
    accounts = rules.accounts
    now = privileges.reduce_to(*WANTED)
    same = now.uids == {accounts.uid} and now.gids == {accounts.gid} and not now.groups
    if not same and not all(map(now.can, NEEDED)):
        raise PermissionError(
            "it has no right to become another user: start it as root, or with the capabilities "
            "CAP_SETUID and CAP_SETGID"
        )
    uid = accounts.uid if accounts.uid is not None else max(1, accounts.minimum_uid)
    gid = accounts.gid if accounts.gid is not None else uid
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _end(writing, lambda: _tried(uid, gid, now), rules.deadline)
    os.close(writing)
    with open(reading, "rb") as pipe:
        problem = json.loads(pipe.read() or '"it ended"')
    os.waitpid(child, 0)
    if problem:
        raise PermissionError(f"it cannot become the user {uid}: {problem}")
    return now


def _tried(uid: int, gid: int, has: privileges.Rights) -> str:
    try:
        privileges.become(uid, gid, (), has)
    except (OSError, privileges.RightsLeft) as err:
        return str(err)
    return ""


def _rehearse() -> None:
    """Do to a folder of nobody what the children will do to their users'.

    Code that has run some times is faster, and a child in which it runs for the first time writes
    into memory that it then has to copy. What goes wrong here goes wrong nowhere else.
    """
    request = {"act": "save", "folder": [], "creation_id": "0" * 32, "beside": []}
    place = f"/dev/shm/.nbstamp-{os.getpid()}-{os.urandom(16).hex()}"  # noqa: S108 - not to be guessed
    nobody = Account(os.geteuid(), os.getegid(), (), place)
    with suppress(OSError, TemplatingError), ExitStack() as stack:
        os.mkdir(place, 0o700)
        stack.callback(os.rmdir, place)
        notebook = os.memfd_create("rehearsal")
        stack.callback(os.close, notebook)
        os.write(notebook, b"{}")
        for number in range(_REHEARSALS):
            privileges.reduce_to(*WANTED)
            message = _message(request | {"name": f"{number}.ipynb"})
            with _home(nobody) as home:
                answer = _in_home(home, json.loads(message), (), notebook)
                os.unlink(answer["name"], dir_fd=home)
            _message(answer)


_REHEARSALS = 20
"""CPython 3.11 makes the fast variant of a function at its eighth call, and of an instruction in it
some calls later."""


def _message(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


# --- The broker ---------------------------------------------------------------------------------


class _Act:
    """A child and who waits for it."""

    def __init__(
        self, kind: str, user: str, child: int, said: int, reply: socket.socket, deadline: float
    ) -> None:
        self.kind = kind
        """What was asked for."""
        self.user = user
        self.child = child
        self.said = said
        """Where it says what came of it."""
        self.reply = reply
        self.deadline = deadline
        self.words = bytearray()
        self.ended = False
        """Its number is nobody's now, or soon: it has closed its end, which it does by ending."""


class Broker:
    """Takes requests, starts children, and passes on what they say; waits for none of them."""

    def __init__(self, control: socket.socket, rules: Rules, has: privileges.Rights) -> None:
        self._control = control
        self._rules = rules
        self._has = has
        self._acts: dict[int, _Act] = {}
        self._ready = selectors.DefaultSelector()
        self._ready.register(control, selectors.EVENT_READ)
        self._open = True

    def run(self) -> None:
        """Serve until the other end of the socket is closed."""
        while self._open:
            for key, _ in self._ready.select(self._patience()):
                if key.data is None:
                    self._take()
                else:
                    self._listen(key.data)
            self._give_up()
            self._reap()

    def _patience(self) -> float | None:
        waiting = [act.deadline for act in self._acts.values() if act.said >= 0]
        if waiting:
            return max(0, min(waiting) - time.monotonic())
        return 1 if self._acts else None

    def _take(self) -> None:
        """Take one request."""
        data, descriptors, _, _ = socket.recv_fds(self._control, LARGEST, 2)
        if not data:
            self._open = False
            return
        if not descriptors:
            return  # nobody waits for an answer
        reply, notebook = socket.socket(fileno=descriptors[0]), descriptors[1:]
        try:
            request = json.loads(data)
            if request["act"] == "ping":
                _answer(reply, b"{}")
            else:
                self._admit(user := str(request["user"]))
                self._start(user, request, notebook, reply)
        except TemplatingError as err:
            _answer(reply, _said(err))
        finally:
            for descriptor in notebook:
                os.close(descriptor)

    def _admit(self, user: str) -> None:
        """Raise :class:`StorageUnavailable` when no child may be made for this user."""
        check_name(user)
        self._reap()
        running = sum(act.user == user and not act.ended for act in self._acts.values())
        if running >= self._rules.writes:
            raise StorageUnavailable(
                "Your home folder has not answered several times. Please try again later, or ask "
                "the administrator of this server. Nothing was created.",
                log=f"{running} children for this user have not ended",
            )
        if len(self._acts) >= TOTAL:
            raise _busy(f"{TOTAL} children have not ended")

    def _start(
        self, user: str, request: Any, notebook: Sequence[int], reply: socket.socket
    ) -> None:
        seconds = self._rules.deadline
        reading, writing = os.pipe()
        try:
            child = os.fork()
        except OSError as err:
            os.close(reading)
            raise _busy(f"no child: {os.strerror(err.errno or 0)}") from None
        else:
            if not child:
                _end(
                    writing,
                    lambda: _act(request, self._rules, self._has, *notebook),
                    seconds,
                    notebook,
                )
        finally:
            os.close(writing)
        act = _Act(request["act"], user, child, reading, reply, time.monotonic() + seconds)
        self._acts[child] = act
        self._ready.register(reading, selectors.EVENT_READ, act)

    def _listen(self, act: _Act) -> None:
        """Hear what a child says; pass it on when it has ended."""
        data = os.read(act.said, LARGEST)
        act.words += data
        if data and len(act.words) <= LARGEST:
            return
        if act.words.endswith(b"\n") and len(act.words) <= LARGEST:
            answer = bytes(act.words)
        else:
            ended = "The process that works in your home folder was ended before it was done."
            answer = _said(lost(act.kind, ended, log="the child ended without an answer"))
        act.ended |= not data
        self._forget(act, answer)

    def _give_up(self) -> None:
        """Answer for the children that did not."""
        now = time.monotonic()
        for act in self._acts.values():
            if act.deadline <= now and act.said >= 0:
                seconds = f"{self._rules.deadline:g} seconds"
                late = f"Your home folder has not answered for {seconds}."
                log = f"the child has not answered for {seconds}"
                self._forget(act, _said(lost(act.kind, late, log=log)))

    def _forget(self, act: _Act, answer: bytes) -> None:
        """Answer for a child, and wait for nothing more from it but its end."""
        self._ready.unregister(act.said)
        os.close(act.said)
        act.said = -1
        _answer(act.reply, answer)
        if not act.ended:
            with suppress(OSError):  # without CAP_KILL it has to end by itself
                os.kill(act.child, signal.SIGKILL)

    def _reap(self) -> None:
        while self._acts:
            child, _ = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            self._acts.pop(child).ended = True


def _answer(reply: socket.socket, answer: bytes) -> None:
    with reply, suppress(OSError):  # nobody may wait for it any more
        reply.send(answer, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def lost(act: str, what: str, *, log: str) -> StorageUnavailable:
    """The error for an act of which nothing more is heard; ``what`` is a sentence for the user."""
    if act != "save":
        return StorageUnavailable(f"{what} Nothing was created.", log=log)
    return SaveUncertain(
        f"{what} It is not certain whether the notebook was saved. Please try again; no second one "
        "will be made.",
        log=log,
    )


def _busy(log: str) -> StorageUnavailable:
    return StorageUnavailable(
        "Too many notebooks are being saved at the moment. Please try again in a minute. Nothing "
        "was created.",
        log=log,
    )


def _said(err: TemplatingError) -> bytes:
    return _message({"error": err.code, "message": err.message, "log": err.log})


# --- The child ----------------------------------------------------------------------------------


def _end(
    said: int, work: Callable[[], object], seconds: float, notebook: Sequence[int] = ()
) -> NoReturn:
    """What a child does from the fork to its end; never returns."""
    status = 1
    try:
        # for a broker that may not end it; where it may, its answer comes first
        signal.setitimer(signal.ITIMER_REAL, seconds + 2)
        gc.disable()
        _close_all_but(said, *notebook)
        try:
            answer = _message(work())
        except TemplatingError as err:
            answer = _said(err)
        except Exception as err:
            failed = StorageUnavailable(
                "The process that works in your home folder has failed. Please ask the "
                "administrator of this server.",
                log=f"{type(err).__name__} in the child",  # its text may name a file
            )
            answer = _said(failed)
        left = memoryview(answer + b"\n")
        while left:
            left = left[os.write(said, left) :]
        status = 0
    finally:
        os._exit(status)


def _close_all_but(*kept: int) -> None:
    os.dup2(0, 2)
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, _MOST)


_MOST = os.sysconf("SC_OPEN_MAX")


def _act(
    request: Mapping[str, Any],
    rules: Rules,
    has: privileges.Rights,
    notebook: int | None = None,
) -> dict[str, Any]:
    """Be the user, and do what was asked in their home."""
    account = rules.accounts.find(request["user"])
    try:
        privileges.become(account.uid, account.gid, account.groups, has)
    except (OSError, privileges.RightsLeft) as err:
        raise StorageUnavailable(
            "This server cannot act for your account. Please ask its administrator. Nothing was "
            "created.",
            log=f"cannot become the user: {err}",
        ) from None
    os.umask(rules.umask)
    with _home(account) as home:
        return _in_home(home, request, rules.subfolder, notebook)


def _in_home(
    home: int, request: Mapping[str, Any], subfolder: Sequence[str], notebook: int | None
) -> dict[str, Any]:
    if request["act"] == "probe":
        files.probe(home, subfolder)
        return {}
    target = Target((*subfolder, *request["folder"]), request["name"])
    if notebook is None:
        taken, seen = files.look(home, target, list)
        return {"taken": taken, "seen": list(filter(None, map(_found, seen)))}
    content = memoryview(mmap.mmap(notebook, 0, prot=mmap.PROT_READ))
    at = len(content) - sum(size for _, size in request["beside"])
    segments, beside = [content[:at]], []
    for name, size in request["beside"]:
        beside.append((name, content[at : at + size]))
        at += size
    written = files.save(home, target, segments, request["creation_id"], beside=beside)
    return {"name": written.target.name, "existed": written.existed}


def _found(seen: files.Seen) -> dict[str, Any] | None:
    if len(json.dumps(seen.provenance)) > PROVENANCE:
        return None
    return {
        "name": seen.target.name,
        "provenance": seen.provenance,
        "modified": seen.modified,
    }


@contextmanager
def _home(account: Account) -> Iterator[int]:
    try:
        home = os.open(account.home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as err:
        reason = os.strerror(err.errno or 0)
        raise StorageUnavailable(
            f"Your home folder cannot be opened ({reason}). Nothing was created.",
            log=f"{errno.errorcode.get(err.errno or 0, 'an error')} while opening the home",
        ) from None
    try:
        if os.fstat(home).st_uid != account.uid:
            raise StorageUnavailable(
                "Your home folder belongs to another account. Please ask the administrator of "
                "this server. Nothing was created.",
                log="the home belongs to another account",
            )
        yield home
    finally:
        os.close(home)


if __name__ == "__main__":
    main(sys.argv[1:])
