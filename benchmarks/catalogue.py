"""How fast the catalogue of folders is, and how much memory it takes.

    python benchmarks/catalogue.py [--count 10000]

Every number stands beside a baseline of the same run: ``json.load`` of the same files for the first
index, ``os.walk`` with ``os.stat`` for a rescan without changes. The page cache is warm, and each
measurement has a process of its own. Prints ratios and asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from nbstamp.catalogue.folders import FolderCatalogue
from nbstamp.core.errors import UnknownTemplate
from nbstamp.core.parameters import Limits

MB = 2**20
T = TypeVar("T")


def notebook(size: int, number: int) -> bytes:
    """A notebook of about ``size`` bytes: a heading and code cells of twelve lines."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": [f"# Analysis {number}\n"]}
    ]
    lines = [f"value_{line} = measure({number}, 'channel {line}')\n" for line in range(12)]
    while len(cells) * 670 < size:
        cells.append(
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"c{len(cells)}",
                "metadata": {},
                "outputs": [],
                "source": lines,
            }
        )
    made = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "version": "3.11.0"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(made, indent=1).encode()


def large_notebook(size: int) -> bytes:
    """A notebook whose bytes are in one attachment, so that nothing is cleared from it."""
    made = json.loads(notebook(2000, 0))
    made["cells"][0]["attachments"] = {"a.png": {"image/png": "A" * size}}
    return json.dumps(made, indent=1).encode()


def make(folder: Path, count: int, size: int) -> None:
    """Write ``count`` templates into folders of a hundred."""
    for number in range(count):
        file = folder / f"instrument_{number // 100:03}" / f"Analysis_{number}_{{sample}}.ipynb"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(notebook(size, number))


def catalogue(folder: Path, **traits: Any) -> FolderCatalogue:
    return FolderCatalogue(roots=[folder], limits=Limits(), **traits)


def seconds(job: Callable[[], Any], times: int = 1) -> float:
    """The least time that ``job`` took."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        job()
        best = min(best, time.perf_counter() - began)
    return best


def resident() -> float:
    """Megabytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


