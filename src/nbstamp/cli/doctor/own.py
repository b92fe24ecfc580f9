"""What is to be seen without asking anybody: keys, templates, the storage's own opinion."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path

from traitlets.config import Config

from nbstamp.app import PREFIX, ConfigurationError, Ready, Server
from nbstamp.catalogue.folders import FolderCatalogue
from nbstamp.cli.doctor.results import Result, fine, unseen, wrong
from nbstamp.core.user import User
from nbstamp.identity.jupyterhub import JupyterHubIdentity
from nbstamp.storage.base import Storage
from nbstamp.storage.shared import SharedStorage


def stand_in(config: Config) -> Config:
    """``config`` with a secret if it names none: none is made on the side, perhaps by somebody who
    is not the server's user."""
    server = Server(config=config)
    if server.secrets:
        return config
    merged = deepcopy(config)
    merged.Server.secrets = own_secret(server) or [secrets.token_hex(32)]
    return merged


def own_secret(server: Server) -> list[str]:
    """The secret that the server has made for itself, if it can be read."""
    try:
        return _secret_file(server).read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


def _secret_file(server: Server) -> Path:
    return Path(server.state_dir) / "secret"


def keys(config: Config, ready: Ready, files: Iterable[Path]) -> Iterator[Result]:
    """The secrets, and the files that hold them or the hub's token."""
    named = Server(config=config).secrets
    if isinstance(ready.identity, JupyterHubIdentity) and ready.identity.api_token in named:
        yield wrong(
            "keys",
            "the hub's token is also a secret in Server.secrets. It changes when the hub starts a "
            "service anew, and open pages could no longer be used",
            'c.Server.secrets = ["<output of: openssl rand -hex 32>"]',
        )
    holders = [Path(value) for name, value in os.environ.items() if _names_a_file(name)]
    if named or "api_token" in config.get("JupyterHubIdentity", {}):
        holders += files
    if not named and _secret_file(ready.server).exists():
        holders.append(_secret_file(ready.server))
    exposed = [holder for holder in holders if _world_can_read(holder)]
    for holder in exposed:
        yield wrong("keys", f"everybody on this machine can read {holder}", f"chmod o= {holder}")
    if exposed:
        return
    if named:
        count = f"{len(named)} secrets" if len(named) > 1 else "one secret"
        yield fine("keys", f"{count} in the configuration")
    else:
        made = "is" if own_secret(ready.server) else "will be, at the first start,"
        yield fine(
            "keys",
            f"the secret {made} in {_secret_file(ready.server)}. Several replicas would need "
            "Server.secrets",
        )


def _names_a_file(variable: str) -> bool:
    return variable.startswith(PREFIX) and variable.endswith("_FILE")


def _world_can_read(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def templates(ready: Ready) -> Iterator[Result]:
    """The catalogue, with the reason for each template that cannot be used."""
    for folder in ready.server.templates:
        if not Path(folder).is_dir():
            change = 'c.Server.templates = ["/srv/templates"]'
            yield wrong("templates", f"there is no folder {folder}", change)
    if isinstance(ready.catalogue, FolderCatalogue):
        ready.catalogue.scan()
    entries = ready.catalogue.listing().entries
    for entry in entries:
        if entry.broken:
            yield wrong("templates", f"{entry.path} cannot be used: {entry.broken}")
    usable = [entry for entry in entries if not entry.broken]
    if usable:
        yield fine("templates", f"{len(usable)} can be used")
    elif not entries:
        yield wrong("templates", f"there are none (*.ipynb) in {', '.join(ready.server.templates)}")


def storage(ready: Ready, users: Sequence[str]) -> Iterator[Result]:
    """What the storage says about itself, and about saving for some of its users."""
    try:
        with ready.started() as problems:
            for problem in problems:
                yield wrong("storage", problem)
            if not problems:
                yield fine("storage", f"{ready.server.storage}, with nothing against it")
                yield from _homes(ready.storage, users)
    except ConfigurationError as err:
        yield wrong("storage", str(err))


def _homes(storage: Storage, users: Sequence[str]) -> Iterator[Result]:
    if not isinstance(storage, SharedStorage):
        return
    if not users:
        yield unseen("homes", "name an ordinary account to try it", "nbstamp doctor --user NAME")
    for name in users:
        problems = storage.problems_for(User(name))
        for problem in problems:
            yield wrong("homes", problem)
        if not problems:
            yield fine("homes", f"a notebook can be saved for {name}")
