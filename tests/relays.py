"""Reverse proxies on loopback: a small one, for what real ones do to a request, and nginx."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx2

from hubs import free_port
from support import missing_tool


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


@contextmanager
def nginx(folder: Path, location: str, *, port: int = 0, tls: bool = False) -> Iterator[str]:
    """Run nginx with a ``location``; its origin. ``folder/cert.pem`` is its certificate, of its own
    making."""
    found = program("nginx", "nginx")
    port = port or free_port()
    user = "user root;" if os.getuid() == 0 else ""
    secure = ""
    if tls:
        certificate(folder)
        secure = f"ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem"
    (folder / "nginx.conf").write_text(
        f"""
        {user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
            fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
            server {{ listen 127.0.0.1:{port} {secure}; {location} }}
        }}
        """
    )
    process = subprocess.Popen(
        [found, "-p", str(folder), "-e", str(folder / "error.log"), "-c", "nginx.conf"]
    )
    try:
        for _ in range(200):
            if (folder / "nginx.pid").exists() and (folder / "nginx.pid").read_text().strip():
                break
            try:
                process.wait(0.05)
                raise AssertionError((folder / "error.log").read_text())
            except subprocess.TimeoutExpired:
                continue
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def certificate(folder: Path) -> None:
    """Make ``cert.pem``, which is good for 127.0.0.1, and its ``key.pem``."""
    made = subprocess.run(
        [
            program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes",
            "-subj", "/CN=jupyter.example", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
            "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem",
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr


def program(name: str, package: str) -> str:
    """The path of a program, which may be for root alone."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    return found or missing_tool(package)
