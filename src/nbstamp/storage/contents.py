"""The storage for users with a Jupyter server of their own on a JupyterHub.

Knows the hub, and where the servers of its users are; how a notebook is saved in one is in
:mod:`nbstamp.storage.jupyter`. Acts with the user's own token and nothing else, so that owner,
quota and permissions are right by construction. Never starts a server: only the hub's own pages
know what its users may choose.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import quote, urlsplit
from weakref import WeakValueDictionary

from traitlets import Float, Unicode, default

from nbstamp.core.errors import StorageBusy, StorageUnavailable, TemplatingError
from nbstamp.core.instance import Instance
from nbstamp.core.naming import Target, typed_folder
from nbstamp.core.parameters import Json
from nbstamp.core.user import User
from nbstamp.storage import jupyter
from nbstamp.storage.base import Description, Found, Saved, Storage, Waiting

if TYPE_CHECKING:
    import ssl

    from httpx2 import AsyncClient


class ContentsStorage(Storage):
    """Saves notebooks through the contents API of the user's own Jupyter server."""

    keeps_files: ClassVar[bool] = True

    api_url = Unicode(
        help="""Address of the hub's API as this server reaches it. Default: that of
        JupyterHubIdentity, else JUPYTERHUB_API_URL.

        c.ContentsStorage.api_url = "http://127.0.0.1:8081/hub/api"
        """,
    ).tag(config=True)
    hub_url = Unicode(
        help="""Address of the hub as browsers reach it; a path is enough when it is on the same
        host. Default: that of JupyterHubIdentity, else JUPYTERHUB_PUBLIC_HUB_URL, else
        JUPYTERHUB_BASE_URL and hub/.

        c.ContentsStorage.hub_url = "https://jupyter.example/hub/"
        """,
    ).tag(config=True)
    proxy_url = Unicode(
        help="""Address of the hub's proxy as this server reaches it; only scheme, host and port
        count. The tokens of users are sent there. Default: that of hub_url, if it is not just a
        path.

        c.ContentsStorage.proxy_url = "http://127.0.0.1:8000"
        """,
    ).tag(config=True)
    server_name = Unicode(
        "",
        help="""Name of the server of each user in which notebooks are saved; empty for the default
        one.

        c.ContentsStorage.server_name = "analysis"
        """,
    ).tag(config=True)
    prefix = Unicode(
        "",
        help="""Folder below which everything is saved, for hubs where only a part of the home
        folder is kept.

        c.ContentsStorage.prefix = "work"
        """,
    ).tag(config=True)
    label = Unicode(
        "Home",
        help="""What people call the place of their files, in front of the path of a notebook.

        c.ContentsStorage.label = "Home"
        """,
    ).tag(config=True)
    open_path = Unicode(
        "lab/tree/{path}",
        help="""Where a notebook opens, below the address of the user's server; {path} is its path.
        notebooks/{path} opens it in Notebook 7, lab/workspaces/auto-n/tree/{path} in a JupyterLab
        of its own.

        c.ContentsStorage.open_path = "lab/tree/{path}"
        """,
    ).tag(config=True)
    patience = Float(
        6.0,
        min=0.5,
        help="""Seconds that the hub and the user's server may take for one notebook, and one more
        for each megabyte. When they are over, the user gets a page that says so.

        c.ContentsStorage.patience = 6
        """,
    ).tag(config=True)

    @default("api_url")
    def _api_url(self) -> str:
        return os.environ.get("JUPYTERHUB_API_URL", "")

    @default("hub_url")
    def _hub_url(self) -> str:
        base = os.environ.get("JUPYTERHUB_BASE_URL", "/")
        return os.environ.get("JUPYTERHUB_PUBLIC_HUB_URL") or f"{base}hub/"

    @default("proxy_url")
    def _proxy_url(self) -> str:
        return self.hub_url if urlsplit(self.hub_url).netloc else ""

    def __init__(self, **kwargs: Any) -> None:
        import httpx2  # noqa: F401 - of the extra “hub”: its absence is said at the start

        super().__init__(**kwargs)
        # one after the other for each user: a Jupyter server does one thing at a time
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def save(self, user: User, target: Target, instance: Instance) -> Saved | Waiting:
        self._check()
        wanted = self._below_prefix(target)
        turn = self._turns.setdefault(user.name, asyncio.Lock())
        async with turn, self._client() as client:
            server = await self._server(client, user)
            if server is None:
                return Waiting(self._spawn_url(user))
            try:
                written = await jupyter.save(
                    server.api,
                    wanted,
                    instance.segments,
                    instance.creation_id,
                    beside=[(file.name, file.data) for file in instance.files],
                )
            except StorageUnavailable:
                if await self._has_stopped(client, user):
                    return Waiting(self._spawn_url(user))
                raise
        saved = Target(target.folder, written.target.name)
        return Saved(
            saved,
            place=self._place(*written.target.folder, written.target.name),
            url=self._open_url(server.public_url, written.target),
            existed=written.existed,
        )

    async def describe(
        self, user: User, target: Target, same: Callable[[Mapping[str, Json]], bool]
    ) -> Description:
        """Look at the target folder only; create and start nothing. A server that does not run or
        does not answer is a warning, because the notebook can still be a download."""
        self._check()
        wanted = self._below_prefix(target)
        place = self._place(*wanted.folder)
        try:
            async with self._client() as client:
                # half the time, because saving may come after it
                server = await self._server(client, user, seconds=self.patience / 2)
                if server is None:
                    return Description(place, taken=False, looked=False, warnings=[_STOPPED])
                (taken, seen), kernels = await asyncio.gather(
                    jupyter.look(server.api, wanted, same), server.api.kernels()
                )
        except StorageUnavailable as err:
            return Description(place, taken=False, looked=False, warnings=[err.message])
        found = seen and Found(
            Target(target.folder, seen.target.name),
            seen.provenance,
            seen.modified,
            url=self._open_url(server.public_url, seen.target),
        )
        return Description(place, taken, found, kernels=kernels)

    def problems(self) -> Sequence[str]:
        found = []
        if not self.api_url:
            found.append(
                "ContentsStorage.api_url is not set, and the hub did not tell it; "
                "'http://127.0.0.1:8081/hub/api' would be right for a hub on this machine"
            )
        if urlsplit(self.proxy_url).scheme not in ("http", "https"):
            found.append(
                f"ContentsStorage.proxy_url is {self.proxy_url!r}; the address of the hub's proxy "
                "would be right, for example 'http://127.0.0.1:8000'"
            )
        if "{path}" not in self.open_path:
            found.append(
                f"ContentsStorage.open_path is {self.open_path!r} and has no {{path}}; "
                "'lab/tree/{path}' would be right"
            )
        try:
            typed_folder(self.prefix)
        except TemplatingError as err:
            found.append(f"ContentsStorage.prefix: {err.message}")
        return found

    def _check(self) -> None:
        if problems := self.problems():
            raise StorageUnavailable(_UNFINISHED, log=problems[0])

    # --- The hub --------------------------------------------------------------------------------

    async def _server(
        self, client: AsyncClient, user: User, *, seconds: float = 0
    ) -> _Running | None:
        """The user's server, or None when it does not run: only the hub knows, whatever is answered
        at its address (facts/jupyterhub.md section 4).

        Raises :class:`~nbstamp.core.errors.StorageUnavailable`.
        """
        end = asyncio.get_running_loop().time() + (seconds or self.patience)
        headers = {"Authorization": f"token {user.token}"}
        hub = jupyter.Peer(client, self.api_url, headers, end=end)
        try:
            answer = await hub.request("GET", f"users/{user.name}")
        except jupyter.NoAnswer as err:
            raise StorageUnavailable(_SILENT, log=f"{err} asking the hub") from None
        known = _servers(answer)
        found = known.get(self.server_name)
        if not isinstance(found, dict) or not found.get("ready"):
            return None
        address = urlsplit(str(found.get("url")))
        proxy = urlsplit(self.proxy_url)
        if address.netloc:  # each user has a host name; the proxy goes by it
            headers["Host"] = address.netloc
        public = address if address.netloc else urlsplit(self.hub_url)._replace(path=address.path)
        return _Running(
            jupyter.Server(client, proxy._replace(path=address.path).geturl(), headers, end=end),
            public._replace(query="", fragment="").geturl(),
        )

    async def _has_stopped(self, client: AsyncClient, user: User) -> bool:
        try:
            return await self._server(client, user, seconds=jupyter.CHECK) is None
        except StorageUnavailable:
            return False

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[AsyncClient]:
        """A client of its own for each task: no cookie may get from one user to another."""
        import httpx2

        async with httpx2.AsyncClient(verify=self._verify, timeout=None, trust_env=False) as client:
            yield client

    @cached_property
    def _verify(self) -> ssl.SSLContext | bool:
        import httpx2

        secure = any(url.startswith("https:") for url in (self.api_url, self.proxy_url))
        return httpx2.create_ssl_context() if secure else False

    # --- Addresses and words --------------------------------------------------------------------

    def _below_prefix(self, target: Target) -> Target:
        return Target((*typed_folder(self.prefix), *target.folder), target.name)

    def _place(self, *parts: str) -> str:
        return " / ".join((self.label, *parts))

    def _spawn_url(self, user: User) -> str:
        parts = ["spawn", user.name, *([self.server_name] if self.server_name else [])]
        return "/".join((self.hub_url.rstrip("/"), *(quote(part, safe="") for part in parts)))

    def _open_url(self, server: str, target: Target) -> str:
        return server.rstrip("/") + "/" + self.open_path.replace("{path}", quote(target.path))


