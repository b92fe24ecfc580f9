"""The hubs that other tests are built on: they start, sign in, serve and stop."""

from __future__ import annotations

from pathlib import Path

import httpx2
import psutil
import pytest

from hubs import SCOPES, LaunchHub, external_service, managed
from support import Launch


@pytest.mark.parametrize(
    ("version", "proxy", "base_url"),
    [("6", "npm", "/"), ("6", "python", "/jupyter/"), ("5", "npm", "/")],
)
def test_a_hub_serves_its_users_and_stops_with_everything(
    launch_hub: LaunchHub, version: str, proxy: str, base_url: str
) -> None:
    name = f"hub{version}-{proxy}"
    hub = launch_hub(name, version=version, proxy=proxy, base_url=base_url, users=["anna"])
    assert hub.api("GET", "/").json()["version"].startswith(version)
    with httpx2.Client(timeout=60, trust_env=False) as client:
        assert hub.sign_in(client, "anna").status_code == 200
    assert not hub.ready("anna")
    hub.start_server("anna")
    headers = {"Authorization": f"token {hub.token('anna', SCOPES)}"}
    url = f"{hub.url}user/anna/api/contents/made.ipynb"
    content = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    body = {"type": "notebook", "format": "json", "content": content}
    answer = httpx2.put(url, json=body, headers=headers, timeout=60, trust_env=False)
    assert answer.status_code == 201
    assert (hub.home("anna") / "made.ipynb").exists()
    hub.restart()
    assert hub.process
    processes = psutil.Process(hub.process.pid).children(recursive=True)
    assert processes
    hub.stop()
    assert not [process for process in processes if process.is_running()]


def test_nbstamp_is_a_managed_service(launch_hub: LaunchHub, templates: Path) -> None:
    service = managed(f"--templates={templates}")
    hub = launch_hub("managed", services=[service])
    answer = httpx2.get(f"{hub.service_url(service)}healthz", trust_env=False)
    assert answer.json() == {"status": "alive"}


def test_nbstamp_is_an_external_service(launch_hub: LaunchHub, launch: Launch) -> None:
    hub = launch_hub("external", services=[service := external_service()])
    environment = hub.environment(service)
    launch("external", f"--port={service.port}", environment=environment)
    answer = httpx2.get(f"{hub.service_url(service)}healthz", trust_env=False)
    assert answer.json() == {"status": "alive"}
