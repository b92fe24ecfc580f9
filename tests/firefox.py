"""Firefox as Debian has it, by Marionette, the protocol that it speaks itself: each message is its
length, a colon, and JSON."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from hubs import free_port
from support import missing_tool

PATIENCE = 90
SETTINGS = """
user_pref("marionette.port", {port});
user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 9);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 9);
"""
"""The proxy is none: what is not on this machine, where Firefox asks no proxy, is out of reach."""


class Firefox:
    """One window."""

    def __init__(self, connection: socket.socket, answers: BinaryIO) -> None:
        self._connection = connection
        self._answers = answers
        self._read()  # who it is
        self._ask("NewSession")

    @property
    def url(self) -> str:
        return str(self._ask("GetCurrentURL")["value"])

    def goto(self, url: str) -> None:
        self._ask("Navigate", url=url)

    def click(self, selector: str) -> None:
        self._do("ElementClick", selector)

    def fill(self, selector: str, text: str) -> None:
        self._do("ElementSendKeys", selector, text=text)

    def wait_for(self, selector: str, text: str) -> None:
        """Wait until people see ``text`` in the first such element."""
        deadline = time.monotonic() + PATIENCE
        while text not in (seen := str(self._do("GetElementText", selector)["value"])):
            assert time.monotonic() < deadline, f"{text!r} is not in {seen!r}"
            time.sleep(0.2)

    def _do(self, command: str, selector: str, **options: Any) -> dict[str, Any]:
        """Do something with an element once it is there; pages come and go meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found = self._ask("FindElement", using="css selector", value=selector)["value"]
                return self._ask(command, id=next(iter(found.values())), **options)
            except Refused:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _ask(self, command: str, **options: Any) -> dict[str, Any]:
        message = json.dumps([0, 1, f"WebDriver:{command}", options]).encode()
        self._connection.sendall(b"%d:%s" % (len(message), message))
        _, _, error, answer = self._read()
        if error:
            raise Refused(f"{command}: {error['error']}: {error['message']}")
        return dict(answer)

    def _read(self) -> Any:
        size = b""
        while (byte := self._answers.read(1)) != b":":
            assert byte, "Firefox is gone"
            size += byte
        return json.loads(self._answers.read(int(size)))


class Refused(Exception):
    """Firefox could not do it, or not yet."""


@contextmanager
def running_firefox(folder: Path) -> Iterator[Firefox]:
    """Run Firefox with a new profile in ``folder``."""
    program = shutil.which("firefox-esr") or shutil.which("firefox") or missing_tool("firefox-esr")
    port = free_port()
    (folder / "user.js").write_text(SETTINGS.format(port=port))
    command = [program, "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | {"HOME": str(folder)}
        )
    try:
        with _connected(port, process) as connection, connection.makefile("rb") as answers:
            yield Firefox(connection, answers)
    finally:
        process.terminate()
        process.wait(30)


def _connected(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
