"""What the tests of storages share: what may stand in the way, and processes that are watched."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import creating
from creating import instance
from nbstamp.core.naming import Target
from support import missing_tool


def tree(root: Path) -> list[str]:
    """Everything below ``root``, hidden or not."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


# --- What may stand at the name -----------------------------------------------------------------


def symlink(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def dangling_symlink(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("nowhere.ipynb"))


def symlink_to_a_folder(path: Path, victim: Path) -> None:
    path.symlink_to(victim.parent)


def hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def folder(path: Path, victim: Path) -> None:
    path.mkdir()


def pipe(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path, victim: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def empty_file(path: Path, victim: Path) -> None:
    path.touch()


Obstacle = Callable[[Path, Path], None]
AT_THE_NAME = [
    symlink,
    dangling_symlink,
    symlink_to_a_folder,
    hard_link,
    folder,
    pipe,
    unix_socket,
    empty_file,
]

IN_THE_FOLDER = [symlink, dangling_symlink, symlink_to_a_folder, pipe, empty_file]


# --- Processes ----------------------------------------------------------------------------------

PROGRAM = [sys.executable, creating.__file__]
NO_UNNAMED = ("--refuse", "openat", str(errno.EOPNOTSUPP), str(os.O_TMPFILE))
needs_seccomp = pytest.mark.skipif(
    not creating.CALLS, reason="numbers of the system calls of this machine are not known here"
)


def create(root: Path, *arguments: str, before: tuple[str, ...] = ()) -> dict[str, str]:
    """Run the program; what it answered for each creation id."""
    done = subprocess.run(
        [*before, *PROGRAM, str(root), *arguments], stdout=subprocess.PIPE, check=True, timeout=120
    )
    return answers(done.stdout)


def answers(output: bytes) -> dict[str, str]:
    # a process that was killed may have left half a line
    lines = [line for line in output.decode().splitlines(keepends=True) if line.endswith("\n")]
    pairs = [line.strip().split(" ", 1) for line in lines]
    return dict(pairs)


def strace(*options: str) -> tuple[str, ...]:
    if not shutil.which("strace"):
        missing_tool("strace")
    return ("strace", "-f", *options)


SIZE = 200_000
EDITED = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def storm(
    root: Path, creations: int, *arguments: str, home: str = "", seed: int = 1
) -> tuple[int, int]:
    """Have a process save notebooks below ``root``, and kill it and its children again and again
    until every creation was answered; half of the kills are aimed at a new name. Asserts that
    everything that was answered exists, complete and once, that edited notebooks stay, and that
    nothing else is there. Returns the number of kills and of hidden files that are left.
    """
    ids = [f"number-{number:04}" for number in range(creations)]
    folder = root / home / "notebooks" / "sem"
    edited = [Target((), f"Analysis {number}.ipynb").numbered(3).name for number in range(10)]
    for name in edited:
        (folder / name).write_text(EDITED)
    chance = random.Random(seed)
    answered: dict[str, str] = {}
    kills = 0
    while missing := [creation_id for creation_id in ids if creation_id not in answered]:
        process = subprocess.Popen(
            [*PROGRAM, root, *missing, "--names=10", f"--size={SIZE}", *arguments],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        output = b""
        for _ in range(chance.randint(1, 50)):
            output += process.stdout.readline()
        if chance.random() < 0.5:
            wait_for_a_new_name(folder, process)
        else:
            time.sleep(chance.uniform(0, 0.01))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        output += process.stdout.read()
        process.stdout.close()
        kills += process.wait() == -signal.SIGKILL
        answered |= answers(output)
    made = {path.name: path.read_bytes() for path in folder.glob("[!.]*")}
    for name in edited:
        assert made.pop(name) == EDITED.encode()
    # exactly one complete notebook for every creation, where the answer said
    where = folder.relative_to(root)
    assert {f"{where}/{name}" for name in made} == set(answered.values())
    for creation_id, path in answered.items():
        assert made[Path(path).name] == bytes(instance(creation_id, SIZE))
    left = [path.name for path in folder.glob(".*")]
    assert all(re.fullmatch(r"\.nbstamp-[0-9a-f]{32}\.tmp", name) for name in left)
    return kills, len(left)


def wait_for_a_new_name(folder: Path, process: subprocess.Popen[bytes]) -> None:
    before = len(os.listdir(folder))
    while len(os.listdir(folder)) == before and process.poll() is None:
        pass
