"""A JupyterHub on this machine with nbstamp as its service, as an administrator would set it up.

Knows what is in its configuration; everything runs as the user who started it, on loopback.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from traitlets.config import Config

NEEDED = ("jupyterhub", "jupyterlab", "ipykernel", "configurable_http_proxy", "httpx2", "psutil")
"""Packages of the extra “demo”."""
SERVICE = "templates"
USERS = ("anna", "ben")
_PROXY = "from configurable_http_proxy.cli import main; main()"
PATIENCE = 120
"""Seconds that everything may take to start on a busy machine."""


class HubFailed(Exception):
    """The hub did not start, or ended; the text says where to look."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All on 127.0.0.1."""

    public: int
    """The proxy: what browsers see."""
    hub: int
    proxy_api: int
    service: int


def missing() -> Sequence[str]:
    """The packages that are needed and not installed."""
    return [package for package in NEEDED if importlib.util.find_spec(package) is None]


def configuration(
    ports: Ports, *, homes: Path, scratch: Path, password: str, service: Sequence[str]
) -> Config:
    """``jupyterhub_config.py``; ``service`` are arguments of ``nbstamp serve``."""
    c = Config()
    c.JupyterHub.bind_url = f"http://127.0.0.1:{ports.public}/"
    c.JupyterHub.public_url = c.JupyterHub.bind_url  # where nbstamp reaches the users' servers, too
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{ports.hub}"
    c.JupyterHub.db_url = "sqlite:///:memory:"
    c.JupyterHub.cookie_secret_file = str(scratch / "cookie_secret")
    # without a limit of its own, which would cut off the hub's page for a slow start after 20 s
    c.ConfigurableHTTPProxy.command = [sys.executable, "-c", _PROXY, "--proxy-timeout=0"]
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports.proxy_api}"
    c.ConfigurableHTTPProxy.pid_file = str(scratch / "proxy.pid")

    c.JupyterHub.authenticator_class = "shared-password"
    c.SharedPasswordAuthenticator.user_password = password
    c.Authenticator.allowed_users = list(USERS)
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.home_dir_template = str(homes / "{username}")
    c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
    c.Spawner.args = ["--allow-root"] if os.getuid() == 0 else []
    c.Spawner.start_timeout = c.Spawner.http_timeout = PATIENCE

    c.JupyterHub.services = [
        {
            "name": SERVICE,
            "url": f"http://127.0.0.1:{ports.service}",
            "command": [sys.executable, "-m", "nbstamp", "serve", *service],
            "cwd": str(scratch),
            "oauth_no_confirm": True,
            "oauth_client_allowed_scopes": ["access:servers!user", "read:servers!user"],
        }
    ]
    c.JupyterHub.load_roles = [
        {"name": "user", "scopes": ["self", f"access:services!service={SERVICE}"]}
    ]
    return c


@contextmanager
def running(
    ports: Ports, *, folder: Path, password: str, service: Sequence[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the hub with everything that it starts; all of it has ended afterwards. The homes of its
    users and its log stay in ``folder``.

    Raises :class:`HubFailed`.
    """
    homes, log = folder / "home", folder / "jupyterhub.log"
    homes.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="nbstamp-demo-") as scratch, log.open("wb") as output:
        own = [f"--Server.state_dir={scratch}/state", *service]
        config = configuration(
            ports, homes=homes, scratch=Path(scratch), password=password, service=own
        )
        file = Path(scratch) / "jupyterhub_config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(config), encoding="utf-8")
        hub = subprocess.Popen(  # noqa: S603 - nothing in it comes from anybody else
            [sys.executable, "-m", "jupyterhub", "-f", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=scratch,
            env=clean(os.environ),
            start_new_session=True,  # Ctrl+C is for us; the hub then stops in its own order
        )
        try:
            _wait(hub, f"{address(ports)}healthz", log)
            yield hub
        finally:
            _end(hub)


def _end(hub: subprocess.Popen[Any]) -> None:
    """Ask the hub to stop with all that it has started; what is left after a while is killed."""
    import psutil

    try:
        started = psutil.Process(hub.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    hub.terminate()
    try:
        hub.wait(30)
    except subprocess.TimeoutExpired:
        hub.kill()
        hub.wait()
    _, left = psutil.wait_procs(started, timeout=3)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def address(ports: Ports) -> str:
    """Where nbstamp is for browsers."""
    return f"http://127.0.0.1:{ports.public}/services/{SERVICE}/"


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` without what could reconfigure a hub, a server or nbstamp."""
    ours = ("NBSTAMP__", "JUPYTER", "JPY_", "CONFIGPROXY_")
    return {name: value for name, value in environment.items() if not name.startswith(ours)}


def _wait(hub: subprocess.Popen[Any], url: str, log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and hub.poll() is None:
        try:
            with direct.open(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise HubFailed(f"the JupyterHub did not start; its log is {log}")
