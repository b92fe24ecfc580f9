"""Durable creations per second of the storage ``shared``, against ``folder`` and a plain write.

All three write the same notebooks under names of their own and answer after they are on disk
(fsync of file and folder), for the same number of clients, in turns. ``shared`` makes a process of
the user's identity for each one; ``plain`` is a thread that opens, writes and flushes. To be run as
root.

    python benchmarks/shared.py [--seconds 4] [--rounds 3] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nbstamp.core.instance import Instance, Origin, stamp
from nbstamp.core.naming import Target
from nbstamp.core.parameters import Parameters
from nbstamp.core.template import Template, index
from nbstamp.core.user import User
from nbstamp.storage.folder import FolderStorage
from nbstamp.storage.shared import SharedStorage

CLIENTS = 8
OWNER = 23001
SIZES = {"10 kB": 10_000, "1 MB": 1_000_000}
Save = Callable[[Target, Instance], Awaitable[object]]


def template(size: int) -> Template:
    """A template of about ``size`` bytes."""
    line = "A line of text as a template may have it, neither short nor long.\n"
    cell = {"cell_type": "markdown", "metadata": {}, "source": [line] * (size // (len(line) + 8))}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    return index(json.dumps(notebook, indent=1).encode())


def plain(root: Path, threads: ThreadPoolExecutor) -> Save:
    """What the simplest program would do that also keeps what it wrote."""

    def write(target: Target, instance: Instance) -> None:
        with (root / target.name).open("wb") as file:
            file.write(bytes(instance))
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(root, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    async def save(target: Target, instance: Instance) -> None:
        await asyncio.get_running_loop().run_in_executor(threads, write, target, instance)

    return save


async def creations(save: Save, made: Template, seconds: float, label: str) -> list[float]:
    """The times of all creations that ``CLIENTS`` clients got in this time."""
    times: list[float] = []
    numbers = itertools.count()
    end = time.monotonic() + seconds

    async def client() -> None:
        while (began := time.monotonic()) < end:
            number = f"{label}-{next(numbers)}"
            origin = Origin("some/template.ipynb", number, "2025-01-01T00:00:00+00:00")
            notebook = stamp(made, Parameters(), origin, None)
            await save(Target((), f"Benchmark {number}.ipynb"), notebook)
            times.append(time.monotonic() - began)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return times


async def measure(base: Path, seconds: float, rounds: int) -> None:
    homes = {name: base / name for name in ("shared", "folder", "plain")}
    for home in homes.values():
        home.mkdir()
    os.chown(homes["shared"], OWNER, OWNER)
    shared = SharedStorage(home=f"{base}/{{username}}", uid=OWNER, gid=OWNER)
    folder = FolderStorage(root=str(homes["folder"]))
    user = User("shared")
    shared.start()
    try:
        with ThreadPoolExecutor(CLIENTS) as threads:
            saves: dict[str, Save] = {
                "shared": lambda target, instance: shared.save(user, target, instance),
                "folder": lambda target, instance: folder.save(user, target, instance),
                "plain": plain(homes["plain"], threads),
            }
            for size, length in SIZES.items():
                made = template(length)
                rates: dict[str, list[float]] = {name: [] for name in saves}
                times: dict[str, list[float]] = {name: [] for name in saves}
                for number in range(rounds):
                    for name, save in saves.items():
                        found = await creations(save, made, seconds, f"{length}-{number}")
                        rates[name].append(len(found) / seconds)
                        times[name] += found
                for name, found in times.items():
                    found.sort()
                    print(
                        f"{size:>6} {name:>7}: {statistics.median(rates[name]):5.0f} a second, "
                        f"p50 {found[len(found) // 2] * 1000:4.0f} ms, "
                        f"p99 {found[len(found) * 99 // 100] * 1000:4.0f} ms"
                    )
    finally:
        shared.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="per storage, size and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where notebooks are written")
    options = parser.parse_args()
    if os.getuid() != 0:
        print("benchmarks/shared.py needs root, to become a user; nothing was measured")
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        Path(name).chmod(0o755)
        print(f"Durable creations, {CLIENTS} clients, notebooks in {name}:")
        asyncio.run(measure(Path(name), options.seconds, options.rounds))


if __name__ == "__main__":
    main()
