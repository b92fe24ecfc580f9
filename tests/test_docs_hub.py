"""The how-tos for hubs: their configurations run, and other programs take the files for them."""

from __future__ import annotations

import configparser
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from hubs import Hub, LaunchHub, free_port
from nbstamp.app import check, read_environment, read_file
from relays import certificate, program
from support import TOKENS, Launch
from test_docs import ROOT, one

HUB, OTHER = "docs/how-to/connect-jupyterhub.md", "docs/how-to/other-hubs.md"
UNIT = ROOT / "deploy/nbstamp.service"
VALUES, MANIFEST = (ROOT / "deploy/kubernetes" / name for name in ("values.yaml", "nbstamp.yaml"))
ORDINARY = "c.JupyterHub.load_roles = [r for r in c.JupyterHub.load_roles if r['name'] != 'user']\n"
"""The pages say themselves what the role “user” is."""


def put(text: str, changes: Mapping[str, str]) -> str:
    """``text`` with names of an example replaced by real ones; all of them must be there."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def prove(hub: Hub) -> None:
    """An ordinary user gets in, and nbstamp gets what it needs and is ready."""
    url = hub.wait_for_service("templates")
    with httpx2.Client(timeout=60, trust_env=False) as client:
        hub.sign_in(client, "anna")
        page = client.get(url, follow_redirects=True)
        assert (page.status_code, str(page.url)) == (200, url), page.text
        assert "A template" in page.text
    tokens = hub.api("GET", "/users/anna/tokens").json()["api_tokens"]
    (granted,) = (t["scopes"] for t in tokens if "templates" in t["oauth_client"])
    assert {"access:servers!user=anna", "read:servers!user=anna"} <= set(granted)
    ready = httpx2.get(f"{url}readyz", trust_env=False).json()
    assert (ready["status"], ready["problems"]) == ("ready", [])


def server_config(text: str, hub: Hub, templates: Path, file: Path, **more: str) -> None:
    """Write a page's ``nbstamp_config.py`` with the addresses of a real hub."""
    changes = {
        "/srv/templates": str(templates),
        "https://jupyter.example": hub.origin,
        "http://127.0.0.1:8081": hub.api_url.removesuffix("/hub/api"),
        "http://127.0.0.1:8000": hub.origin,
    }
    file.write_text(put(text, {**changes, **more}), encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", HUB, OTHER])
def test_a_managed_service_needs_no_more_than_these_lines(
    launch_hub: LaunchHub, templates: Path, tmp_path: Path, page: str
) -> None:
    config = tmp_path / "nbstamp_config.py"
    config.write_text(
        put(one(HUB, "python", "Server.identity"), {"/srv/templates": str(templates)})
    )
    environment = f'''{{
        "NBSTAMP__SERVER__STATE_DIR": "{tmp_path}/state",
        "NBSTAMP__CONTENTSSTORAGE__PROXY_URL": c.JupyterHub.bind_url,
    }}'''
    here = f'"cwd": "{tmp_path}", "oauth_no_confirm"'
    changes = {'"https://jupyter.example"': "c.JupyterHub.bind_url", ":8803": f":{free_port()}"}
    program = f'"{sys.executable}", "-m", "nbstamp"'
    if page == "README.md":
        changes |= {'["nbstamp"': f"[{program}", "/srv/templates": str(templates)}
        here = f'"environment": {{"NBSTAMP__SERVER__STATE_DIR": "{tmp_path}/state"}}, {here}'
    else:
        changes |= {
            '"/opt/nbstamp/bin/nbstamp"': program,
            "/etc/nbstamp/nbstamp_config.py": str(config),
        }
    if page == HUB:
        here = f'"environment": {environment}, {here}'
    if page == OTHER:
        changes |= {
            '    "user": "nbstamp",\n': "",
            '{"NBSTAMP__SERVER__STATE_DIR": "/var/lib/nbstamp"}': environment,
        }
    lines = put(one(page, "python", '"command"'), {**changes, '"oauth_no_confirm"': here})
    prove(launch_hub(f"docs-{Path(page).stem}", config=ORDINARY + lines))


def test_an_external_service_needs_no_more_than_these_lines(
    launch_hub: LaunchHub, launch: Launch, templates: Path, tmp_path: Path
) -> None:
    token, port = tmp_path / "hub_token", free_port()
    token.write_text(secrets.token_hex(32))
    TOKENS.add(token.read_text())
    changes = {
        '"https://jupyter.example"': "c.JupyterHub.bind_url",
        ":8803": f":{port}",
        "/etc/nbstamp/hub_token": str(token),
    }
    lines = put(one(OTHER, "python", "oauth_redirect_uri"), changes)
    hub = launch_hub("docs-external", config=ORDINARY + lines)
    config = tmp_path / "nbstamp_config.py"
    server_config(one(OTHER, "python", "JupyterHubIdentity.client_id"), hub, templates, config)
    environment = {"NBSTAMP__JUPYTERHUBIDENTITY__API_TOKEN_FILE": str(token)}
    launch("docs-external", f"--port={port}", "-f", str(config), environment=environment)
    prove(hub)


def test_the_files_for_kubernetes_belong_together(
    launch_hub: LaunchHub, launch: Launch, templates: Path, tmp_path: Path
) -> None:
    port, token = free_port(), secrets.token_hex(32)
    TOKENS.add(token)
    values = yaml.safe_load(VALUES.read_text(encoding="utf-8"))["hub"]
    # as the chart's own jupyterhub_config.py makes lists of them
    services = [{"name": name, "api_token": token, **v} for name, v in values["services"].items()]
    roles = [{"name": name, **v} for name, v in values["loadRoles"].items()]
    (address,) = {service["url"] for service in services}
    assert service_of_manifest() == {"name": "nbstamp", "port": 8803}
    assert address == "http://nbstamp:8803"
    services[0]["url"] = f"http://127.0.0.1:{port}"
    lines = f"c.JupyterHub.services += {services!r}\nc.JupyterHub.load_roles += {roles!r}\n"
    hub = launch_hub("docs-kubernetes", config=ORDINARY + lines)
    config = tmp_path / "nbstamp_config.py"
    text = put(
        of_kind("ConfigMap")["data"]["nbstamp_config.py"],
        {
            "http://hub:8081": "http://127.0.0.1:8081",
            "http://proxy-public": "http://127.0.0.1:8000",
        },
    )
    server_config(text, hub, templates, config)
    container = pod()["containers"][0]
    variables = {each["name"]: each for each in container["env"]}
    secret = variables["NBSTAMP__JUPYTERHUBIDENTITY__API_TOKEN"]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": "hub", "key": f"hub.services.{services[0]['name']}.apiToken"}
    environment = {"NBSTAMP__JUPYTERHUBIDENTITY__API_TOKEN": token}
    launch("docs-kubernetes", f"--port={port}", "-f", str(config), environment=environment)
    prove(hub)
    for probe in ("livenessProbe", "readinessProbe"):
        path = container[probe]["httpGet"]["path"]
        assert httpx2.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code == 200


def of_kind(kind: str) -> Any:
    """The one object of this kind in the manifest."""
    objects = yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))
    (found,) = (each for each in objects if each["kind"] == kind)
    return found


