"""Stamping a template to a plain file, against the cheapest thing there is and the usual ones.

    python benchmarks/stamping.py [--folder DIR] [--sizes 10_000,1_000_000]

Every notebook is written to a new file without fsync, all in this one process:

copy        ``shutil.copyfile`` of a file with the same bytes as the finished notebook
nbstamp     ``stamp`` of an indexed template, and the segments written
papermill   ``parameterize_notebook`` of a loaded notebook, as papermill does it, and its write
json        load, insert a cell, dump with the json module, as the simplest server would

The first two take turns, and the ratio to the copy is the median of the ratios of the turns,
because machines have moods. The second table says what a template costs once, when it is read.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import shutil
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
from papermill.iorw import load_notebook_node, write_ipynb
from papermill.parameterize import parameterize_notebook

from nbstamp.core.forms import read_form
from nbstamp.core.instance import Instance, Origin, stamp
from nbstamp.core.languages.python import Python
from nbstamp.core.parameters import Limits, read_parameters
from nbstamp.core.template import Template, index

SIZES = (10_000, 100_000, 1_000_000, 10_000_000, 50_000_000)
PYTHON = Python()
CLICK = Path(__file__).parents[1] / "tests/captures/web_form_object.json"
"""What SampleDB sent for an ordinary object: seven parameters."""
PARAMETERS = read_parameters(
    read_form(json.loads(CLICK.read_text())["body"].encode())["params"], limits=Limits()
)
ORIGIN = Origin("sem/fit.ipynb", "0123abcd", "2026-11-22T13:45:01+00:00", object_id=42)


def notebook(size: int) -> bytes:
    """An ordinary notebook of about ``size`` bytes: text, code, and pictures in Markdown."""
    cells: list[dict[str, Any]] = []
    line = "result = analyse(measurement, temperature=21.5, label='µm')  # a line of code\n"
    picture = "iVBORw0KGgo" * 1000
    written = 0
    while written < size:
        number = len(cells)
        cell: dict[str, Any] = {"id": f"cell-{number}", "metadata": {}, "source": [line] * 9}
        if number % 10 == 0:
            cell |= {"cell_type": "markdown", "source": [f"## Step {number}\n"]}
            if size > 50_000 and number % 100 == 0:
                cell["attachments"] = {"setup.png": {"image/png": picture}}
        else:
            cell |= {"cell_type": "code", "execution_count": None, "outputs": []}
        cells.append(cell)
        written += len(json.dumps(cell, indent=1))
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True).encode()  # as Jupyter


def write(instance: Instance, path: Path) -> None:
    """Write the segments to a new file."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        left = instance.size
        left -= os.writev(file, instance.segments)
        if left:
            raise OSError("the file was not written in one piece")
    finally:
        os.close(file)


def with_nbstamp(template: Template, path: Path) -> None:
    write(stamp(template, PARAMETERS, ORIGIN, PYTHON), path)


def with_papermill(loaded: Any, path: Path) -> None:
    write_ipynb(parameterize_notebook(loaded, dict(PARAMETERS)), str(path))


def with_json(template: Path, path: Path) -> None:
    with template.open(encoding="utf-8") as file:
        made = json.load(file)
    source = "".join(f"{name} = {value!r}\n" for name, value in PARAMETERS.items())
    cell = {"cell_type": "code", "execution_count": None, "id": "12345678"}
    made["cells"].insert(1, cell | {"metadata": {}, "outputs": [], "source": source})
    with path.open("w", encoding="utf-8") as file:
        json.dump(made, file, indent=1)


def seconds(job: Callable[[], Any]) -> float:
    """What one run of ``job`` takes."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def peak(job: Callable[[], Any]) -> int:
    """Bytes that Python allocates at most while ``job`` runs."""
    gc.collect()
    tracemalloc.start()
    job()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def measure(size: int, folder: Path) -> None:
    """One line of each table."""
    data = notebook(size)
    template = folder / "template.ipynb"
    template.write_bytes(data)
    indexed = index(data)
    loaded = load_notebook_node(str(template))
    logging.getLogger("papermill").setLevel(logging.ERROR)  # it misses a cell with defaults
    same = folder / "same.ipynb"
    with_nbstamp(indexed, same)
    nbformat.validate(nbformat.read(same, as_version=4))
    out = folder / "made.ipynb"

    jobs: dict[str, Callable[[], Any]] = {
        "copy": lambda: shutil.copyfile(same, out),
        "nbstamp": lambda: with_nbstamp(indexed, out),
        "papermill": lambda: with_papermill(loaded, out),
        "json": lambda: with_json(template, out),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}

    def turns(names: Sequence[str], *, least: int, time_for: float) -> None:
        end = time.perf_counter() + time_for
        while time.perf_counter() < end or len(times[names[0]]) < least:
            for name in names:
                out.unlink(missing_ok=True)  # the file is new each time, for everybody
                times[name].append(seconds(jobs[name]))

    # first the two that are alike: the others leave memory and caches in another state
    turns(["copy", "nbstamp"], least=15, time_for=3)
    turns(["papermill", "json"], least=3, time_for=1)
    typical = {name: statistics.median(found) for name, found in times.items()}
    ratio = statistics.median(
        ours / copied for ours, copied in zip(times["nbstamp"], times["copy"], strict=True)
    )
    print(
        f"{len(data):>12,}  {typical['copy'] * 1e3:>9.3f}  {typical['nbstamp'] * 1e3:>9.3f}  "
        f"{typical['papermill'] * 1e3:>10.2f}  {typical['json'] * 1e3:>10.2f}  "
        f"{ratio:>9.2f}  {typical['papermill'] / typical['nbstamp']:>9.1f}x  "
        f"{typical['json'] / typical['nbstamp']:>7.1f}x",
        flush=True,
    )
    ONCE.append(
        f"{len(data):>12,}  {min(seconds(lambda: index(data)) for _ in range(5)) * 1e3:>10.2f}  "
        f"{min(seconds(lambda: json.loads(data)) for _ in range(5)) * 1e3:>10.2f}  "
        f"{peak(lambda: index(data)) / 1e6:>10.2f}  "
        f"{peak(jobs['nbstamp']) / 1e6:>10.2f}  {peak(jobs['json']) / 1e6:>10.2f}"
    )


ONCE: list[str] = []
"""Lines of the second table."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where files are written")
    parser.add_argument("--sizes", help="bytes of the templates, with commas in between")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")] if options.sizes else SIZES
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        print(f"Milliseconds for one notebook, in {name}:")
        print(
            f"{'bytes':>12}  {'copy':>9}  {'nbstamp':>9}  {'papermill':>10}  {'json':>10}  "
            f"{'to copy':>9}  {'papermill':>10}  {'json':>8}"
        )
        for size in sizes:
            measure(size, Path(name))
    print("\nOnce per template (ms), and memory at most (MB):")
    heads = ("index", "json.loads", "index", "nbstamp", "json")
    print(f"{'bytes':>12}  " + "  ".join(f"{head:>10}" for head in heads))
    print("\n".join(ONCE))


if __name__ == "__main__":
    main()
