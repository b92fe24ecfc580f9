"""``nbstamp demo``: a small portal and the server on this machine, with example templates."""

from __future__ import annotations

import logging
import secrets
import socket
import sys
import threading
from importlib.resources import files
from pathlib import Path

import click
import uvicorn
from traitlets.config import Config

from nbstamp.app import build
from nbstamp.cli.demo.portal import portal
from nbstamp.cli.serve import address, listen, log_to, run
from nbstamp.web.protocol import settings

SERVER, PORTAL = 8803, 8804
"""Ports, where they are free."""


@click.command()
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Save notebooks in this folder instead of handing them out as downloads.",
)
@click.option("--port", type=int, help=f"Port of the server.  [default: {SERVER}, or a free one]")
@click.option("--portal-port", type=int, help=f"Port of the portal.  [default: {PORTAL}, or …]")
def demo(save: Path | None, port: int | None, portal_port: int | None) -> None:
    """The main job on this machine: open the portal, and make a notebook from an object.

    The portal is reached as localhost and the server as 127.0.0.1: two sites for a browser, as
    in real life.
    """
    log_to(sys.stderr)
    logging.getLogger().setLevel(logging.WARNING)
    with (
        listen("127.0.0.1", free(SERVER) if port is None else port) as for_server,
        listen("127.0.0.1", free(PORTAL) if portal_port is None else portal_port) as for_portal,
    ):
        origin = f"http://localhost:{for_portal.getsockname()[1]}"
        ready = build(configuration(origin, save))
        example = portal(address(ready, for_server).rstrip("/"))
        beside = uvicorn.Server(uvicorn.Config(example, **settings()))
        thread = threading.Thread(target=beside.run, kwargs={"sockets": [for_portal]})
        thread.start()
        click.echo(f"\n  Open  {origin}/\n")
        click.echo(f"An example portal. Its notebooks come from {address(ready, for_server)}")
        click.echo(f"Saved in {save.resolve()}. " if save else "", nl=False)
        click.echo("Stop with Ctrl+C.")
        try:
            run(ready, for_server)
        finally:
            beside.should_exit = True
            thread.join()


def configuration(portal_origin: str, save: Path | None) -> Config:
    """The server's configuration, as an administrator would write it in a file."""
    c = Config()
    c.Server.templates = [str(files("nbstamp.cli.demo").joinpath("templates"))]
    c.Server.secrets = [secrets.token_hex(32)]
    c.Server.name = "Example notebooks"
    c.Server.portals = {portal_origin: {"name": "Example Portal"}}
    if save:
        save.mkdir(parents=True, exist_ok=True)
        c.Server.storage = "folder"
        c.FolderStorage.root = str(save.resolve())
    return c


def free(port: int) -> int:
    """``port``, or 0 for any when it is taken."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