def pod() -> Any:
    return of_kind("Deployment")["spec"]["template"]["spec"]


def service_of_manifest() -> dict[str, Any]:
    service = of_kind("Service")
    (port,) = service["spec"]["ports"]
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    return {"name": service["metadata"]["name"], "port": port["port"]}


def test_what_a_pod_mounts_is_there_and_what_it_runs_is_understood(tmp_path: Path) -> None:
    (container,) = pod()["containers"]
    assert {each["name"] for each in container["volumeMounts"]} == {
        each["name"] for each in pod()["volumes"]
    }
    assert container["args"][:2] == ["nbstamp", "serve"]
    config = tmp_path / "nbstamp_config.py"
    config.write_text(of_kind("ConfigMap")["data"]["nbstamp_config.py"])
    check(read_file(config))
    (tmp_path / "secrets").write_text("x")
    names = [each["name"] for each in container["env"]]
    read_environment({name: str(tmp_path / "secrets") for name in names})
    assert pod()["securityContext"]["runAsNonRoot"]
    dockerfile = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    assert f"USER {pod()['securityContext']['runAsUser']}:" in dockerfile
    assert str(container["args"]).replace("'", '"') in dockerfile


# --- For other programs ---------------------------------------------------------------------------


def checked(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def certified(folder: Path) -> dict[str, str]:
    """The certificate of the pages, as files that are there."""
    certificate(folder)
    return {
        "/etc/ssl/jupyter.example.pem": f"{folder}/cert.pem",
        "/etc/ssl/jupyter.example.key": f"{folder}/key.pem",
    }


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8")
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(text)
    assert unit["Service"]["RestartPreventExitStatus"] == "2"
    config = tmp_path / "nbstamp.service"
    config.write_text(put(text, {"/opt/nbstamp/bin/nbstamp": sys.executable}))
    checked(program("systemd-analyze", "systemd"), "verify", "--man=no", str(config))


def test_nginx_takes_the_lines_for_a_proxy_in_front(tmp_path: Path) -> None:
    nginx, port = program("nginx", "nginx"), free_port()
    changes = certified(tmp_path) | {"listen 443": f"listen 127.0.0.1:{port}"}
    text = put(one(OTHER, "nginx", "proxy_pass"), changes)
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"{user} daemon off; pid {tmp_path}/pid; events {{}} "
        f"http {{ access_log off; {temporary} {text} }}"
    )
    command = [nginx, "-p", str(tmp_path), "-e", str(tmp_path / "error.log"), "-c", str(config)]
    checked(*command, "-t")
    process = subprocess.Popen(command)
    try:
        url = f"https://127.0.0.1:{port}/templates/t/sem/fit_%7Ba%7D%20b.ipynb"
        with httpx2.Client(
            verify=False, trust_env=False, transport=httpx2.HTTPTransport(verify=False, retries=9)
        ) as client:
            answer = client.post(
                url, data={"params": "x" * 2**21}, headers={"Host": "jupyter.example"}
            )
        assert answer.status_code == 308
        target = "https://jupyter.example/services/templates/t/sem/fit_%7Ba%7D%20b.ipynb"
        assert answer.headers["location"] == target
    finally:
        process.terminate()
        process.wait(20)


def test_apache_takes_the_lines_for_a_proxy_in_front(tmp_path: Path) -> None:
    apache = program("apache2", "apache2")
    text = put(one(OTHER, "apache", "ProxyPass"), certified(tmp_path))
    modules = ("alias", "authz_core", "headers", "mpm_event", "proxy", "proxy_http", "ssl")
    load = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in modules
    )
    config = tmp_path / "apache.conf"
    config.write_text(
        f"ServerRoot {tmp_path}\nServerName localhost\nErrorLog {tmp_path}/error.log\n"
        f"PidFile {tmp_path}/pid\nDefaultRuntimeDir {tmp_path}\n{load}{text}"
    )
    checked(apache, "-t", "-f", str(config))
