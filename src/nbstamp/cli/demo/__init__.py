"""``nbstamp demo``: the whole system on this machine, with a small portal and example templates."""

from __future__ import annotations

import json
import logging
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import NoReturn

import click
import uvicorn
from starlette.types import ASGIApp
from traitlets.config import Config

from nbstamp.app import build
from nbstamp.cli.demo import hub
from nbstamp.cli.demo.portal import portal
from nbstamp.cli.failures import FINDING, USAGE, fail
from nbstamp.cli.serve import address, listen, log_to, run
from nbstamp.web.protocol import settings

SERVER, PORTAL = 8803, 8804
"""Ports, where they are free."""
FOLDER = Path("nbstamp-demo")


@click.command()
@click.option(
    "--storage",
    type=click.Choice(["contents", "folder", "download"]),
    help="Where notebooks go: contents (a JupyterHub, where each user has a Jupyter server), "
    "folder, download.  [default: contents where JupyterHub is installed, else download]",
)
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    default=FOLDER,
    help="Folder for everything that is kept: the homes of the users, or the notebooks.  "
    f"[default: {FOLDER}]",
)
@click.option("--port", type=int, help=f"Port of the server.  [default: {SERVER}, or a free one]")
@click.option("--portal-port", type=int, help=f"Port of the portal.  [default: {PORTAL}, or …]")
def demo(storage: str | None, save: Path, port: int | None, portal_port: int | None) -> None:
    """The main job on this machine: open the portal, and make a notebook from an object.

    The portal is reached as localhost and the server as 127.0.0.1: two sites for a browser, as
    in real life. Without JupyterHub (pip install 'nbstamp[demo]') notebooks are downloads.
    """
    lacking = hub.missing()
    if storage == "contents" and lacking:
        need = ", ".join(lacking)
        fail(f"Python packages are missing ({need}): pip install 'nbstamp[demo]'", USAGE)
    storage = storage or ("download" if lacking else "contents")
    log_to(sys.stderr)
    logging.getLogger().setLevel(logging.WARNING)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    with listen("127.0.0.1", free(PORTAL) if portal_port is None else portal_port) as for_portal:
        origin = f"http://localhost:{for_portal.getsockname()[1]}"
        try:
            if storage == "contents":
                _with_hub(for_portal, origin, save.resolve(), port)
            else:
                _alone(for_portal, origin, save.resolve() if storage == "folder" else None, port)
        except KeyboardInterrupt:
            click.echo()
        except OSError as err:
            fail(f"{err.filename or save}: {err.strerror or err}", FINDING)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


# --- With a JupyterHub ----------------------------------------------------------------------------


def _with_hub(for_portal: socket.socket, origin: str, folder: Path, port: int | None) -> None:
    port = free(SERVER) if port is None else port
    ports = hub.Ports(public=port or free(0), hub=free(0), proxy_api=free(0), service=free(0))
    where = hub.address(ports)
    password = secrets.token_hex(6)
    serve = arguments(origin)
    click.echo("Starting a JupyterHub …")
    try:
        with (
            beside(portal(where.rstrip("/")), for_portal),
            hub.running(ports, folder=folder, password=password, service=serve) as process,
        ):
            users = " or ".join(hub.USERS)
            click.echo(f"\n  Open  {origin}/\n")
            click.echo(f"An example portal. Its notebooks come from {where}")
            click.echo(f"and go to Jupyter, where you are {users} with the password {password}")
            click.echo(f"Files are in {folder}. Stop with Ctrl+C.")
            process.wait()
            fail(f"the JupyterHub has ended; its log is {folder / 'jupyterhub.log'}", FINDING)
    except hub.HubFailed as err:
        fail(str(err), FINDING)


def arguments(portal_origin: str) -> list[str]:
    """Of ``nbstamp serve``; the hub tells it the rest."""
    named = json.dumps({portal_origin: {"name": "Example Portal"}})
    return [
        f"--templates={TEMPLATES}",
        "--identity=jupyterhub",
        "--storage=contents",
        "--Server.name=Example notebooks",
        f"--Server.portals={named}",
    ]


# --- Without --------------------------------------------------------------------------------------


def _alone(for_portal: socket.socket, origin: str, save: Path | None, port: int | None) -> None:
    with listen("127.0.0.1", free(SERVER) if port is None else port) as for_server:
        ready = build(configuration(origin, save))
        where = address(ready, for_server)
        with beside(portal(where.rstrip("/")), for_portal):
            click.echo(f"\n  Open  {origin}/\n")
            click.echo(f"An example portal. Its notebooks come from {where}")
            click.echo(f"Saved in {save}. " if save else "", nl=False)
            click.echo("Stop with Ctrl+C.")
            run(ready, for_server)


def configuration(portal_origin: str, save: Path | None) -> Config:
    """The server's configuration, as an administrator would write it in a file."""
    c = Config()
    c.Server.templates = [TEMPLATES]
    c.Server.secrets = [secrets.token_hex(32)]
    c.Server.name = "Example notebooks"
    c.Server.portals = {portal_origin: {"name": "Example Portal"}}
    if save:
        save.mkdir(parents=True, exist_ok=True)
        c.Server.storage = "folder"
        c.FolderStorage.root = str(save)
    return c


TEMPLATES = str(files("nbstamp.cli.demo").joinpath("templates"))


# --- What both need -------------------------------------------------------------------------------


@contextmanager
def beside(app: ASGIApp, listening: socket.socket) -> Iterator[None]:
    """Serve ``app`` in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, **settings()))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        # it imports what another server of this process needs, too: interrupted while both do,
        # neither would ever get to an end
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()


def free(port: int) -> int:
    """``port``, or 0 when it is taken; for 0 a port that nobody listens on at this moment."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return 0
        return int(attempt.getsockname()[1])
