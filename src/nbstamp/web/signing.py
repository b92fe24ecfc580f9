"""The routes of signing in and out, for identities that have a flow (OAuth)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from nbstamp.core.errors import IdentityUnavailable, SignInFailed
from nbstamp.identity.base import SigningIn, Step
from nbstamp.web.pages import Pages
from nbstamp.web.requests import caller
from nbstamp.web.urls import Urls

log = logging.getLogger("nbstamp.web")

LONGEST = 500
"""Characters of a page's address to come back to: it travels in a cookie, which may have 4 kB."""
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Signing:
    """Leads browsers to the identity provider and back."""

    def __init__(self, identity: SigningIn, urls: Urls, pages: Pages) -> None:
        self._identity = identity
        self._urls = urls
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them are reached by links and redirects."""
        found: dict[str, Handler] = {
            "login": self.login,
            "oauth_callback": self.callback,
            "logout": self.logout,
            "resume": self.resume,
            "signed-in": self.signed_in,
        }
        return [Route(self._urls(path), handler) for path, handler in found.items()]

    def to_login(self, request: Request) -> Response:
        """Send the user of a page to sign in and back to it."""
        return self._begin(request, quote(request.scope["path"]))

    async def login(self, request: Request) -> Response:
        """``GET /login?next=<page of ours>``."""
        return self._begin(request, request.query_params.get("next", ""))

    def _begin(self, request: Request, next_path: str) -> Response:
        return self._go(self._identity.begin(self._own(next_path), request.cookies))

    async def callback(self, request: Request) -> Response:
        """``GET /oauth_callback``: the identity provider's answer."""
        try:
            return self._go(await self._identity.finish(request.query_params, request.cookies))
        except (SignInFailed, IdentityUnavailable) as err:
            if not err.next_path and await self._identity.user(caller(request)):
                # the browser's Back button, through a sign-in that was finished before
                return RedirectResponse(self._urls(), status_code=303)
            log.warning("%s: %s", err.code, err.log)
            return self._pages.error(err, again=self._own(err.next_path))

    async def logout(self, request: Request) -> Response:
        """``GET /logout``."""
        return self._go(self._identity.leave())

    async def resume(self, request: Request) -> Response:
        """``GET /resume?key=…``: the browser sends what it has kept; the key means nothing here."""
        return self._pages.resume()

    async def signed_in(self, request: Request) -> Response:
        """``GET /signed-in``."""
        return self._pages.signed_in()

    def _own(self, path: str) -> str:
        """``path`` if it is a page below our base, else the front page: nobody is ever sent to
        another site (open redirect)."""
        plain = re.fullmatch(r"/[A-Za-z0-9/_.~%?=&-]*", path)
        inside = path.startswith(self._urls.base) and "//" not in path and "/." not in path
        return path if plain and inside and len(path) <= LONGEST else self._urls()

    def _go(self, step: Step) -> Response:
        answer = RedirectResponse(step.location, status_code=303)
        for cookie in step.cookies:
            answer.set_cookie(
                cookie.name,
                cookie.value,
                max_age=cookie.seconds,
                path=self._urls.base,
                secure=self._identity.secure,
                httponly=True,
                samesite="lax",
            )
        return answer
