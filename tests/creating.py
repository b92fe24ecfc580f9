"""A process that saves notebooks, to be killed, starved and watched by the tests.

``python creating.py ROOT ID…`` saves one notebook per creation id with the storage ``folder``, all
at once, and prints ``ID PATH`` or ``ID !CODE LOG`` as soon as each one is answered. With
``--shared`` the storage is ``shared``, and the homes are in ``ROOT``.
``python creating.py --hub API PROXY USER`` does so with the storage ``contents`` for each line
``FOLDER ID…`` that it reads; the token is in the environment.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import os
import platform
import resource
import struct
import sys

from nbstamp.core.errors import TemplatingError
from nbstamp.core.instance import Instance, Origin, stamp
from nbstamp.core.naming import Target
from nbstamp.core.parameters import Parameters
from nbstamp.core.template import index
from nbstamp.core.user import NOBODY, User
from nbstamp.storage.base import Saved, Storage
from nbstamp.storage.contents import ContentsStorage
from nbstamp.storage.folder import FolderStorage
from nbstamp.storage.shared import SharedStorage

CALLS = {
    "x86_64": {"writev": 20, "fsync": 74, "openat": 257, "mkdirat": 258, "linkat": 265},
    "aarch64": {"writev": 66, "fsync": 82, "openat": 56, "mkdirat": 34, "linkat": 37},
}.get(platform.machine(), {})
"""Numbers of the system calls that can be refused here."""


def instance(creation_id: str, size: int = 1000) -> Instance:
    """A notebook of about ``size`` bytes; the same id gives the same bytes."""
    source = f"{creation_id} " * (size // (len(creation_id) + 1))
    cell = {"cell_type": "raw", "metadata": {}, "source": source}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    text = json.dumps(notebook, indent=1)
    origin = Origin("some/template.ipynb", creation_id, "2025-01-01T00:00:00+00:00")
    return stamp(index(text.encode()), Parameters(), origin, None)


def refuse(call: str, error: int, flags: int) -> None:
    """Have the kernel refuse a system call from now on; with ``flags``, only calls of ``openat``
    that have them all."""
    load, equal, bits, answer = 0x20, 0x15, 0x45, 0x06
    matches = [(load, 0, 0, 32), (bits, 0, 1, flags & ~os.O_DIRECTORY)] if flags else []
    program = [
        (load, 0, 0, 0),
        (equal, 0, len(matches) + 1, CALLS[call]),
        *matches,
        (answer, 0, 0, 0x00050000 | error),
        (answer, 0, 0, 0x7FFF0000),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    head = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero) or libc.prctl(22, 2, head, zero, zero):
        raise OSError(ctypes.get_errno(), "the kernel takes no seccomp filter")


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", nargs="?")
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--hub", nargs=3)
    parser.add_argument("--instances", type=int, default=1, help="storages that share the work")
    parser.add_argument("--folder", default="notebooks/sem")
    parser.add_argument("--names", type=int, default=1, help="how many names they share")
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--writes", type=int, default=8)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--file-size", type=int)
    parser.add_argument("--refuse", nargs=3, action="append", default=[])
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--users", default="anna", help="with --shared: they take turns")
    parser.add_argument("--owner", type=int, help="with --shared: the user that owns every home")
    parser.add_argument("--deadline", type=float, default=30)
    return parser


def target(folder: str, creation_id: str, names: int) -> Target:
    """Where the notebook of this creation is wanted; ``names`` files are wanted in all."""
    number = sum(creation_id.encode()) % names
    return Target(tuple(folder.split("/")), f"Analysis {number}.ipynb")


async def create(
    storage: Storage, user: User, folder: str, creation_id: str, given: argparse.Namespace
) -> None:
    wanted = target(folder, creation_id, given.names)
    try:
        outcome = await storage.save(user, wanted, instance(creation_id, given.size))
        answer = outcome.target.path if isinstance(outcome, Saved) else f"!{outcome}"
        if given.shared:
            answer = f"{user.name}/{answer}"
    except TemplatingError as err:
        answer = f"!{err.code} {err.log}"
    os.write(1, f"{creation_id} {answer}\n".encode())


async def main(given: argparse.Namespace) -> None:
    if given.hub is None:
        storage: Storage = FolderStorage(root=given.root, writes=given.writes)
        users = [NOBODY]
        if given.shared:
            storage, users = shared(given), [User(name) for name in given.users.split(",")]
        await asyncio.gather(
            *(
                create(storage, users[number % len(users)], given.folder, one, given)
                for number, one in enumerate(given.ids)
            )
        )
        return
    api_url, proxy_url, name = given.hub
    user = User(name, os.environ["CREATING_TOKEN"])
    storages = [
        ContentsStorage(api_url=api_url, proxy_url=proxy_url, patience=60)
        for _ in range(given.instances)
    ]
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        folder, *ids = line.split()
        await asyncio.gather(
            *(
                create(storages[number % len(storages)], user, folder, one, given)
                for number, one in enumerate(ids)
            )
        )
        os.write(1, b"done\n")


def shared(given: argparse.Namespace) -> SharedStorage:
    storage = SharedStorage(
        home=f"{given.root}/{{username}}" if given.owner else "",
        uid=given.owner,
        gid=given.owner,
        writes=given.writes,
        deadline=given.deadline,
    )
    storage.start()
    return storage


if __name__ == "__main__":
    arguments = options().parse_args()
    if arguments.file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (arguments.file_size, arguments.file_size))
    if arguments.uid is not None:
        os.setgroups([])
        os.setresgid(*[arguments.uid] * 3)
        os.setresuid(*[arguments.uid] * 3)
    for call, error, flags in arguments.refuse:
        refuse(call, int(error), int(flags))
    asyncio.run(main(arguments))
