"""A loopback proxy that misbehaves as it is told, between nbstamp and a hub or its proxy."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit


class Reply(NamedTuple):
    """An answer of the proxy's own."""

    status: int
    body: bytes = b""
    kind: str = "text/html"
    headers: tuple[tuple[str, str], ...] = ()


class Cut(NamedTuple):
    """The connections end: in the middle of the request's body, or before the answer is passed on
    although the request was carried out."""

    sent: float
    """How much of the request is passed on: 0.5 is half of its body, 1 is all of it."""


class Slow(NamedTuple):
    """The answer comes late."""

    seconds: float


Action = Reply | Cut | Slow | None
Rule = Callable[[str, str], Action]
"""Method and path of a request to what becomes of it; None passes it on."""


class Between:
    """The proxy. ``rule`` can be changed at any time, and ``seen`` has what was asked."""

    def __init__(self, behind: str) -> None:
        self.rule: Rule = lambda method, path: None
        self.seen: list[tuple[str, str]] = []
        self.hosts: set[str] = set()
        self.behind = urlsplit(behind)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def once(self, method: str, part: str, action: Action) -> None:
        """Do ``action`` to the first request with this method and a path that holds ``part``."""
        left = [action]

        def rule(asked: str, path: str) -> Action:
            return left.pop() if left and asked == method and part in path else None

        self.rule = rule

    def always(self, part: str, action: Action) -> None:
        """Do ``action`` to every request whose path holds ``part``."""
        self.rule = lambda method, path: action if part in path else None

    @contextmanager
    def running(self) -> Iterator[Between]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                between.seen.append((self.command, self.path))
                between.hosts.add(self.headers.get("Host", ""))
                action = between.rule(self.command, self.path)
                self.close_connection = True
                match action:
                    case Reply(status, answer, kind, headers):
                        self._answer(status, answer, kind, headers)
                        return
                    case Slow(seconds):
                        time.sleep(seconds)
                    case Cut(sent):
                        self._pass_on(body, sent)
                        return
                    case None:
                        pass
                status, answer, kind = self._pass_on(body, 1)
                self._answer(status, answer, kind, ())

            do_PUT = do_PATCH = do_DELETE = do_POST = do_GET  # noqa: N815 - names of the library

            def _pass_on(self, body: bytes, sent: float) -> tuple[int, bytes, str]:
                behind = http.client.HTTPConnection(
                    str(between.behind.hostname), between.behind.port, timeout=60
                )
                behind.putrequest(self.command, self.path, skip_host=True)
                for key, value in self.headers.items():
                    behind.putheader(key, value)
                behind.endheaders()
                behind.send(body[: int(len(body) * sent)])
                try:
                    if sent < 1:
                        return 0, b"", ""
                    answer = behind.getresponse()
                    kind = answer.headers.get("Content-Type", "text/html")
                    return answer.status, answer.read(), kind
                finally:
                    behind.close()

            def _answer(
                self, status: int, body: bytes, kind: str, headers: tuple[tuple[str, str], ...]
            ) -> None:
                try:
                    self.send_response(status)
                    for key, value in (
                        ("Content-Type", kind),
                        ("Content-Length", str(len(body))),
                        ("Connection", "close"),
                        *headers,
                    ):
                        self.send_header(key, value)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:  # whoever asked has given up
                    pass

        return Handler
