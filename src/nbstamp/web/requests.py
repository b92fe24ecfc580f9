"""What a request is allowed to say: its body within limits, and where it was sent from.

Nothing here changes anything. Cookies, hosts and origins are never taken as proof of anything
that DESIGN section 3 does not name.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from starlette.requests import Request

from nbstamp.core.errors import Forbidden, MalformedRequest, SlowRequest, TooLarge
from nbstamp.core.forms import read_form
from nbstamp.core.parameters import Limits, printable
from nbstamp.identity.base import Caller
from nbstamp.portals.base import web_origin

PATIENCE = 10.0
"""Seconds without a byte after which a request is given up."""
FORM = "application/x-www-form-urlencoded"


async def read_body(request: Request, limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes.

    A longer one is read to its end and dropped (within reason), because a browser that is still
    sending does not show the answer. Raises :class:`TooLarge` or :class:`SlowRequest`.
    """
    pieces: list[bytes] = []
    size = 0
    now = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(PATIENCE) as patience:
            while size <= 8 * limit:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise SlowRequest("The connection was closed before the request was complete.")
                size += len(piece := message.get("body", b""))
                if size <= limit:
                    pieces.append(piece)
                else:
                    pieces.clear()
                if not message.get("more_body"):
                    break
                patience.reschedule(now() + PATIENCE)
    except TimeoutError:
        raise SlowRequest(
            f"No more data arrived for {PATIENCE:.0f} seconds. Please try again from the portal."
        ) from None
    if size > limit:
        raise TooLarge(
            f"The request has {size:,} bytes; this server accepts {limit:,}. "
            "Ask the person who wrote the action's schema to send fewer or smaller values."
        )
    return b"".join(pieces)


async def read_form_body(request: Request, limits: Limits) -> dict[str, str]:
    """Read an url-encoded form strictly.

    A page of ours sends the parameters as ASCII JSON, which may take up to twice the bytes that
    the portal sent, so twice the limit is read; :func:`check_arriving` holds a portal to it.
    Raises the errors of :func:`read_body` and :func:`~nbstamp.core.forms.read_form`.
    """
    kind, _, options = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != FORM:
        raise MalformedRequest(
            f"The form was sent as “{printable(kind) or 'no content type'}”; this server reads "
            f"{FORM}, the default of an HTML form."
        )
    charset = options.strip().lower().removeprefix("charset=").strip('"')
    if charset not in ("", "utf-8", "utf8"):
        raise MalformedRequest(f"The form is in “{printable(charset)}”; UTF-8 would be right.")
    return read_form(await read_body(request, 2 * limits.body))


def caller(request: Request, *, program: bool = False) -> Caller:
    """What ``request`` says about who sends it; a program has no cookies."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Caller(
        headers,
        {} if program else request.cookies,
        request.client.host if request.client else "",
    )


class Sender(Enum):
    """Which page sent a request, as far as the browser says."""

    OWN = "a page of this origin"
    FOREIGN = "a page of another origin"
    UNKNOWN = "not said: an old browser, or none"


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a request came from."""

    sender: Sender
    origin: str
    """Origin of the sending page if it is a foreign one and said so, else empty."""


def sent_from(request: Request, public_origin: str) -> Sent:
    """Read ``Sec-Fetch-Site`` first and ``Origin`` second; browsers leave the former out on plain
    http (facts/sampledb.md section 2).
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    claimed = web_origin(origin or request.headers.get("referer"))
    if site is not None:
        if site in ("same-origin", "none"):
            return Sent(Sender.OWN, "")
        return Sent(Sender.FOREIGN, claimed)
    if origin is None:
        return Sent(Sender.UNKNOWN, "")
    if claimed and same_host(claimed, request, public_origin):
        return Sent(Sender.OWN, "")
    return Sent(Sender.FOREIGN, claimed)


def same_host(origin: str, request: Request, public_origin: str) -> bool:
    """True when ``origin`` is this server's: the configured one, else the one asked for. Its scheme
    is not compared in the second case, because a proxy may have taken TLS off."""
    if public_origin:
        return origin == public_origin
    asked = web_origin(f"{urlsplit(origin).scheme}://{request.headers.get('host', '')}")
    return origin == asked


def require_own_page(request: Request, public_origin: str) -> None:
    """Raise :class:`Forbidden` unless a page of ours may have sent this navigation.

    Browsers that say nothing are let through: what they send must hold a token all the same.
    """
    sent = sent_from(request, public_origin)
    mode = request.headers.get("sec-fetch-mode", "navigate")
    target = request.headers.get("sec-fetch-dest", "document")
    if sent.sender is Sender.FOREIGN or (mode, target) != ("navigate", "document"):
        raise Forbidden(
            "Notebooks are only created from the confirmation page of this server; this request "
            "came from somewhere else. Nothing was created.",
            log=f"refused: site={request.headers.get('sec-fetch-site')} mode={mode} dest={target} "
            f"origin={printable(sent.origin)} host={printable(request.headers.get('host', ''))}; "
            "if this is the server's own address, set Server.public_url",
        )
