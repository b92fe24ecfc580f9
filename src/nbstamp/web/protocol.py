"""HTTP/1.1 on a socket, with the patience and the limits that uvicorn leaves to a proxy in front.

Knows nothing of what is served.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nbstamp.web.requests import PATIENCE

LONGEST_HEAD = 64 * 2**10
"""Bytes of a request line and its headers; proxies in front allow 8 to 16 kB."""
IDLE = 75
"""Seconds for which a connection is kept between requests. A proxy that sends a request at the very
moment in which its connection is closed has no answer to give, so the proxy is to close first:
nginx does after 60 seconds, and JupyterHub's proxy after what ``Keep-Alive`` says."""


class PatientProtocol(HttpToolsProtocol):
    """Gives up a connection whose request line and headers do not arrive, or do not end.

    The body has the same patience in :func:`nbstamp.web.requests.read_body`, with a page in words.
    """

    _in_head = False
    _head = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        self._disarm()
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head > LONGEST_HEAD:
            self.send_400_response("The request's headers are too large.")
        elif not self.cycle or self.cycle.response_complete:
            self._arm()

    def on_message_begin(self) -> None:
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._timer = self.loop.call_later(PATIENCE, self.transport.close)

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def settings(**others: Any) -> dict[str, Any]:
    """Arguments of :class:`uvicorn.Config` for every server that this project starts."""
    return {
        "http": PatientProtocol,
        "ws": "none",
        "lifespan": "off",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "proxy_headers": False,
        "headers": [("Keep-Alive", f"timeout={IDLE - 15}")],
        "timeout_keep_alive": IDLE,
        "timeout_graceful_shutdown": 10,
        **others,
    }
