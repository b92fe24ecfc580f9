"""The server as a process: patience, health, start and stop."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from nbstamp.catalogue.folders import MOMENT
from nbstamp.web.requests import PATIENCE
from support import Launch, Site, notebook


def test_alive_and_ready_are_two_questions(saves: Site) -> None:
    assert saves.client.get(f"{saves.url}healthz").json() == {"status": "alive"}
    ready = saves.client.get(f"{saves.url}readyz")
    assert ready.status_code == 200
    assert ready.json()["templates"] > 3
    assert ready.json()["broken"] == 1


def test_the_front_page_lists_templates_by_instrument(saves: Site) -> None:
    page = saves.client.get(saves.url)
    for text in ("sem", "some_instrument", "A template", "Cannot be used", "jupyter@facility"):
        assert text in page.text
    assert saves.client.get(saves.origin + "/").status_code == 307


@pytest.mark.parametrize("base_url", ["/", "/services/templates/", "services//x"])
def test_every_base_path_works(launch: Launch, base_url: str) -> None:
    site = launch("base" + re.sub(r"\W", "_", base_url), f"--base-url={base_url}")
    assert site.create("sem/plain.ipynb", {"a": 1}).status_code == 200
    assert site.client.get(f"{site.url}static/nbstamp.css").status_code == 200


def test_a_template_is_there_as_soon_as_it_is_saved(saves: Site, templates: Path) -> None:
    path = "sem/brand new.ipynb"
    (templates / path).write_text((templates / "sem/plain.ipynb").read_text())
    assert saves.create(path, {"a": 1}).status_code == 200
    (templates / path).unlink()
    time.sleep(2 * MOMENT)
    assert saves.confirmation(path, {"a": 1}).status_code == 404


def test_a_title_with_half_a_character_spoils_no_page(saves: Site, templates: Path) -> None:
    file = templates / "sem" / "half a character.ipynb"
    made = json.loads((templates / "sem/plain.ipynb").read_text())
    made["cells"][0]["source"] = "# A title \ud83d"
    made["metadata"]["kernelspec"]["display_name"] = "Python \udd2c"
    file.write_text(json.dumps(made))
    path = quote(f"sem/{file.name}")
    deadline = time.monotonic() + 30
    while "A title ?" not in saves.client.get(saves.url).text and time.monotonic() < deadline:
        time.sleep(0.1)
    for page in ("", f"t/{path}", "api/v1/templates", f"api/v1/templates/{path}"):
        answer = saves.client.get(saves.url + page)
        assert answer.status_code == 200
        assert "A title ?" in answer.text
    file.unlink()


def test_only_named_hosts_are_served_where_a_list_is_set(launch: Launch) -> None:
    site = launch("hosts", "--Server.hosts=['127.0.0.1']")
    assert site.client.get(site.url).status_code == 200
    refused = site.client.get(site.url, headers={"Host": "evil.example"})
    assert refused.status_code == 400
    assert "Server.hosts" in refused.text


def test_pages_say_which_languages_were_not_run_in_the_tests(
    launch: Launch, tmp_path: Path
) -> None:
    kernel = {"name": "julia-1.10", "display_name": "Julia 1.10", "language": "julia"}
    (tmp_path / "fit.ipynb").write_text(notebook("x", kernel=kernel))
    site = launch("julia", f"--templates={tmp_path}")
    assert site.client.get(site.url).text.count("not in Julia itself") == 1
    assert "not in Julia itself" in site.confirmation("fit.ipynb", {"x": 1}).text
    assert "itself" not in site.confirmation("sem/plain.ipynb", {"x": 1}).text


def test_half_sent_requests_are_given_up_and_hold_nobody_up(saves: Site) -> None:
    where = urlsplit(saves.url)
    head = f"POST {where.path}t/sem/plain.ipynb HTTP/1.1\r\nHost: x\r\n"
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nparams="
    waiting = []
    for text in ["", "GET /", head, head + form] * 25:
        connection = socket.create_connection((where.hostname, where.port), timeout=PATIENCE * 3)
        connection.sendall(text.encode())
        waiting.append(connection)
    assert saves.create("sem/plain.ipynb", {"a": 1}).status_code == 200
    answers = [connection.recv(10_000) for connection in waiting]
    assert all(not answer or answer.startswith(b"HTTP/1.1 408") for answer in answers)
    assert sum(answer.startswith(b"HTTP/1.1 408") for answer in answers) == 25
    for connection in waiting:
        connection.close()


def test_a_proxy_may_use_an_idle_connection_again(saves: Site) -> None:
    """Longer than uvicorn would keep it: a request that meets a closing connection is lost."""
    where = urlsplit(saves.url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=20)
    connection.auto_open = False  # one connection, or none
    connection.connect()
    for pause in (PATIENCE + 1, 0):
        connection.request("GET", f"{where.path}healthz")
        answer = connection.getresponse()
        assert answer.getheader("Keep-Alive") == "timeout=60"
        assert answer.read() == b'{"status":"alive"}'
        time.sleep(pause)
    connection.close()


def test_a_signal_lets_a_running_request_finish(launch: Launch) -> None:
    site = launch("stopping")
    where = urlsplit(site.url)
    body = b"params=%7B%22a%22%3A1%7D"
    head = (
        f"POST {where.path}t/sem/plain.ipynb HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(head.encode() + body[:5])
        site.client.get(f"{site.url}healthz")
        site.process.send_signal(signal.SIGTERM)
        connection.sendall(body[5:])
        assert connection.recv(20).startswith(b"HTTP/1.1 200")
    assert site.process.wait(20) in (0, -signal.SIGTERM)


def test_a_port_that_is_taken_is_said_in_one_line(templates: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "nbstamp",
                "serve",
                f"--templates={templates}",
                f"--port={port}",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | {"XDG_STATE_HOME": str(tmp_path)},
        )
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_clients_address_and_query_stay_out_of_the_log(saves: Site) -> None:
    # a path of its own: requests of other tests may still be ending
    address = saves.template_url("sem/in the log.ipynb")
    saves.client.get(address + "?params=%7B%22q%22%3A%22query%22%7D")
    # the line is written when the answer is out
    while not (found := re.findall(r"(?m)^.*in the log\.ipynb.*\n", saves.log.read_text())):
        time.sleep(0.02)
    (line,) = found
    assert re.fullmatch(
        r"\S+ \S+ INFO nbstamp\.access: GET /templates/t/sem/in the log\.ipynb 200 \d+ ms\n", line
    )
    forged = saves.template_url("sem/a\n2026-01-01 INFO nbstamp.audit: forged.ipynb")
    saves.client.get(forged)
    assert not re.search(r"^2026-01-01 INFO nbstamp.audit", saves.log.read_text(), re.MULTILINE)


def test_many_large_requests_on_one_connection_are_all_read(saves: Site) -> None:
    for number in range(5):
        page = saves.confirmation("sem/plain.ipynb", {"a": "x" * 200_000, "number": number})
        assert page.status_code == 200
