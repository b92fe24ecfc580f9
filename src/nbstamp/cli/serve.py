"""``nbstamp serve``: the server, until it is told to stop."""

from __future__ import annotations

import logging
import socket
import sys
import time
from pathlib import Path
from typing import TextIO

import click
import uvicorn

from nbstamp import __version__
from nbstamp.app import ConfigurationError, Ready, build
from nbstamp.cli import options
from nbstamp.cli.failures import FINDING, USAGE, fail
from nbstamp.web.protocol import settings

log = logging.getLogger("nbstamp")


@click.command(context_settings={"ignore_unknown_options": True})
@options.config_file
@click.option(
    "--templates",
    multiple=True,
    metavar="DIR",
    help="Folder with templates; can be given several times.",
)
@click.option("--ip", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.  [default: 8803]")
@click.option("--base-url", metavar="PATH", help="Path to serve under.  [default: /templates/]")
@click.option(
    "--storage", help="Where notebooks go: download, folder, contents, shared, or your own."
)
@click.option("--identity", help="Who is asking: nobody, jupyterhub, proxy, or one of your own.")
@options.others
def serve(
    file: Path | None,
    templates: tuple[str, ...],
    ip: str | None,
    port: int | None,
    base_url: str | None,
    storage: str | None,
    identity: str | None,
    others: tuple[str, ...],
) -> None:
    """Serve templates to a data portal's users.

    Every option of the configuration can be given as --Class.option=value, too; "nbstamp config"
    lists them.
    """
    given = {
        "templates": templates,
        "ip": ip,
        "port": port,
        "base_url": base_url,
        "storage": storage,
        "identity": identity,
    }
    try:
        ready = build(options.read(file, given, others))
    except ConfigurationError as err:
        fail(str(err), USAGE)
    log_to(sys.stderr)
    with listen(ready.server.ip, ready.server.port) as listening:
        try:
            with ready.started() as problems:
                ready.give_up_rights()
                for problem in problems:
                    log.warning("not ready: %s", problem)
                log.info("nbstamp %s serves at %s", __version__, address(ready, listening))
                run(ready, listening)
        except ConfigurationError as err:
            fail(str(err), USAGE)


def log_to(stream: TextIO) -> None:
    """Send the log to ``stream``, one line per event with its time."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    # a line names neither thread nor process nor place, so no record needs to ask for them
    logging._srcfile = None  # as the manual has it, “Optimization”
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for chatty in ("httpx2", "httpcore2", "uvicorn.error", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class OneLine(logging.Formatter):
    """Escapes what could forge a line or steer a terminal."""

    _second = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        second, text = self._second
        if second != (now := int(record.created)):
            text = time.strftime(self.default_time_format, self.converter(now))
            self._second = (now, text)
        return f"{text},{record.msecs:03.0f}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        line = super().formatMessage(record)
        if line.isprintable():
            return line
        return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)


def listen(ip: str, port: int) -> socket.socket:
    """A listening socket; ends the program when there is none to be had."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            ip or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(1024)
    except OSError as err:
        fail(f"cannot listen on {ip} port {port}: {err.strerror or err}", FINDING)
    return listening


def address(ready: Ready, listening: socket.socket) -> str:
    """The address to open in a browser on this machine."""
    host, port = listening.getsockname()[:2]
    return at(host, port, ready.base_url)


def at(host: str, port: int, path: str) -> str:
    """The address of a server on this machine that listens on ``host``."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{path}"


def run(ready: Ready, listening: socket.socket) -> None:
    """Serve until a signal says stop."""
    ready.catalogue.start()
    try:
        uvicorn.Server(uvicorn.Config(ready.app, **settings())).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        ready.catalogue.stop()
