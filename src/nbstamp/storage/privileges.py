"""What a process may do, and how it gives that up for good.

Knows the calls of Linux for identities and capabilities; nothing of homes or notebooks. What was
given up is looked at afterwards, and what is still there is an error: a process that is not what it
should be must not go on.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

KILL, SETGID, SETUID, SETPCAP = 5, 6, 7, 8
"""Numbers of capabilities (capabilities(7))."""


class RightsLeft(RuntimeError):
    """This process can do more than it should; the text says what."""


class Rights(NamedTuple):
    """What the kernel says about a process."""

    uids: frozenset[int]
    """Real, effective, saved and file system."""
    gids: frozenset[int]
    groups: frozenset[int]
    capabilities: int
    """Those that it has or could get without a new program: inheritable, permitted, effective and
    ambient, as bits."""
    effective: int
    bounding: int
    """Those that a new program could give it."""
    no_new_privileges: bool

    def can(self, capability: int) -> bool:
        """True when the process can use this capability now."""
        return bool(self.effective >> capability & 1)


def rights(process: int | str = "self") -> Rights:
    """What the kernel says about this process, or another one."""
    file = os.open(f"/proc/{process}/status", os.O_RDONLY)
    try:
        lines = dict(_LINE.findall(os.read(file, 1 << 20)))
    finally:
        os.close(file)

    def numbers(name: bytes) -> frozenset[int]:
        return frozenset(map(int, lines[name].split()))

    def bits(name: bytes) -> int:
        return int(lines[name], 16)

    return Rights(
        uids=numbers(b"Uid"),
        gids=numbers(b"Gid"),
        groups=numbers(b"Groups"),
        capabilities=bits(b"CapInh") | bits(b"CapPrm") | bits(b"CapEff") | bits(b"CapAmb"),
        effective=bits(b"CapEff"),
        bounding=bits(b"CapBnd"),
        no_new_privileges=int(lines[b"NoNewPrivs"]) == 1,
    )


_LINE = re.compile(rb"^(Uid|Gid|Groups|Cap...|NoNewPrivs):(.*)$", re.MULTILINE)


def reduce_to(*capabilities: int) -> Rights:
    """Keep no capability but those of ``capabilities`` that this process has, and return what it
    can do now. Its user stays."""
    wanted = sum(1 << each for each in capabilities)
    has = rights()
    if has.can(SETPCAP):
        _shrink_bounding_set(has.bounding & ~wanted)
    _set_capabilities(has.effective & wanted)
    _seal()
    now = rights()
    if now.capabilities & ~wanted:
        raise RightsLeft(f"it keeps the capabilities {now.capabilities & ~wanted:x}")
    return now


def become(uid: int, gid: int, groups: Sequence[int], has: Rights | None = None) -> None:
    """Be this user from now on, with no capability and no way to another user.

    ``has``: what this process can do, if the caller knows. Raises :class:`OSError` when it may not
    become the user, and :class:`RightsLeft` when anything is left; in both cases it must end.
    """
    has = has or rights()
    if has.can(SETPCAP):
        _shrink_bounding_set(has.bounding)
    # what is so already needs no right; whether it is so is looked at below in any case
    if has.groups != set(groups):
        os.setgroups(groups)
    if has.gids != {gid}:
        os.setresgid(gid, gid, gid)
    if has.uids != {uid}:
        os.setresuid(uid, uid, uid)
    _set_capabilities(0)
    _seal()
    _prove(uid, gid, frozenset(groups))


def _prove(uid: int, gid: int, groups: frozenset[int]) -> None:
    now = rights()
    wrong = []
    if now.uids != {uid} or now.gids != {gid} or now.groups != groups:
        wrong.append("it has another identity")
    if now.capabilities:
        wrong.append(f"it has the capabilities {now.capabilities:x}")
    if not now.no_new_privileges:
        wrong.append("a new program could get new rights")
    if uid == 0 or gid == 0:
        wrong.append("it is root")
    ways_back: list[Callable[[], None]] = [
        lambda: os.setresuid(0, 0, 0),
        lambda: os.setresgid(0, 0, 0),
        lambda: os.setgroups([0]),
    ]
    if not wrong and not all(map(_is_refused, ways_back)):
        wrong.append("it could become root again")
    if wrong:
        raise RightsLeft(" and ".join(wrong))


def _is_refused(call: Callable[[], None]) -> bool:
    try:
        call()
    except PermissionError:
        return True
    except OSError as err:
        return err.errno == errno.EINVAL  # no such user in this user namespace
    return False


# --- Calls that Python does not have ------------------------------------------------------------

_SET_DUMPABLE = 4
_CAPBSET_DROP = 24
_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> int:
    zero = ctypes.c_ulong(0)
    found: int = _libc().prctl(option, ctypes.c_ulong(value), zero, zero, zero)
    if found < 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")
    return found


def _shrink_bounding_set(unwanted: int) -> None:
    for capability in range(unwanted.bit_length()):
        if unwanted >> capability & 1:
            _prctl(_CAPBSET_DROP, capability)


def _set_capabilities(wanted: int) -> None:
    """Have these, not to be inherited; ambient ones go with that."""
    low, high = wanted & 0xFFFFFFFF, wanted >> 32
    head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    if _libc().capset(head, data):
        raise OSError(ctypes.get_errno(), "capset")


def _seal() -> None:
    """No new rights by running a program, and nobody of the same user looks into this process."""
    _prctl(_SET_NO_NEW_PRIVS, 1)
    _prctl(_SET_DUMPABLE, 0)
