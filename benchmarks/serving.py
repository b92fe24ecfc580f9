"""Durable creations per second over HTTP on one core, against a minimal Flask application.

Both get the same request (template, parameters), make the same notebook, write it under a name of
its own, and answer after it is on disk (fsync of file and folder). A third one shows what there is
to win: a bare program on the HTTP server of nbstamp that reads the JSON, checks nothing, looks at
no template, and saves as nbstamp does. All run on one core of their own, in turns; the clients run
on the other cores.

    python benchmarks/serving.py [--seconds 8] [--folder DIR]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from operator import truediv
from pathlib import Path

CLIENTS = 8
ROUNDS = 8
"""Turns of each server; the ratio is the median of theirs, because machines have moods."""
CORE = min(os.sched_getaffinity(0))
"""The core that the servers share."""
FLASK = """
import json, os, uuid
from flask import Flask, request
TEMPLATES, ROOT = os.environ["TEMPLATES"], os.environ["ROOT"]
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = None

@app.post("/create")
def create():
    asked = request.get_json()
    with open(os.path.join(TEMPLATES, asked["template"])) as file:
        notebook = json.load(file)
    source = "".join(f"{name} = {value!r}\\n" for name, value in asked["parameters"].items())
    cell = {"cell_type": "code", "execution_count": None, "id": uuid.uuid4().hex[:8],
            "metadata": {}, "outputs": [], "source": source}
    notebook["cells"].insert(1, cell)
    path = os.path.join(ROOT, uuid.uuid4().hex + ".ipynb")
    with open(path, "w") as file:
        json.dump(notebook, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(ROOT, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return {"path": path}
"""


BARE = """
import asyncio, json, os, pathlib, sys, uuid
from concurrent.futures import ThreadPoolExecutor
import uvicorn
from nbstamp.core.naming import Target
from nbstamp.storage import files
from nbstamp.web.protocol import settings
root = os.open(os.environ["ROOT"], os.O_RDONLY)
[template] = map(pathlib.Path.read_bytes, pathlib.Path(os.environ["TEMPLATES"]).iterdir())
half, threads = len(template) // 2, ThreadPoolExecutor(32)

async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    cell = json.dumps(json.loads(body)["parameters"]).encode()
    number = uuid.uuid4().hex
    made = (memoryview(template)[:half], cell, memoryview(template)[half:])
    target = Target((), number + ".ipynb")
    await asyncio.get_running_loop().run_in_executor(
        threads, files.save, root, target, made, number)
    answer = json.dumps({"path": target.path}).encode()
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

uvicorn.run(app, port=int(sys.argv[1]), **settings())
"""


def notebook(size: int) -> str:
    """A notebook of about ``size`` bytes: text and code in many cells."""
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["# Benchmark"]}
    ]
    line = "result = analyse(measurement, temperature=21.5, label='µm')  # a line of code\n"
    while len(cells) * 1_000 < size:
        cells.append(
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{len(cells)}",
                "metadata": {},
                "outputs": [],
                "source": [line] * 9,
            }
        )
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, indent=1, ensure_ascii=False)


PARAMETERS = {
    "object_id": 42,
    "sample_name": "Fe3O4 nanoparticles",
    "temperature": 21.5,
    "created": "2026-11-22 13:45:01",
    "operator": {"en": "Anna", "de": "Anna"},
    "energies": [i / 10 for i in range(50)],
    "calibrated": True,
    "remark": None,
}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def started(command: list[str], environment: dict[str, str], port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    name = " ".join(command[1:3])
    os.sched_setaffinity(process.pid, {CORE})
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(
                f"{name} ended at once; “tools/setup benchmark” installs what it needs"
            )
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.05)
    raise SystemExit(f"{name} did not start")


def nbstamp(templates: Path, root: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    command = [sys.executable, "-m", "nbstamp", "serve", f"--port={port}"]
    command += [f"--templates={templates}", "--storage=folder", f"--FolderStorage.root={root}"]
    return started(command, {"XDG_STATE_HOME": str(root.parent)}, port), port


def flask(templates: Path, root: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    module = root.parent / "minimal.py"
    module.write_text(FLASK)
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "gthread", "--threads", str(CLIENTS), "--chdir"]
    command += [str(root.parent), "minimal:app"]
    return started(command, {"TEMPLATES": str(templates), "ROOT": str(root)}, port), port


def bare(templates: Path, root: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    command = [sys.executable, "-c", BARE, str(port)]
    return started(command, {"TEMPLATES": str(templates), "ROOT": str(root)}, port), port


def creations(port: int, path: str, template: str, seconds: float) -> float:
    """Creations per second of ``CLIENTS`` connections."""
    done = [0] * CLIENTS
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        count = 0
        while time.monotonic() < end:
            parameters = PARAMETERS | {"number": f"{number}-{count}-{time.monotonic_ns()}"}
            body = json.dumps({"template": template, "parameters": parameters})
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise SystemExit(f"{answer.status}: {text[:300]!r}")
            count += 1
        done[number] = count
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - began)


def memory(process: subprocess.Popen[bytes]) -> float:
    """Peak resident memory of a process and its children, in MB."""
    total = 0.0
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    for pid in [str(process.pid), *found.stdout.split()]:
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024
    return total


def measure(folder: Path, seconds: float) -> None:
    sizes = {"10 kB": 10_000, "100 kB": 100_000, "1 MB": 1_000_000}
    servers: dict[str, tuple[Callable[[Path, Path], tuple[subprocess.Popen[bytes], int]], str]] = {
        "nbstamp": (nbstamp, "/templates/api/v1/notebooks"),
        "Flask": (flask, "/create"),
        "bare": (bare, "/"),
    }
    print(f"{'template':>8}  {'nbstamp':>10}  {'Flask':>10}  {'bare':>10}   to Flask  peak memory")
    # removed at the very end: ext4 is slow for a minute after many files were deleted
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        for label, size in sizes.items():
            base = Path(directory) / str(size)
            (base / "templates").mkdir(parents=True)
            name = "Benchmark_{number}.ipynb"
            (base / "templates" / name).write_text(notebook(size), encoding="utf-8")
            rates: dict[str, list[float]] = {key: [] for key in servers}
            peak: dict[str, float] = {}
            running = {}
            try:
                for key, (start, _) in servers.items():
                    (base / key / "root").mkdir(parents=True)
                    running[key] = start(base / "templates", base / key / "root")
                for _ in range(ROUNDS):
                    for key, (_, path) in servers.items():
                        rates[key].append(creations(running[key][1], path, name, seconds / ROUNDS))
                for key, (process, _) in running.items():
                    peak[key] = memory(process)
            finally:
                for process, _ in running.values():
                    process.terminate()
                    process.wait(20)
            ours, theirs, most = (statistics.median(rates[key]) for key in servers)
            print(
                f"{label:>8}  {ours:>8.0f}/s  {theirs:>8.0f}/s  {most:>8.0f}/s   "
                f"{statistics.median(map(truediv, rates['nbstamp'], rates['Flask'])):>7.2f}x  "
                f"{peak['nbstamp']:.0f} MB against {peak['Flask']:.0f} MB"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="per server and size")
    parser.add_argument("--folder", type=Path, help="where notebooks are written")
    options = parser.parse_args()
    os.sched_setaffinity(0, os.sched_getaffinity(0) - {CORE} or {CORE})
    places = [options.folder] if options.folder else [Path(tempfile.gettempdir())]
    if not options.folder and Path("/dev/shm").is_dir():
        places.append(Path("/dev/shm"))
    for place in places:
        print(f"\nDurable creations per second, {CLIENTS} clients, notebooks in {place}:")
        measure(place, options.seconds)


if __name__ == "__main__":
    main()