class _Running(NamedTuple):
    """A user's server that runs."""

    api: jupyter.Server
    public_url: str
    """Its address for browsers; a path where the hub's is one."""


def _servers(answer: jupyter.Answer) -> Mapping[str, Json]:
    """The servers of a user that are not stopped, by name."""
    log = f"the hub answered {answer.status} to a question about the user's servers"
    if answer.status == 429:
        raise StorageBusy(
            "JupyterHub is asked too much at the moment. Nothing was created.",
            retry_after=answer.retry_after,
            log=log,
        )
    if answer.status in (401, 403, 404):
        raise StorageUnavailable(
            "JupyterHub does not tell this service about your server. Please sign out and in "
            "again. Nothing was created.",
            log=f"{log}; is “read:servers!user” among the service's oauth_client_allowed_scopes?",
        )
    found = answer.body.get("servers")
    if answer.status != 200 or not isinstance(found, dict):
        raise StorageUnavailable(
            _SILENT, log=f"{log}, without “servers”: is it the API of a JupyterHub?"
        )
    return found


_STOPPED = (
    "Your Jupyter server is not running. It has to be started before the notebook can be saved; "
    "the next page does that."
)
_SILENT = "JupyterHub does not answer at the moment. Nothing was created."
_UNFINISHED = "This server has not been told where to keep notebooks. Nothing was created."
