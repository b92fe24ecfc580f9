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
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

from traitlets import Float, Int, List, Unicode, default

from nbstamp.core.errors import IdentityUnavailable, SignInFailed
from nbstamp.core.parameters import printable
from nbstamp.core.user import User
from nbstamp.identity.base import Caller, Cookie, Identity, Step, Surroundings

if TYPE_CHECKING:
    from httpx2 import Response

LOGIN = 24 * 3600
"""Seconds that signing in may take; as long as a browser keeps a form meanwhile."""
LOGINS = 8
"""Sign-ins that one browser may have begun; more cookies could fill the headers of a request, of
which proxies take 16 kB (facts/jupyterhub.md section 3)."""
REMEMBERED = 10_000
"""Tokens of which the hub's answer is remembered."""


_T = TypeVar("_T")


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
        host. Default: JUPYTERHUB_PUBLIC_HUB_URL, else the path of api_url without its api.

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
        told = os.environ.get("JUPYTERHUB_PUBLIC_HUB_URL")
        return told or urlsplit(self.api_url).path.rstrip("/").removesuffix("api")

    @default("callback_url")
    def _callback_url(self) -> str:
        told = os.environ.get("JUPYTERHUB_OAUTH_CALLBACK_URL")
        return told or f"{self.around.base_url}oauth_callback"

    @default("access_scopes")
    def _access_scopes(self) -> list[str]:
        if told := os.environ.get("JUPYTERHUB_OAUTH_ACCESS_SCOPES"):
            return list(json.loads(told))
        service = self.client_id.removeprefix("service-")
        return [f"access:services!service={service}", "access:services"]

    def __init__(self, around: Surroundings, **kwargs: Any) -> None:
        import httpx2  # of the extra “hub”

        super().__init__(around, **kwargs)
        for option in ("api_url", "api_token", "client_id"):
            if not getattr(self, option):
                raise ValueError(
                    f"JupyterHubIdentity.{option} is not set, and the hub did not tell it: it does "
                    "so only to a service that it starts itself"
                )
        for option, right in (
            ("api_url", "http://127.0.0.1:8081/hub/api"),
            ("hub_url", "https://jupyter.example/hub/"),
        ):
            given = getattr(self, option)
            if not re.match(r"https?://\w" if option == "api_url" else r"https?://\w|/", given):
                raise ValueError(
                    f"JupyterHubIdentity.{option} is {given!r}; an address such as {right!r} would "
                    "be right"
                )
        self._remembered: OrderedDict[str, tuple[float, User]] = OrderedDict()
        self._failures = (httpx2.HTTPError, TimeoutError)
        # one client for all users: no cookie of an answer may go into another request
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx2.AsyncClient(
            timeout=self.patience, trust_env=False, cookies=no_cookies
        )

    async def close(self) -> None:
        """Close the connections to the hub; a server keeps them as long as it runs."""
        await self._client.aclose()

    # --- Who is it ------------------------------------------------------------------------------

    async def user(self, caller: Caller) -> User | None:
        """The user of the session cookie, or of a token of the hub in ``Authorization``."""
        kind, _, token = caller.headers.get("authorization", "").partition(" ")
        if kind.lower() in ("token", "bearer") and token:
            return await self._patiently(self._known(token.strip()))
        sealed = caller.cookies.get(self._cookie("session"), "")
        session = self.around.seals.read("session", sealed, self.session_age)
        return await self._patiently(self._known(str(session["token"]))) if session else None

    async def _known(self, token: str) -> User | None:
        """The user of a token; the hub is not asked again for a short time."""
        key = hashlib.sha256(token.encode()).hexdigest()
        now = time.monotonic()
        if (known := self._remembered.get(key)) and now - known[0] <= self.recheck:
            return known[1]
        user = await self._ask(token)
        if user is None:
            self._remembered.pop(key, None)
            return None
        self._remembered[key] = (now, user)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return user

    async def _ask(self, token: str) -> User | None:
        """The user of a token, if they may use this service."""
        if not token.isascii() or not token.isprintable():
            return None
        answer = await self._request("GET", "/user", headers={"Authorization": f"token {token}"})
        if answer.status_code in (401, 403, 404):
            return None
        found = self._json(answer)
        name, scopes, groups = found.get("name"), found.get("scopes"), found.get("groups")
        if found.get("kind") != "user" or not isinstance(name, str) or not isinstance(scopes, list):
            return None
        if not name or not set(self.access_scopes) & {str(scope) for scope in scopes}:
            return None
        told = groups if isinstance(groups, list) else []
        return User(name, token, frozenset(str(group) for group in told))

    # --- Signing in -----------------------------------------------------------------------------

    @property
    def secure(self) -> bool:
        """True when this server, or else the hub, is known to be reached by https."""
        known = (self.around.public_origin, self.callback_url, self.hub_url)
        return next((a for a in known if a.startswith("http")), "").startswith("https:")

    def begin(self, next_path: str, cookies: Mapping[str, str]) -> Step:
        """Send the user to the hub. One cookie for each attempt: several tabs may sign in at
        once."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        query = {
            "client_id": self.client_id,
            "redirect_uri": self.callback_url,
            "response_type": "code",
            "state": state,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        sealed = self.around.seals.seal(
            "login",
            {"state": state, "verifier": verifier, "next": next_path, "time": time.time()},
        )
        return Step(
            f"{self.hub_url.rstrip('/')}/api/oauth2/authorize?{urlencode(query)}",
            [Cookie(self._cookie("login", state), sealed, LOGIN), *self._oldest(cookies)],
        )

    def _oldest(self, cookies: Mapping[str, str]) -> list[Cookie]:
        """Removes sign-ins that were begun and not ended, when there are too many of them."""
        begun = [name for name in cookies if name.startswith(self._cookie("login", ""))]
        times = {
            name: (self.around.seals.read("login", cookies[name], LOGIN) or {}).get("time", 0)
            for name in begun
        }
        begun.sort(key=lambda name: float(str(times[name])))
        return [Cookie(name, "", 0) for name in begun[: max(0, len(begun) + 1 - LOGINS)]]

    async def finish(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> Step:
        """Exchange the hub's code for the user's token, which becomes the session."""
        name = self._cookie("login", query.get("state", ""))
        login = self.around.seals.read("login", cookies.get(name, ""), LOGIN)
        if login is None or not secrets.compare_digest(
            str(login["state"]).encode(), query.get("state", "").encode()
        ):
            raise SignInFailed(
                "Signing in did not begin in this browser, took longer than a day, or the browser "
                "did not keep the cookie that it was given. Please allow cookies for this site, "
                "and click once more in the portal."
            )
        try:
            token = await self._patiently(self._admitted(query, str(login["verifier"])))
        except (SignInFailed, IdentityUnavailable) as err:
            err.next_path = str(login["next"])
            raise
        session = self.around.seals.seal("session", {"token": token})
        return Step(
            str(login["next"]),
            [Cookie(name, "", 0), Cookie(self._cookie("session"), session, self.session_age)],
        )

    async def _admitted(self, query: Mapping[str, str], verifier: str) -> str:
        """The token of a user who may use this service."""
        if "code" not in query:
            reason = printable(query.get("error_description") or query.get("error") or "no reason")
            raise SignInFailed(f"JupyterHub did not let you in ({reason}).")
        token = await self._token(query["code"], verifier)
        if await self._known(token) is None:
            raise SignInFailed(
                "You are signed in to JupyterHub, but your account may not use this service. "
                "The people who run it can give your role the scope “access:services”.",
                log=f"no scope of {self.access_scopes} for the user",
            )
        return token

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
        """Forget the session, and let the hub sign the user out."""
        return Step(f"{self.hub_url.rstrip('/')}/logout", [Cookie(self._cookie("session"), "", 0)])

    # --- The hub --------------------------------------------------------------------------------

    async def _patiently(self, answer: Coroutine[Any, Any, _T]) -> _T:
        """Wait for one or several answers of the hub, but not longer than a user would."""
        try:
            return await asyncio.wait_for(answer, self.patience)
        except self._failures as err:
            raise IdentityUnavailable(_DOWN, log=f"{type(err).__name__} asking the hub") from None

    async def _request(self, method: str, path: str, **options: Any) -> Response:
        answer = await self._client.request(method, self.api_url.rstrip("/") + path, **options)
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

    def _cookie(self, purpose: str, state: str | None = None) -> str:
        """The name of a cookie; one that a portal on the same host is unlikely to use."""
        prefix = "__Secure-" if self.secure else ""
        return f"{prefix}nbstamp-{purpose}" + ("" if state is None else f"-{state[:12]}")


_DOWN = "JupyterHub does not answer at the moment, so this server does not know who you are."
