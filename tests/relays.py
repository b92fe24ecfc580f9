"""Small reverse proxies on loopback, for what real ones do to a request."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2


class Relay(http.server.ThreadingHTTPServer):
    """Sends each request to the next of ``upstreams``, with ``headers`` put over its own."""

    daemon_threads = True

    def __init__(self, upstreams: Sequence[str], headers: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstreams = list(upstreams)
        self.headers = dict(headers)
        self.steps: list[tuple[str, str]] = []
        """Path and upstream of every request so far, without static files."""
        # one client for all browsers: it must not keep their cookies
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self.client = httpx2.Client(timeout=60, trust_env=False, cookies=no_cookies)
        self._lock = threading.Lock()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def upstream(self, path: str) -> str:
        """Where a request for ``path`` goes."""
        with self._lock:
            if "/static/" in path or "/healthz" in path:
                return self.upstreams[0]
            chosen = self.upstreams[len(self.steps) % len(self.upstreams)]
            self.steps.append((path.partition("?")[0], chosen))
            return chosen


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        headers |= self.server.headers
        url = self.server.upstream(self.path) + self.path
        try:
            answer = self.server.client.request(
                self.command, url, headers=headers, content=body or None
            )
        except httpx2.TransportError:
            self.send_error(502)
            return
        self.send_response(answer.status_code)
        for name, value in answer.headers.multi_items():
            if name not in ("transfer-encoding", "connection", "date", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_POST = do_GET  # noqa: N815 (the name that http.server calls)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: paths may hold values."""


@contextmanager
def relay(*upstreams: str, headers: Mapping[str, str] | None = None) -> Iterator[Relay]:
    """Run a relay."""
    with Relay(upstreams, headers or {}) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.client.close()
