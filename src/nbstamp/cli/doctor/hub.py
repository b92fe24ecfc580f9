"""What a JupyterHub says: to this service about itself, and to an ordinary user about them.

A service may know next to nothing about users, and that is right. So what an ordinary user may is
asked with a token of such a user, and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from nbstamp.app import Ready
from nbstamp.cli.doctor.results import Result, fine, unseen, wrong
from nbstamp.core.naming import Target
from nbstamp.core.user import User
from nbstamp.identity.jupyterhub import JupyterHubIdentity
from nbstamp.storage.contents import ContentsStorage

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response

OLDEST = (5, 5, 1)
"""The oldest JupyterHub without known advisories (facts/jupyterhub.md section 1)."""
NEEDED = ("access:servers", "read:servers")
"""What the storage “contents” does with a user's token."""
PATIENCE = 10.0
"""Seconds for each answer."""


async def hub(ready: Ready, identity: JupyterHubIdentity, token: str) -> AsyncIterator[Result]:
    """The hub's API, this service, the proxy, and with ``token`` an ordinary user."""
    import httpx2

    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
        asked = Asked(client, identity.api_url)
        answer = await asked.get("/")
        version = _json(answer).get("version")
        if not isinstance(version, str):
            yield wrong(
                "hub",
                f"{_told(answer)} at {identity.api_url}, which is not the API of a JupyterHub that "
                "can be reached from here",
                'c.JupyterHubIdentity.api_url = "http://<where the hub listens>:8081/hub/api"',
            )
            return
        if _number(version) < OLDEST:
            yield wrong(
                "hub",
                f"JupyterHub {version} has known security problems",
                f"pip install 'jupyterhub>={'.'.join(map(str, OLDEST))}'",
            )
        else:
            yield fine("hub", f"JupyterHub {version} answers at {identity.api_url}")
        name = identity.client_id.removeprefix("service-")
        async for result in _service(asked, identity, name):
            yield result
        contents = ready.storage
        if isinstance(contents, ContentsStorage) and not contents.problems():
            async for result in _proxy(Asked(client, contents.proxy_url), contents):
                yield result
        async for result in _user(asked, ready, identity, name, token):
            yield result


class Asked:
    """One server that is asked with a client; a connection that fails is an answer, too."""

    def __init__(self, client: AsyncClient, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/")

    async def get(self, path: str, token: str = "") -> Response | str:
        """What is at ``path``, or in words why there is nothing."""
        import httpx2

        headers = {"Authorization": f"token {token}"} if token else {}
        try:
            return await self._client.get(self._url + path, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL) as err:
            return str(err) or type(err).__name__


def _told(answer: Response | str) -> str:
    return f"no answer ({answer})" if isinstance(answer, str) else f"status {answer.status_code}"


def _json(answer: Response | str) -> Mapping[str, Any]:
    if isinstance(answer, str) or answer.status_code != 200:
        return {}
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _number(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:3]
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in parts)


# --- This service ---------------------------------------------------------------------------------


async def _service(asked: Asked, identity: JupyterHubIdentity, name: str) -> AsyncIterator[Result]:
    answer = await asked.get("/user", identity.api_token)
    found = _json(answer)
    if not found:
        yield wrong(
            "service",
            f"the hub does not know the token of this service ({_told(answer)}). Both must have "
            "the same one; the hub reads its configuration when it starts",
            f"""
            In jupyterhub_config.py, in the entry “{name}” of c.JupyterHub.services:
              "api_token": "<the same as JupyterHubIdentity.api_token here>",
            """,
        )
    elif found.get("kind") != "service" or found.get("name") != name:
        owner = f"the {found.get('kind')} “{found.get('name')}”"
        change = f'c.JupyterHubIdentity.client_id = "service-{found.get("name")}"'
        yield wrong(
            "service",
            f"the token is that of {owner}, and JupyterHubIdentity.client_id is “service-{name}”",
            change if found.get("kind") == "service" else "",
        )
    else:
        yield fine("service", f"the hub knows this service as “{name}”")


async def _proxy(asked: Asked, contents: ContentsStorage) -> AsyncIterator[Result]:
    path = urlsplit(contents.hub_url).path.rstrip("/") + "/api/"
    answer = await asked.get(path)
    if "version" in _json(answer):
        yield fine("proxy", f"the hub's proxy answers at {contents.proxy_url}")
    else:
        yield wrong(
            "proxy",
            f"{_told(answer)} for {path} at {contents.proxy_url}. Notebooks are saved through the "
            "hub's proxy, and this is not it, or it cannot be reached from here",
            'c.ContentsStorage.proxy_url = "http://<where the hub\'s proxy listens>:8000"',
        )


# --- An ordinary user -----------------------------------------------------------------------------


