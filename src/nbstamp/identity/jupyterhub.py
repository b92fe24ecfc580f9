"""The user as JupyterHub knows them: OAuth 2 with PKCE (RFC 6749, RFC 7636) against the hub.

Works as a managed and as an external service of the hub, and needs no scopes of its own. Keeps
nothing between requests but a short memory of what the hub has said about a token, so any replica
answers any step (facts/jupyterhub.md 0-2).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from traitlets import Float, Int, List, Unicode, default

from nbstamp.core.errors import IdentityUnavailable, SignInFailed
from nbstamp.core.parameters import printable
from nbstamp.core.user import User
from nbstamp.identity.base import Cookie, Identity, Step

if TYPE_CHECKING:
    from httpx2 import Response

LOGIN = 3600
"""Seconds that signing in may take."""
REMEMBERED = 10_000
"""Tokens of which the hub's answer is remembered."""


class JupyterHubIdentity(Identity):
    """Users sign in through JupyterHub."""

    api_url = Unicode(
        help="""Address of the hub's API as this server reaches it. The hub tells it to a service
        that it manages, as JUPYTERHUB_API_URL.

        c.JupyterHubIdentity.api_url = "http://127.0.0.1:8081/hub/api"
        """,
    ).tag(config=True)
    api_token = Unicode(
        help="""The token of this service, which is also its OAuth secret. The hub tells it to a
        service that it manages, as JUPYTERHUB_API_TOKEN.

        c.JupyterHubIdentity.api_token = "<output of: openssl rand -hex 32>"
        """,
    ).tag(config=True, secret=True)
    client_id = Unicode(
        help="""OAuth client of this service at the hub: service-<name>. The hub tells it to a
        service that it manages, as JUPYTERHUB_CLIENT_ID.

        c.JupyterHubIdentity.client_id = "service-templates"
        """,
    ).tag(config=True)
    hub_url = Unicode(
        help="""Address of the hub as browsers reach it; a path is enough when it is on the same
        host. Default: JUPYTERHUB_PUBLIC_HUB_URL, else JUPYTERHUB_BASE_URL and hub/.

        c.JupyterHubIdentity.hub_url = "https://jupyter.example/hub/"
        """,
    ).tag(config=True)
    callback_url = Unicode(
        help="""Where the hub sends users back to, exactly as the hub has it as oauth_redirect_uri.
        Default: JUPYTERHUB_OAUTH_CALLBACK_URL, else the path oauth_callback of this server.

        c.JupyterHubIdentity.callback_url = "/services/templates/oauth_callback"
        """,
    ).tag(config=True)
    access_scopes = List(
        Unicode(),
        help="""Scopes of which a user needs one. Default: JUPYTERHUB_OAUTH_ACCESS_SCOPES, else
        those for this service.

        c.JupyterHubIdentity.access_scopes = ["access:services!service=templates"]
        """,
    ).tag(config=True)
    session_age = Int(
        14 * 24 * 3600,
        min=60,
        help="""Seconds after which a user signs in anew, even if the hub still knows the session.

        c.JupyterHubIdentity.session_age = 14 * 24 * 3600
        """,
    ).tag(config=True)
    recheck = Float(
        60.0,
        min=0,
        help="""Seconds for which the hub's answer about a session is taken as it is.

        c.JupyterHubIdentity.recheck = 60
        """,
    ).tag(config=True)
    patience = Float(
        8.0,
        min=0.1,
        help="""Seconds that the hub may take for an answer.

        c.JupyterHubIdentity.patience = 8
        """,
    ).tag(config=True)

    @default("api_url")
    def _api_url(self) -> str:
        return os.environ.get("JUPYTERHUB_API_URL", "")

    @default("api_token")
    def _api_token(self) -> str:
        return os.environ.get("JUPYTERHUB_API_TOKEN", "")

    @default("client_id")
    def _client_id(self) -> str:
        return os.environ.get("JUPYTERHUB_CLIENT_ID", "")

    @default("hub_url")
    def _hub_url(self) -> str:
        base = os.environ.get("JUPYTERHUB_BASE_URL", "/")
        return os.environ.get("JUPYTERHUB_PUBLIC_HUB_URL") or f"{base}hub/"

    @default("callback_url")
    def _callback_url(self) -> str:
        return os.environ.get("JUPYTERHUB_OAUTH_CALLBACK_URL") or f"{self.base_url}oauth_callback"

    @default("access_scopes")
    def _access_scopes(self) -> list[str]:
        told = os.environ.get("JUPYTERHUB_OAUTH_ACCESS_SCOPES")
        service = self.client_id.removeprefix("service-")
        return (
            json.loads(told) if told else [f"access:services!service={service}", "access:services"]
        )

    def __init__(self, **kwargs: Any) -> None:
        import httpx2  # of the extra “hub”

        super().__init__(**kwargs)
        for option in ("api_url", "api_token", "client_id"):
            if not getattr(self, option):
                raise ValueError(
                    f"JupyterHubIdentity.{option} is not set, and the hub did not tell it: it does "
                    "so only to a service that it starts itself"
                )
        self._remembered: OrderedDict[str, tuple[float, User | None]] = OrderedDict()
        self._failures = (httpx2.HTTPError, TimeoutError)
        self._client = httpx2.AsyncClient(timeout=self.patience, trust_env=False)

    # --- Who is it ------------------------------------------------------------------------------

    async def user(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> User | None:
        """The user of the session cookie, or of a token of the hub in ``Authorization``.

        Raises :class:`~nbstamp.core.errors.IdentityUnavailable`.
        """
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() in ("token", "bearer") and token:
            return await self._known(token.strip())
        session = self._read("session", cookies.get(self._cookie("session"), ""), self.session_age)
        return await self._known(str(session["token"])) if session else None

    async def _known(self, token: str) -> User | None:
        key = hashlib.sha256(token.encode()).hexdigest()
        now = time.monotonic()
        if (known := self._remembered.get(key)) and now - known[0] <= self.recheck:
            return known[1]
        user = await self._ask(token)
        self._remembered[key] = (now, user)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return user

    async def _ask(self, token: str) -> User | None:
        """The user of a token, if they may use this service."""
        answer = await self._request("GET", "/user", headers={"Authorization": f"token {token}"})
        if answer.status_code in (401, 403, 404):
            return None
        found = self._json(answer)
        name, scopes = found.get("name"), found.get("scopes")
        if found.get("kind") != "user" or not isinstance(name, str) or not isinstance(scopes, list):
            return None
        if not set(self.access_scopes) & set(scopes):
            return None
        return User(name, token)

    # --- Signing in -----------------------------------------------------------------------------

    @property
    def secure(self) -> bool:
        return self.hub_url.startswith("https:")

    def begin(self, next_path: str) -> Step:
        nonce, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        state = self._seal("login", {"nonce": nonce, "verifier": verifier, "next": next_path})
        query = {
            "client_id": self.client_id,
            "redirect_uri": self.callback_url,
            "response_type": "code",
            "state": state,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        address = f"{self.hub_url.rstrip('/')}/api/oauth2/authorize?{urlencode(query)}"
        # one cookie for each attempt: several tabs may sign in at once
        return Step(address, [Cookie(self._cookie("login", nonce), nonce, LOGIN)])

    async def finish(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> Step:
        state = self._read("login", query.get("state", ""), LOGIN)
        if state is None:
            raise SignInFailed("Signing in took too long, or did not begin here.")
        try:
            return await self._finish(query, cookies, state)
        except SignInFailed as err:
            err.next_path = str(state["next"])
            raise

    async def _finish(
        self, query: Mapping[str, str], cookies: Mapping[str, str], state: Mapping[str, Any]
    ) -> Step:
        nonce = str(state["nonce"])
        name = self._cookie("login", nonce)
        if not secrets.compare_digest(cookies.get(name, "").encode(), nonce.encode()):
            raise SignInFailed(
                "This browser did not keep the cookie that it was given before signing in. "
                "Please allow cookies for this site, and try again in the tab where you began."
            )
        if "code" not in query:
            reason = printable(query.get("error_description") or query.get("error") or "no reason")
            raise SignInFailed(f"JupyterHub did not let you in ({reason}).")
        token = await self._token(query["code"], str(state["verifier"]))
        if await self._known(token) is None:
            raise SignInFailed(
                "You are signed in to JupyterHub, but your account may not use this service. "
                "The people who run it can give your role the scope “access:services”.",
                log=f"no scope of {self.access_scopes} for the user",
            )
        session = self._seal("session", {"token": token})
        return Step(
            str(state["next"]),
            [Cookie(name, "", 0), Cookie(self._cookie("session"), session, self.session_age)],
        )

    async def _token(self, code: str, verifier: str) -> str:
        answer = await self._request(
            "POST",
            "/oauth2/token",
            data={
                "client_id": self.client_id,
                "client_secret": self.api_token,
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.callback_url,
                "code_verifier": verifier,
            },
        )
        if answer.status_code in (400, 401, 403):
            raise SignInFailed(
                "JupyterHub did not accept the sign-in. It may have been used before; please try "
                "again.",
                log=f"the hub answered {answer.status_code} to the exchange of the code",
            )
        token = self._json(answer).get("access_token")
        if not isinstance(token, str):
            raise IdentityUnavailable(_DOWN, log="the hub's answer holds no token")
        return token

    def leave(self) -> Step:
        return Step(f"{self.hub_url.rstrip('/')}/logout", [Cookie(self._cookie("session"), "", 0)])

    # --- The hub, and what passes through the browser -------------------------------------------

    async def _request(self, method: str, path: str, **options: Any) -> Response:
        try:
            async with asyncio.timeout(self.patience):
                answer = await self._client.request(method, self.api_url + path, **options)
        except self._failures as err:
            raise IdentityUnavailable(_DOWN, log=f"{type(err).__name__} asking the hub") from None
        if answer.status_code >= 500:
            raise IdentityUnavailable(_DOWN, log=f"the hub answered {answer.status_code}")
        return answer

    def _json(self, answer: Response) -> Mapping[str, Any]:
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict) or answer.status_code >= 300:
            raise IdentityUnavailable(
                _DOWN, log=f"the hub answered {answer.status_code} and no JSON object"
            )
        return found

    def _cookie(self, purpose: str, nonce: str = "") -> str:
        prefix = "__Secure-" if self.secure else ""
        return f"{prefix}nbstamp-{purpose}" + (f"-{quote(nonce[:8], safe='')}" if nonce else "")

    def _seal(self, purpose: str, data: Mapping[str, Any]) -> str:
        if self.seals is None:
            raise TypeError("an identity with a sign-in flow needs seals")
        return self.seals.seal(purpose, data)

    def _read(self, purpose: str, token: str, longest: float) -> Mapping[str, Any] | None:
        return self.seals.read(purpose, token, longest) if self.seals and token else None


_DOWN = "JupyterHub does not answer at the moment, so this server does not know who you are."
