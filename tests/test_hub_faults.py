"""A hub that is down, slow or answers nonsense: a page in words, and nothing is lost or doubled."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

from hubs import Facility, Person, running_facility
from nbstamp.web.tokens import Tokens
from support import Launch, Site, create_form, forms, stamped

PLAIN = "sem/plain.ipynb"
SECRET = "0123456789abcdef-a-secret-of-this-test"


@pytest.fixture(scope="module")
def facility(
    logs: Path, templates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Facility]:
    arguments = [f"--templates={templates}", "--JupyterHubIdentity.recheck=0"]
    folder = tmp_path_factory.mktemp("faults")
    with running_facility("faults", *arguments, folder=folder, logs=logs) as facility:
        # asked without the hub's proxy, which goes down with the hub
        facility.site.url = facility.site.url.replace(
            str(facility.hub.port), str(facility.service.port)
        )
        yield facility


def signed_in(facility: Facility, user: str = "anna") -> Person:
    person = facility.person()
    facility.hub.sign_in(person.site.client, user, facility.hub.service_url("templates"))
    return person


@contextmanager
def down(facility: Facility) -> Iterator[None]:
    facility.hub.stop()
    try:
        yield
    finally:
        facility.hub.start()


def slow(facility: Facility) -> AbstractContextManager[None]:
    return facility.hub.frozen()


FAULTS = {"down": down, "slow": slow}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_same_pages_work_after_the_hub_is_back(facility: Facility, fault: str) -> None:
    person = signed_in(facility)
    confirmation = create_form(person.site.confirmation(PLAIN, {"a": f"hub {fault}"}))
    arriving = forms(person.site.click(PLAIN, {"a": "a value that arrives"}).text)[0]
    before = facility.site.notebooks()
    with FAULTS[fault](facility):
        began = time.monotonic()
        pressed = person.site.send(confirmation, name=f"{fault}.ipynb")
        print(f"a page after {time.monotonic() - began:.1f} s")
        arrived = person.site.send(arriving)
        catalogue = person.get()
        for page in (pressed, arrived, catalogue):
            assert page.status_code == 502
            assert "JupyterHub does not answer" in page.text
            assert "Nothing was created" in page.text
        assert facility.site.notebooks() == before
        assert person.get("healthz").status_code == 200
    retry = next(form for form in forms(arrived.text) if "Try again" in form.buttons)
    assert create_form(person.site.send(retry)).fields["params"] == '{"a":"a value that arrives"}'
    # the page that was open all the time, and the error page's own button, are one creation
    assert "saved" in person.site.send(confirmation, name=f"{fault}.ipynb").text
    retry = next(form for form in forms(pressed.text) if "Try again" in form.buttons)
    again = person.site.send(retry)
    assert "made before" in person.site.send(create_form(again)).text
    assert set(facility.site.notebooks()) - set(before) == {f"anna/sem/{fault}.ipynb"}


def test_signing_in_begins_again_where_the_hub_was_away(facility: Facility) -> None:
    person = facility.person()
    client = person.site.client
    facility.hub.sign_in(client, "anna")
    url, where = (
        facility.hub.origin,
        f"/services/templates/login?next=/services/templates/t/{PLAIN}",
    )
    while not urlsplit(where).path.endswith("/oauth_callback"):
        url = urljoin(url, where)
        where = client.get(url, follow_redirects=False).headers["location"]
    callback = urljoin(facility.site.url, urlsplit(where)._replace(scheme="", netloc="").geturl())
    with facility.hub.frozen():
        page = client.get(callback)
        assert page.status_code == 502
    assert f"login?next=/services/templates/t/{PLAIN}" in page.text
    refused = client.get(callback)  # the code may be used up by now; if not, it works
    assert refused.status_code in (200, 403)
    through_the_proxy = facility.hub.service_url("templates")
    assert "A template" in client.get(f"{through_the_proxy}t/{PLAIN}").text


def test_a_restart_of_the_hub_keeps_everybody_signed_in(facility: Facility) -> None:
    person = signed_in(facility, "ben")
    confirmation = create_form(person.site.confirmation(PLAIN, {"a": "restart"}))
    facility.hub.restart()
    assert "saved" in person.site.send(confirmation, name="restart").text
    made = facility.site.root / "ben/sem/restart.ipynb"
    assert stamped(made.read_text()) == {"a": "restart"}


# --- Nonsense -----------------------------------------------------------------------------------

ANNA = {"kind": "user", "name": "anna", "scopes": ["access:services!service=templates"]}
JSON = {"Content-Type": "application/json"}
NONSENSE: dict[str, tuple[int, dict[str, str], bytes, int]] = {
    # what: status, headers, body, status of our page (303: nobody is signed in)
    "right": (200, JSON, json.dumps(ANNA).encode(), 200),
    "a fault": (500, {}, b"oops", 502),
    "unavailable": (503, {}, b"", 502),
    "too many requests": (429, {}, b"", 502),
    "a redirect": (302, {"Location": "/hub/login"}, b"", 502),
    "a page": (200, {"Content-Type": "text/html"}, b"<html>", 502),
    "a list": (200, JSON, b"[]", 502),
    "half of it": (200, JSON | {"Content-Length": "500"}, b'{"kind": "user"', 502),
    "bad compression": (200, JSON | {"Content-Encoding": "gzip"}, b"not gzip", 502),
    "bad text": (200, JSON, b"\xff\xfe{", 502),
    "nobody": (200, JSON, b"{}", 303),
    "a service": (200, JSON, json.dumps(ANNA | {"kind": "service"}).encode(), 303),
    "no name": (200, JSON, json.dumps(ANNA | {"name": None}).encode(), 303),
    "no scopes": (200, JSON, json.dumps(ANNA | {"scopes": None}).encode(), 303),
    "other scopes": (200, JSON, json.dumps(ANNA | {"scopes": [["x"], {}]}).encode(), 303),
    "refused": (403, JSON, b'{"status": 403}', 303),
}


class Nonsense(http.server.BaseHTTPRequestHandler):
    """A hub that answers what the path of its API says."""

    def do_GET(self) -> None:
        status, headers, body, _ = NONSENSE[list(NONSENSE)[int(self.path.split("/")[1])]]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def nonsense() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nonsense) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def visit(
    launch: Launch, name: str, api_url: str, **environment: str
) -> tuple[Site, httpx2.Response]:
    """The catalogue, asked for with a session, of a server with this hub."""
    site = launch(
        name,
        "--identity=jupyterhub",
        f"--JupyterHubIdentity.api_url={api_url}",
        "--JupyterHubIdentity.client_id=service-templates",
        environment={
            "NBSTAMP__SERVER__SECRETS": SECRET,
            "NBSTAMP__JUPYTERHUBIDENTITY__API_TOKEN": "0" * 32,
        },
    )
    session = Tokens([SECRET]).seal("session", {"token": "1" * 32})
    return site, site.client.get(site.url, headers={"Cookie": f"nbstamp-session={session}"})


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_not_a_user(launch: Launch, nonsense: str, what: str) -> None:
    number = list(NONSENSE).index(what)
    site, page = visit(launch, f"nonsense{number}", f"{nonsense}/{number}/hub/api")
    expected = NONSENSE[what][3]
    assert page.status_code == expected
    if expected == 502:
        assert "JupyterHub does not answer" in page.text
    assert "unforeseen" not in site.log.read_text()


def test_a_hub_that_drips_is_given_up_in_time(launch: Launch) -> None:
    """An answer that goes on and on, a byte at a time, so that no read of it is ever too long."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                try:
                    while not stop.wait(0.2):
                        connection.sendall(b" ")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/hub/api"
        _, page = visit(launch, "drips", url)
        stop.set()
        thread.join()
    assert page.status_code == 502
