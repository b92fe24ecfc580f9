"""The ASGI application: routes, headers of every answer, errors as pages or JSON, access log."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nbstamp.core.errors import MalformedRequest, NotSignedIn, TemplatingError
from nbstamp.core.parameters import printable
from nbstamp.identity.base import Identity, SigningIn
from nbstamp.portals.base import Portals
from nbstamp.service import Service
from nbstamp.web import api
from nbstamp.web.flow import Flow
from nbstamp.web.pages import Look, Pages
from nbstamp.web.requests import caller
from nbstamp.web.signing import Signing
from nbstamp.web.tokens import Tokens
from nbstamp.web.urls import Urls

access = logging.getLogger("nbstamp.access")
log = logging.getLogger("nbstamp.web")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer (facts/security.md section 4); static files may be cached.

Chromium enforces form-action on redirects, too. No form is answered by a redirect here: signing in
begins with a link or a script, so that the hub's origin need not be allowed.
"""


_HEADERS = [(key.lower().encode(), value.encode()) for key, value in HEADERS.items()]
_STATIC = [(key, b"max-age=300" if key == b"cache-control" else value) for key, value in _HEADERS]
_SLASHES = re.compile("//+")


class InternalError(TemplatingError):
    """A fault of this server; the log has the details."""

    code = "internal_error"
    title = "This server made a mistake"


class NoSuchPage(TemplatingError):
    """No page has this address, or it cannot be asked in this way."""

    code = "no_such_page"
    status = 404
    title = "There is no such page"


def create_app(
    *,
    service: Service,
    identity: Identity,
    tokens: Tokens,
    portals: Portals,
    look: Look,
    base_url: str = "/templates/",
    public_origin: str = "",
    hosts: Sequence[str] = (),
    ready: Callable[[], Sequence[str]] = tuple,
) -> ASGIApp:
    """Put the web skin around ``service``.

    ``ready`` names what stands against serving requests, in words; nothing means ready.
    """
    urls = Urls(base_url)
    pages = Pages(
        urls,
        look,
        saves=service.saves,
        has_users=identity.has_users,
        signs_in=isinstance(identity, SigningIn),
    )
    signing = Signing(identity, urls, pages) if isinstance(identity, SigningIn) else None

    async def sign_in_first(request: Request) -> Response | None:
        """None when a user asks for a page; else the way to sign in."""
        if await identity.user(caller(request)):
            return None
        if signing:
            return signing.to_login(request)
        raise NotSignedIn

    flow = Flow(
        service=service,
        identity=identity,
        tokens=tokens,
        portals=portals,
        pages=pages,
        public_origin=public_origin,
        sign_in_first=sign_in_first,
    )
    programs = api.Api(service=service, identity=identity, urls=urls, public_origin=public_origin)

    async def catalogue(request: Request) -> Response:
        return await sign_in_first(request) or pages.catalogue(service.listing(), service.languages)

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readiness(request: Request) -> Response:
        listing = service.listing()
        problems = list(await asyncio.to_thread(ready))
        broken = sum(1 for entry in listing.entries if entry.broken)
        found = {"templates": len(listing.entries), "broken": broken, "complete": listing.complete}
        status = {"status": "not ready" if problems else "ready", "problems": problems}
        return JSONResponse(status | found, status_code=503 if problems else 200)

    async def documentation(request: Request) -> Response:
        return pages.api(api.description())

    def failed(request: Request, exc: Exception) -> Response:
        match exc:
            case TemplatingError():
                err = exc
            case HTTPException(status_code=405):
                err = NoSuchPage("This address cannot be used in this way.")
            case HTTPException():
                err = NoSuchPage(
                    "Nothing has this address here. A portal posts to "
                    f"{urls('t')}/<instrument>/<template>.ipynb."
                )
            case _:
                # frames only: the text of an unforeseen error may hold a parameter's value
                frames = " > ".join(
                    f"{frame.filename}:{frame.lineno} {frame.name}"
                    for frame in traceback.extract_tb(exc.__traceback__)
                )
                log.error("unforeseen %s: %s", type(exc).__name__, frames)
                err = InternalError(
                    "This is not your fault, and nothing was created. Please try again; if it "
                    "happens again, tell the people who run this server."
                )
        if err.status >= 500 or err.code == "forbidden":
            log.warning("%s: %s", err.code, err.log)
        if request.url.path.startswith(urls("api")):
            return api.error(err)
        return pages.error(err)

    static = StaticFiles(directory=str(files("nbstamp.web").joinpath("static")))
    routes: list[BaseRoute] = [
        # tried in this order
        Route(f"{base_url}t/{{path:path}}", flow.template, methods=["GET", "POST"]),
        Route(f"{base_url}create", flow.create, methods=["POST"]),
        Route(f"{base_url}api/v1/notebooks", programs.create, methods=["POST"]),
        Mount(f"{base_url}static", static),
        Route(base_url, catalogue),
        Route(f"{base_url}healthz", alive),
        Route(f"{base_url}readyz", readiness),
        Route(f"{base_url}api/docs", documentation),
        Route(f"{base_url}api/v1/openapi.json", programs.openapi),
        Route(f"{base_url}api/v1/templates", programs.templates),
        Route(f"{base_url}api/v1/templates/{{path:path}}", programs.template),
    ]
    if signing:
        routes += signing.routes()
    if base_url != "/":
        routes += [Route(path, _to(base_url)) for path in ("/", base_url.rstrip("/"))]
    # its redirects would go to the Host and the scheme of the request, which a proxy may have
    # changed
    router = Router(routes, redirect_slashes=False)
    return Frame(router, failed=failed, urls=urls, hosts=hosts)


def _to(address: str) -> Callable[[Request], Awaitable[Response]]:
    async def redirect(request: Request) -> Response:
        return RedirectResponse(address, status_code=307)

    return redirect


class Frame:
    """Around every request: one slash where a portal's setting made two, the right host, the
    headers of every answer, one line in the access log, and no traceback for anyone."""

    def __init__(
        self,
        app: Router,
        *,
        failed: Callable[[Request, Exception], Response],
        urls: Urls,
        hosts: Sequence[str] = (),
    ) -> None:
        self._app = app
        self._failed = failed
        self._static = urls("static", "")
        self._hosts = frozenset(host.lower() for host in hosts)

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The route table."""
        return self._app.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # SampleDB with a trailing slash in its setting posts to …//t/… (facts/sampledb.md 5)
        scope["path"] = path = _SLASHES.sub("/", scope["path"])
        # with an application around it, a router raises what it does not know
        scope["app"] = self
        more = _STATIC if path.startswith(self._static) else _HEADERS
        began, status = time.monotonic(), 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        request = Request(scope, receive)
        try:
            if self._hosts:
                self._check_host(request)
            await self._app(scope, receive, framed)
        except Exception as exc:  # the outermost layer: a person must always get a page
            answer = self._failed(request, exc)
            if not status:
                await answer(scope, receive, framed)
        finally:
            milliseconds = (time.monotonic() - began) * 1000
            access.info(
                "%s %s %s %.0f ms", scope["method"], printable(path, 200), status, milliseconds
            )

    def _check_host(self, request: Request) -> None:
        host = request.headers.get("host", "").lower()
        if host not in self._hosts and host.rpartition(":")[0] not in self._hosts:
            raise MalformedRequest(
                f"This server is not known as “{printable(host)}”. Its own names are in the "
                "setting Server.hosts.",
            )