async def _user(
    asked: Asked, ready: Ready, identity: JupyterHubIdentity, name: str, token: str
) -> AsyncIterator[Result]:
    page = f"{identity.hub_url.rstrip('/')}/token"
    how = f"""
    Sign in to the hub as an ordinary user, make a token at {page}, and
      nbstamp doctor --token-file FILE …
    """
    if not token:
        yield unseen("ordinary user", "what a user may is only told to that user", how)
        return
    answer = await asked.get("/user", token)
    found = _json(answer)
    user, scopes = found.get("name"), found.get("scopes")
    if found.get("kind") != "user" or not isinstance(user, str) or not isinstance(scopes, list):
        refused = f"the hub does not accept the token ({_told(answer)})"
        text = "the token is that of a service" if found else refused
        yield unseen("ordinary user", text, how)
        return
    if found.get("admin"):
        text = f"{user} is an administrator, who may everything; that says nothing about others"
        yield unseen("ordinary user", text, how)
        return
    if set(identity.access_scopes) & set(scopes):
        yield fine("ordinary user", f"{user} may use this service")
    else:
        yield wrong(
            "ordinary user",
            f"{user} may not use this service. By default nobody but administrators may",
            f"""
            In jupyterhub_config.py, or with these scopes in the role that you gave to users:
              c.JupyterHub.load_roles = [
                  {{"name": "user", "scopes": ["self", "access:services!service={name}"]}},
              ]
            """,
        )
    contents = ready.storage
    if not isinstance(contents, ContentsStorage):
        return
    if lacking := [scope for scope in NEEDED if f"{scope}!user={user}" not in scopes]:
        yield wrong(
            "ordinary user",
            f"{user} may not use their own server with this token ({', '.join(lacking)}): the role "
            "“user” has lost “self”, or the token was made for less",
            """
            In jupyterhub_config.py:
              c.JupyterHub.load_roles = [{"name": "user", "scopes": ["self", …]}]
            """,
        )
        return
    async for result in _granted(asked, ready, identity, name, user, token):
        yield result
    if contents.problems():
        return
    async for result in _server(asked, ready, contents, user, token):
        yield result


async def _granted(
    asked: Asked, ready: Ready, identity: JupyterHubIdentity, name: str, user: str, token: str
) -> AsyncIterator[Result]:
    """What the hub gave this service when the user signed in to it: allowed for the service, and
    held by the user."""
    answer = await asked.get(f"/users/{quote(user, safe='')}/tokens", token)
    tokens = [
        each
        for each in _json(answer).get("api_tokens", ())
        if each.get("oauth_client") in (f"JupyterHub service {name}", f"service-{name}")
    ]
    if not tokens:
        yield unseen(
            "scopes",
            f"{user} has not signed in to this service yet",
            f"""
            Open {ready.base_url} on the hub as {user}, then run this again.
            If that ends with status 400 of the hub: in the entry “{name}” of c.JupyterHub.services
              "oauth_redirect_uri": "{identity.callback_url}",
            """,
        )
        return
    scopes = set(max(tokens, key=lambda each: str(each.get("created"))).get("scopes", ()))
    if lacking := [scope for scope in NEEDED if f"{scope}!user={user}" not in scopes]:
        yield wrong(
            "scopes",
            f"when {user} signed in, the hub did not give this service {' and '.join(lacking)}",
            f"""
            In jupyterhub_config.py, in the entry “{name}” of c.JupyterHub.services:
              "oauth_client_allowed_scopes": ["access:servers!user", "read:servers!user"],
            Restart the hub; users sign out of this service and in again.
            """,
        )
    else:
        yield fine("scopes", "this service may see and use the server of a user who has signed in")


async def _server(
    asked: Asked, ready: Ready, contents: ContentsStorage, user: str, token: str
) -> AsyncIterator[Result]:
    """The user's server as the storage sees it, and its kernels."""
    answer = await asked.get(f"/users/{quote(user, safe='')}", token)
    server = (_json(answer).get("servers") or {}).get(contents.server_name)
    if not (isinstance(server, dict) and server.get("ready")):
        yield unseen(
            "user's server",
            f"the server of {user} does not run",
            f"Start it at {contents.hub_url.rstrip('/')}/home, and run this again.",
        )
        return
    target = Target((), "nbstamp doctor.ipynb")
    seen = await contents.describe(User(user, token), target, lambda _: False)
    if not seen.looked:
        yield wrong(
            "user's server",
            f"asked for the files of {user} through {contents.proxy_url}: "
            + " ".join(seen.warnings),
            'c.ContentsStorage.proxy_url = "http://<where the hub\'s proxy listens>:8000"',
        )
        return
    yield fine("user's server", f"the files of {user} can be reached")
    wanted = {
        ready.server.kernel_names.get(entry.kernel.name, entry.kernel.name)
        for entry in ready.catalogue.listing().entries
        if entry.kernel and entry.kernel.name
    }
    if lacking := sorted(wanted - set(seen.kernels)) if seen.kernels else []:
        there = sorted(seen.kernels)
        yield wrong(
            "kernels",
            f"templates ask for {', '.join(lacking)}; the server of {user} has {', '.join(there)}",
            f"c.Server.kernel_names = {{{lacking[0]!r}: {there[0]!r}}}",
        )
