"""Real JupyterHubs on loopback, with their proxy, users, servers of users, and services.

A test asks for the fixture ``launch_hub`` (in ``conftest.py``) and starts what it needs; everything
stops with the test, and every log is in the folder of the fixture ``logs``::

    def test_something(launch_hub: LaunchHub, launch: Launch, templates: Path) -> None:
        # nbstamp as a service that the hub starts itself, below /services/templates/
        hub = launch_hub("managed", services=[managed(f"--templates={templates}")])
        # nbstamp started by the test, behind the hub's proxy at the same address
        hub = launch_hub("external", services=[external := external_service()])
        site = launch("external", environment=hub.environment(external), port=external.port)

For a module or a session, the context manager :func:`running_hub` does the same. ``version="5"`` is
the oldest JupyterHub 5 that is supported, ``proxy="python"`` the proxy in pure Python; the default
is the newest hub with the npm proxy, whose limits on headers are real. ``config`` are more lines of
``jupyterhub_config.py``.

    hub.start_server("anna")            # and wait until it is ready; hub.stop_server("anna")
    hub.token("anna", ["access:servers!user"])          # a token of that user
    hub.home("anna")                    # where her server keeps her files
    hub.sign_in(client, "anna")         # as a browser would: the hub's cookies in an HTTP client
    hub.frozen()                        # a hub that takes connections and does not answer
    hub.restart(), hub.stop(), hub.start()              # tokens and users are kept
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx2
import psutil

from support import TOKENS, Form, Site, forms, missing_tool, start

PASSWORD = "only for these tests"
SCOPES = ["access:servers!user", "read:servers!user"]
"""What nbstamp may do with a user's token."""


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class HubService:
    """nbstamp as the hub knows it."""

    port: int
    settings: Mapping[str, Any]
    """As in ``c.JupyterHub.services``."""

    @property
    def name(self) -> str:
        return str(self.settings["name"])


def managed(
    *arguments: str, name: str = "templates", environment: Mapping[str, str] | None = None
) -> HubService:
    """nbstamp as a service that the hub starts and watches; its identity is ``jupyterhub``."""
    port = free_port()
    command = [sys.executable, "-m", "nbstamp", "serve", *arguments]
    return HubService(
        port,
        {
            "name": name,
            "url": f"http://127.0.0.1:{port}",
            "command": command,
            "environment": dict(environment or {}),
            "oauth_no_confirm": True,
            "oauth_client_allowed_scopes": SCOPES,
        },
    )


def external_service(name: str = "templates", *, port: int = 0, **settings: Any) -> HubService:
    """nbstamp that is started by the test. ``settings`` replace those that make it reachable
    through the hub's proxy, for example ``url=None, oauth_redirect_uri="http://…/oauth_callback"``.
    """
    port = port or free_port()
    token = secrets.token_hex(32)
    TOKENS.add(token)
    known = {
        "name": name,
        "url": f"http://127.0.0.1:{port}",
        "api_token": token,
        "oauth_client_id": f"service-{name}",
        "oauth_redirect_uri": f"/services/{name}/oauth_callback",
        "oauth_no_confirm": True,
        "oauth_client_allowed_scopes": SCOPES,
    }
    return HubService(port, {key: v for key, v in (known | settings).items() if v is not None})