def peak() -> float:
    """Megabytes that this process had at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def json_load(folder: Path) -> float:
    def job() -> None:
        for file in folder.rglob("*.ipynb"):
            with file.open("rb") as opened:
                json.load(opened)

    return seconds(job)


def first_index(folder: Path) -> dict[str, float]:
    """The first scan, with someone looking at the list all the time."""
    made = catalogue(folder)
    began, listed = time.perf_counter(), 0.0
    made.start()
    while not (listing := made.listing()).complete:
        if listing.entries and not listed:
            listed = time.perf_counter() - began
        time.sleep(0.05)
    took = time.perf_counter() - began
    made.stop()
    return {"seconds": took, "first listed": listed, "templates": len(listing.entries)}


def walk_and_stat(folder: Path) -> float:
    def job() -> None:
        for where, _, names in os.walk(folder):
            for name in names:
                os.stat(f"{where}/{name}")

    return seconds(job, 7)


def rescan(folder: Path) -> float:
    made = catalogue(folder)
    made.scan()
    return seconds(made.scan, 7)


def misses(folder: Path) -> dict[str, float]:
    """Milliseconds to answer for a template that does not exist."""
    made = catalogue(folder)
    made.scan()

    def ask(path: str) -> None:
        try:
            made.get(path)
        except UnknownTemplate:
            return
        raise AssertionError(path)

    first = seconds(lambda: ask("instrument_001/Analysys_107_{sample}.ipynb"))
    return {
        "first": first * 1000,
        "typing error": 1000 * seconds(lambda: ask("instrument_001/Analysys_107_.ipynb"), 5),
        "3,000 characters": 1000 * seconds(lambda: ask("Analysis_" * 333 + ".ipynb"), 5),
    }


def memory(folder: Path, most: int) -> float:
    """Megabytes that the scanned catalogue holds, with ``most`` bytes of bodies."""
    before = resident()
    made = catalogue(folder, memory=most)
    made.scan()
    made.listing()
    return resident() - before


def lag(folder: Path) -> dict[str, float]:
    """Milliseconds by which an event loop is late beside the first scan and beside rescans."""
    made = catalogue(folder)

    async def late(thread: threading.Thread) -> float:
        delays = []
        thread.start()
        while thread.is_alive():
            began = time.perf_counter()
            await asyncio.sleep(0.002)
            delays.append(time.perf_counter() - began - 0.002)
        return sorted(delays)[int(len(delays) * 0.99)] * 1000

    def rescans() -> None:
        for _ in range(20):
            made.scan()

    return {
        "first scan": asyncio.run(late(threading.Thread(target=made.scan))),
        "rescans": asyncio.run(late(threading.Thread(target=rescans))),
        "idle": asyncio.run(late(threading.Thread(target=time.sleep, args=(1,)))),
    }


def large(folder: Path) -> dict[str, float]:
    """Serve one large template a hundred times, by eight at once."""
    made = catalogue(folder)
    size = (folder / "large.ipynb").stat().st_size / MB
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(str, range(100)))
        before = resident()
        began = time.perf_counter()
        made.get("large.ipynb")
        first = time.perf_counter() - began
        list(pool.map(made.get, ["large.ipynb"] * 100))
        return {
            "size": size,
            "first": first,
            "again": seconds(lambda: made.get("large.ipynb"), 20),
            "grown": resident() - before,
            "peak": peak() - before,
        }


@contextmanager
def fresh_process() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def alone(job: Callable[..., T], *arguments: Any) -> T:
    """Run ``job`` in a process of its own."""
    with fresh_process() as pool:
        return pool.submit(job, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="number of templates")
    parser.add_argument("--size", type=int, default=20_000, help="bytes of each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, large_folder = Path(name, "many"), Path(name, "large")
        folder.mkdir()
        large_folder.mkdir()
        make(folder, options.count, options.size)
        (large_folder / "large.ipynb").write_bytes(large_notebook(50 * MB))
        report(folder, large_folder)


def report(folder: Path, large_folder: Path) -> None:
    total = sum(file.stat().st_size for file in folder.rglob("*.ipynb"))
    baseline, index = alone(json_load, folder), alone(first_index, folder)
    count, took = index["templates"], index["seconds"]
    print(f"{count:,.0f} templates, {total / count:,.0f} bytes each")
    line("first index", took, "s", f"{count / took:,.0f} templates/s")
    line("  first listed after", index["first listed"], "s")
    line("  json.load", baseline, "s", f"{count / baseline:,.0f} templates/s")
    line("  ratio", took / baseline)
    again, plain = alone(rescan, folder), alone(walk_and_stat, folder)
    line("rescan", again, "s")
    line("  os.walk and os.stat", plain, "s")
    line("  ratio", again / plain)
    for what, milliseconds in alone(lag, folder).items():
        line("event loop late by", milliseconds, "ms", f"p99, {what}")
    for what, milliseconds in alone(misses, folder).items():
        line("unknown path", milliseconds, "ms", what)
    for most in (0, 256 * MB):
        beside = f"files {total / MB:.0f} MB, FolderCatalogue.memory {most // MB} MB"
        line("memory", alone(memory, folder, most), "MB", beside)
    served = alone(large, large_folder)
    line("large template", served["size"], "MB")
    line("  first get", served["first"], "s")
    line("  every other get", served["again"] * 1e6, "µs")
    line("  memory", served["grown"], "MB", f"ratio {served['grown'] / served['size']:.2f}")
    line("  memory at most", served["peak"], "MB", f"ratio {served['peak'] / served['size']:.2f}")


def line(what: str, value: float, unit: str = "", more: str = "") -> None:
    print(f"{what:22}{value:10.3f} {unit:3} {more}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