@dataclass
class Hub:
    """A JupyterHub of a test."""

    name: str
    folder: Path
    """Its database, its configuration and the homes of its users."""
    log: Path
    base_url: str
    port: int
    api_port: int
    bin: Path
    """Where its Python and its single-user server are."""
    admin: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    """Token of a service that may do everything with users, servers and tokens."""
    process: subprocess.Popen[bytes] | None = None
    before: Sequence[str] = ()
    """Words in front of its command."""
    domain: str = ""
    """Its host name when users and services have names of their own below it; only browsers
    resolve them."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Behind its proxy, as browsers see it, with the base path and a slash at the end."""
        return self.origin + self.base_url

    @property
    def api_url(self) -> str:
        """The hub's API, without the proxy."""
        return f"http://127.0.0.1:{self.api_port}{self.base_url}hub/api"

    def service_url(self, service: HubService | str) -> str:
        """Where a service is behind the hub's proxy."""
        name = service if isinstance(service, str) else service.name
        host = f"http://{name}--service.{self.domain}:{self.port}" if self.domain else self.origin
        return f"{host}{self.base_url}services/{name}/"

    def environment(self, service: HubService) -> dict[str, str]:
        """What an external service must be told, as variables of the environment."""
        return {
            "NBSTAMP__SERVER__IDENTITY": "jupyterhub",
            "NBSTAMP__SERVER__BASE_URL": f"{self.base_url}services/{service.name}/",
            "NBSTAMP__JUPYTERHUBIDENTITY__API_URL": self.api_url,
            "NBSTAMP__JUPYTERHUBIDENTITY__API_TOKEN": str(service.settings["api_token"]),
            "NBSTAMP__JUPYTERHUBIDENTITY__CLIENT_ID": str(service.settings["oauth_client_id"]),
            "NBSTAMP__JUPYTERHUBIDENTITY__HUB_URL": f"{self.base_url}hub/",
        }

    def home(self, user: str) -> Path:
        """Where the server of ``user`` keeps files."""
        return self.folder / "home" / user

    # --- The hub itself -------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers through its proxy."""
        python = self.bin / "python"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("NBSTAMP__", "JUPYTER"))}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *self.before,
                    python,
                    "-m",
                    "jupyterhub",
                    "-f",
                    str(self.folder / "jupyterhub_config.py"),
                ],
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=clean | {"PATH": f"{self.bin}{os.pathsep}{clean.get('PATH', '')}"},
            )
        self._wait(lambda: self._answers(f"{self.api_url}/"), "the hub does not answer")
        self._wait(lambda: self._answers(f"{self.url}hub/api/"), "its proxy does not answer")

    def stop(self) -> None:
        """Stop it with its proxy, its services and the servers of its users."""
        if self.process is None:
            return
        children = _children(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        _, alive = psutil.wait_procs(children, timeout=5)
        for child in alive:
            child.kill()
        psutil.wait_procs(alive, timeout=5)
        self.process = None

    def restart(self) -> None:
        """Stop and start; users, tokens and cookies stay."""
        self.stop()
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """A hub that takes connections and does not answer; its proxy goes on."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def wait_for_service(self, service: HubService | str) -> str:
        """Wait until a service answers through the proxy; returns its address."""
        url = self.service_url(service)
        self._wait(lambda: self._answers(f"{url}healthz"), f"{url} does not answer")
        return url

    def _answers(self, url: str) -> bool:
        asked = httpx2.URL(url)
        here, headers = asked.copy_with(host="127.0.0.1"), {"Host": asked.netloc.decode()}
        try:
            answer = httpx2.get(here, headers=headers, timeout=5, trust_env=False)
            return answer.status_code == 200
        except httpx2.HTTPError:
            return False

    def _wait(self, done: Callable[[], bool], otherwise: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            if done():
                return
            time.sleep(0.2)
        raise AssertionError(f"{otherwise}: {self.log.read_text()[-5000:]}")

    # --- Users and their servers ----------------------------------------------------------------

    def api(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Ask the hub's API with the rights of an administrator."""
        headers = {"Authorization": f"token {self.admin}"}
        url = self.api_url + path
        return httpx2.request(method, url, headers=headers, timeout=60, trust_env=False, **options)

    def token(self, user: str, scopes: Sequence[str] | None = None) -> str:
        """A new token of ``user``, with all of the user's rights or only ``scopes``."""
        body = {} if scopes is None else {"scopes": list(scopes)}
        answer = self.api("POST", f"/users/{quote(user, safe='')}/tokens", json=body)
        assert answer.status_code == 201, answer.text
        token = str(answer.json()["token"])
        TOKENS.add(token)
        return token

    def ready(self, user: str, server: str = "") -> bool:
        """Whether the server of ``user`` can be used."""
        found = self.api("GET", f"/users/{quote(user, safe='')}?include_stopped_servers=1").json()
        return bool(found.get("servers", {}).get(server, {}).get("ready"))

    def start_server(self, user: str, server: str = "") -> None:
        """Start the server of ``user`` and wait until it is ready."""
        answer = self.api("POST", self._server(user, server))
        assert answer.status_code in (201, 202), answer.text
        self._wait(lambda: self.ready(user, server), f"the server of {user} does not start")

    def stop_server(self, user: str, server: str = "") -> None:
        """Stop the server of ``user`` and wait until it is gone."""
        answer = self.api("DELETE", self._server(user, server))
        assert answer.status_code in (202, 204), answer.text
        self._wait(
            lambda: (
                not self.api("GET", f"/users/{quote(user, safe='')}").json()["servers"].get(server)
            ),
            f"the server of {user} does not stop",
        )

    def _server(self, user: str, server: str) -> str:
        path = f"/users/{quote(user, safe='')}"
        return f"{path}/servers/{quote(server, safe='')}" if server else f"{path}/server"

    def sign_in(self, client: httpx2.Client, user: str, page: str = "") -> httpx2.Response:
        """Sign ``user`` in as a browser would, at the hub's own page or at ``page``, which leads
        there; follows redirects to where the hub sends the browser."""
        page = page or f"{self.url}hub/login?next={quote(self.base_url + 'hub/home')}"
        shown = client.get(page, follow_redirects=True)
        form = next(form for form in forms(shown.text) if "username" in form.fields)
        fields = form.fields | {"username": user, "password": PASSWORD}
        return client.post(urljoin(str(shown.url), form.action), data=fields, follow_redirects=True)


LaunchHub = Callable[..., Hub]
"""The fixture ``launch_hub``: starts a hub of the test's own."""


@contextmanager
def running_hub(
    name: str,
    *,
    folder: Path,
    logs: Path,
    version: str = "6",
    proxy: str = "npm",
    base_url: str = "/",
    users: Sequence[str] = ("anna", "ben"),
    services: Sequence[HubService] = (),
    scopes: Sequence[str] | None = None,
    config: str = "",
    before: Sequence[str] = (),
    domain: str = "",
) -> Iterator[Hub]:
    """Run a hub.

    ``version`` is ``6`` or ``5``, ``proxy`` is ``npm`` or ``python``. ``scopes`` are those of an
    ordinary user; by default they may use every service in ``services``. ``config`` are more lines
    of ``jupyterhub_config.py``, which come last. With a ``domain``, users and services have host
    names of their own below it.
    """
    hub = Hub(
        name=name,
        folder=folder,
        log=logs / f"{name}.hub.log",
        base_url=base_url,
        port=free_port(),
        api_port=free_port(),
        bin=_programs(version),
        before=before,
        domain=domain,
    )
    TOKENS.add(hub.admin)
    if scopes is None:
        scopes = ["self", *(f"access:services!service={service.name}" for service in services)]
    known = [{"name": "administrator", "api_token": hub.admin}]
    known += [
        _logging(service.settings, logs / f"{name}-{service.name}.log", folder)
        for service in services
    ]
    roles = [
        {"name": "user", "scopes": list(scopes)},
        {
            "name": "administrator",
            "services": ["administrator"],
            "scopes": ["admin:users", "admin:servers", "tokens", "access:servers", "read:hub"],
        },
    ]
    folder.mkdir(parents=True, exist_ok=True)
    lines = f"""
c = get_config()
c.JupyterHub.bind_url = {hub.origin + base_url!r}
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub.api_port}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {PASSWORD!r}
c.Authenticator.allowed_users = {set(users)!r}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/home/{{username}}"
c.Spawner.cmd = [{str(hub.bin / "jupyterhub-singleuser")!r}]
c.Spawner.args = {["--allow-root"] if os.getuid() == 0 else []!r}
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.ConfigurableHTTPProxy.command = {[_proxy(proxy)]!r}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{free_port()}"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.JupyterHub.services = {known!r}
c.JupyterHub.load_roles = {roles!r}
c.JupyterHub.subdomain_host = {f"http://{domain}:{hub.port}" if domain else ""!r}
{config}
"""
    file = folder / "jupyterhub_config.py"
    file.write_text(lines, encoding="utf-8")
    try:
        hub.start()
        for service in services:
            if "command" in service.settings:
                hub.wait_for_service(service)
        yield hub
    finally:
        hub.stop()


@dataclass(eq=False)
class Facility:
    """A JupyterHub with nbstamp behind its proxy."""

    hub: Hub
    service: HubService
    site: Site
    """nbstamp as it is reached through the hub's proxy."""
    browsers: ExitStack

    def person(self) -> Person:
        """Somebody with a browser of their own."""
        client = httpx2.Client(timeout=120, trust_env=False, follow_redirects=True)
        return Person(replace(self.site, client=self.browsers.enter_context(client)), self.hub)


@dataclass
class Person:
    """A browser without scripts."""

    site: Site
    hub: Hub

    def kept(self, path: str, params: object) -> Form:
        """Click on the portal; returns the form of the page that waits for the sign-in."""
        page = self.site.confirmation(path, params)
        assert page.status_code == 200, page.text
        return next(form for form in forms(page.text) if "Continue" in form.buttons)

    def sign_in(self, user: str) -> httpx2.Response:
        """Follow the link *Sign in in a new tab*."""
        login = f"{self.site.url}login?next={urlsplit(self.site.url).path}signed-in"
        page = self.hub.sign_in(self.site.client, user, login)
        self.note_cookies()
        return page

    def note_cookies(self) -> None:
        """Have the logs searched for the cookies of nbstamp."""
        TOKENS.update(self.cookies().values())

    def get(self, path: str = "", **options: Any) -> httpx2.Response:
        return self.site.client.get(self.site.url + path, **options)

    def cookies(self) -> dict[str, str]:
        """The cookies of nbstamp."""
        path = urlsplit(self.site.url).path
        return {c.name: c.value or "" for c in self.site.client.cookies.jar if c.path == path}


@contextmanager
def running_facility(
    name: str, *arguments: str, folder: Path, logs: Path, **options: Any
) -> Iterator[Facility]:
    """Run a hub with nbstamp as an external service that saves in a folder for each user.

    ``arguments`` are those of ``nbstamp serve``, ``options`` those of :func:`running_hub`.
    """
    service = external_service()
    with running_hub(name, folder=folder, logs=logs, services=[service], **options) as hub:
        site = start_service(hub, service, *arguments, folder=folder, logs=logs)
        site.url = hub.wait_for_service(service)
        with ExitStack() as browsers:
            yield Facility(hub, service, site, browsers)
        site.stop()


def start_service(
    hub: Hub,
    service: HubService,
    *arguments: str,
    folder: Path,
    logs: Path,
    name: str = "",
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Site:
    """Start nbstamp as one replica of ``service``, by default the one that the hub knows."""
    notebooks = folder / "notebooks"
    notebooks.mkdir(exist_ok=True)
    return start(
        logs,
        f"--port={service.port if port is None else port}",
        "--storage=folder",
        f"--FolderStorage.root={notebooks}",
        "--Server.target_folder={username}/{folder}",
        *arguments,
        name=name or f"{hub.name}-nbstamp",
        environment=hub.environment(service) | dict(environment or {}),
        root=notebooks,
    )


def _logging(settings: Mapping[str, Any], log: Path, folder: Path) -> dict[str, Any]:
    """A managed service with a log and a state directory of its own."""
    if "command" not in settings:
        return dict(settings)
    command = ["sh", "-c", 'exec "$@" >> "$0" 2>&1', str(log), *settings["command"]]
    environment = {"XDG_STATE_HOME": str(folder / "state")} | settings["environment"]
    return {**settings, "command": command, "environment": environment}


def _programs(version: str) -> Path:
    """The folder with the programs of a JupyterHub of this version."""
    found = Path(sys.prefix) / ("bin" if version == "6" else f"hub{version}/bin")
    if not (found / "jupyterhub-singleuser").exists():
        missing_tool(f"JupyterHub {version} (tools/setup test)")
    return found


def _proxy(kind: str) -> str:
    """The path of a proxy."""
    found = Path(sys.prefix) / ("node/bin" if kind == "npm" else "bin") / "configurable-http-proxy"
    if not found.exists():
        missing_tool(f"configurable-http-proxy ({kind})")
    return str(found)


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
