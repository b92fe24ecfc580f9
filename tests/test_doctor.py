"""``nbstamp doctor`` on real deployments, right ones and deliberately wrong ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from hubs import SCOPES, Hub, HubService, external_service, free_port, managed, running_hub
from relays import nginx
from support import TOKENS, Launch, Site, notebook, start

OPEN, POOR, CLOSED = "open", "poor", "closed"
"""Services: one that is right, one without scopes, one that users may not use."""


@dataclass
class Report:
    """What the doctor says."""

    code: int
    text: str

    @property
    def wrong(self) -> list[str]:
        """The checks that found something."""
        return self._checks("WRONG")

    @property
    def unseen(self) -> list[str]:
        return self._checks("not seen")

    def says(self, text: str) -> bool:
        """Whether it says ``text``, whatever the lines."""
        return text in " ".join(self.text.split())

    def _checks(self, verdict: str) -> list[str]:
        lines = [line for line in self.text.splitlines() if line.startswith(f"{verdict} ")]
        return [line.removeprefix(verdict).partition(":")[0].strip() for line in lines]


Doctor = Callable[..., Report]


@pytest.fixture(scope="module")
def good_templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every template can be used."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "sem").mkdir()
    (folder / "sem" / "fit_{sample}.ipynb").write_text(notebook("print(sample)"))
    return folder


@pytest.fixture
def doctor(tmp_path: Path, good_templates: Path) -> Doctor:
    """Runs the doctor for a server with good templates and arguments of the test's choice."""

    def run(
        *arguments: str, environment: Mapping[str, str] | None = None, token: str = ""
    ) -> Report:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("NBSTAMP", "JUPYTER"))}
        own = {"XDG_STATE_HOME": str(tmp_path / "state"), "NBSTAMP_TOKEN": token}
        own["NBSTAMP__SERVER__TEMPLATES"] = str(good_templates)
        done = subprocess.run(
            [sys.executable, "-m", "nbstamp", "doctor", *arguments],
            cwd=tmp_path,
            env=clean | own | dict(environment or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = done.stdout + done.stderr
        assert "Traceback" not in said, said
        assert not [each for each in TOKENS if each in said]
        return Report(done.returncode, said)

    return run


# --- Without a hub --------------------------------------------------------------------------------


@pytest.fixture
def site(launch: Launch, good_templates: Path) -> Site:
    return launch("doctor-nobody", f"--Server.templates={good_templates}")


def at(site: Site) -> list[str]:
    """Arguments for the doctor of a server."""
    return [f"--url={site.url}", f"--Server.state_dir={site.log.parent}/state/nbstamp"]


def test_a_server_for_downloads_is_right(doctor: Doctor, site: Site) -> None:
    report = doctor(*at(site))
    assert report.code == 0, report.text
    assert report.says("All is right.")
    assert report.says(f"SAMPLEDB_JUPYTERHUB_TEMPLATES_URL={site.url.rstrip('/')}")


def test_the_doctor_makes_nothing(doctor: Doctor, tmp_path: Path) -> None:
    report = doctor()
    assert report.code == 1
    assert report.unseen == ["public address"]
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_that_cannot_be_used_is_a_finding(doctor: Doctor) -> None:
    report = doctor("--Server.prot=1")
    assert (report.code, report.wrong) == (1, ["configuration"])
    assert report.says("did you mean 'Server.port'?")
    report = doctor("--Server.identity=jupyterhub")
    assert (report.code, report.wrong) == (1, ["configuration"])
    assert report.says("nbstamp doctor --pid")


def test_what_is_not_there_is_a_matter_of_usage(doctor: Doctor) -> None:
    assert doctor("-f", "nowhere.py").code == 2
    assert doctor("--pid", str(os.getpid())).code == 2
    assert doctor("--pid", "1", "-f", "nowhere.py").code == 2
    assert doctor("--pid", "99999999").code == 2


def test_broken_templates_are_named_with_their_reason(
    doctor: Doctor, site: Site, templates: Path
) -> None:
    report = doctor(*at(site), f"--Server.templates={templates},{templates}/none")
    assert report.wrong == ["templates", "templates"]
    assert report.says(f"there is no folder {templates}/none")
    assert report.says("sem/broken.ipynb cannot be used")


def test_a_storage_says_what_is_wrong(doctor: Doctor, site: Site, tmp_path: Path) -> None:
    report = doctor(*at(site), "--Server.storage=folder", f"--FolderStorage.root={tmp_path}/none")
    assert report.wrong == ["storage"]


def test_keys_are_for_the_server_alone(doctor: Doctor, site: Site, tmp_path: Path) -> None:
    secret = (site.log.parent / "state" / "nbstamp" / "secret").read_text()
    TOKENS.add(secret.strip())
    file = tmp_path / "secrets"
    file.write_text(secret)
    file.chmod(0o600)
    variable = {"NBSTAMP__SERVER__SECRETS_FILE": str(file)}
    assert doctor(*at(site), environment=variable).code == 0
    file.chmod(0o644)
    report = doctor(*at(site), environment=variable)
    assert report.wrong == ["keys"]
    assert report.says(f"chmod o= {file}")
    config = tmp_path / "nbstamp_config.py"
    config.write_text(f'c.Server.secrets = ["{"0123456789abcdef" * 2}"]\n')
    config.chmod(0o644)
    report = doctor(*at(site), "-f", str(config))
    assert report.wrong == ["keys", "keys"]
    assert report.says(f"chmod o= {config}")
    assert report.says("has other secrets than this configuration")


def test_an_address_must_lead_to_the_server_and_be_encrypted(doctor: Doctor, site: Site) -> None:
    port = free_port()
    report = doctor(f"--url=http://127.0.0.1:{port}/templates/", f"--Server.port={port}")
    assert report.wrong == ["public address"]
    assert report.says("Start it")
    own = site.url.rsplit(":", 1)[1].partition("/")[0]
    report = doctor(f"--url=http://127.0.0.1:{port}/templates/", f"--Server.port={own}")
    assert report.says("the server itself runs")
    report = doctor("--Server.public_url=http://notebooks.invalid")
    assert report.wrong == ["https", "public address"]
    assert report.says('c.Server.public_url = "https://')


# --- Behind a proxy -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "wrong", "said"),
    [
        ("location / {{ proxy_pass {origin}; client_max_body_size 16m; }}", [], ""),
        ("location / {{ proxy_pass {origin}; }}", ["large objects"], "client_max_body_size 16m;"),
        (
            "location /templates/t/ {{ return 302 {origin}$request_uri; }}"
            "location / {{ proxy_pass {origin}; }}",
            ["click"],
            "return 308",
        ),
        (
            "client_max_body_size 16m;"
            "location /templates/t/ {{ return 308 {origin}$request_uri; }}"
            "location / {{ proxy_pass {origin}; }}",
            [],
            "",
        ),
        (
            "location /templates/t/ {{ return 401; }} location / {{ proxy_pass {origin}; }}",
            ["click"],
            "without a sign-in",
        ),
        (
            "location /templates/t/ {{ return 302 /sign-in; }}"
            "location / {{ proxy_pass {origin}; }}",
            ["click"],
            "without a sign-in",
        ),
        ("", ["public address"], "status 404 from nginx"),
    ],
)
def test_a_proxy_in_front(
    doctor: Doctor, site: Site, tmp_path: Path, location: str, wrong: list[str], said: str
) -> None:
    (tmp_path / "nginx").mkdir()
    port = site.url.rsplit(":", 1)[1].partition("/")[0]
    with nginx(tmp_path / "nginx", location.format(origin=site.origin)) as origin:
        report = doctor(*at(site), f"--url={origin}/templates", f"--Server.port={port}")
    assert report.wrong == wrong, report.text
    assert report.says(said)


# --- On a hub -------------------------------------------------------------------------------------


@dataclass
class Deployment:
    """A hub with services, and the servers behind it."""

    hub: Hub
    services: Mapping[str, HubService]

    def environment(self, service: str) -> dict[str, str]:
        return self.hub.environment(self.services[service]) | {
            "NBSTAMP__SERVER__STORAGE": "contents",
            "NBSTAMP__SERVER__PUBLIC_URL": self.hub.origin,
            "NBSTAMP__CONTENTSSTORAGE__PROXY_URL": self.hub.origin,
        }

    def sign_in(self, user: str, service: str) -> None:
        """As a browser would."""
        with httpx2.Client(timeout=60, trust_env=False) as client:
            self.hub.sign_in(client, user)
            page = client.get(self.hub.service_url(service), follow_redirects=True)
            assert page.status_code == 200, page.text


@pytest.fixture(scope="module", params=["6", "5"])
def deployment(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    logs: Path,
    good_templates: Path,
) -> Iterator[Deployment]:
    name = f"doctor-{request.param}"
    base = "/jupyter/" if request.param == "6" else "/"
    # this hub starts before its services, and newer ones would wait for them
    early = {"timeout": 1} if request.param == "6" else {}

    def service(name: str, **settings: Any) -> HubService:
        callback = f"{base}services/{name}/oauth_callback"
        return external_service(name, oauth_redirect_uri=callback, **early, **settings)

    services = {
        OPEN: service(OPEN),
        POOR: service(POOR, oauth_client_allowed_scopes=None),
        CLOSED: service(CLOSED),
    }
    allowed = [f"access:services!service={each}" for each in (OPEN, POOR)]
    with running_hub(
        name,
        folder=tmp_path_factory.mktemp(name),
        logs=logs,
        version=request.param,
        base_url=base,
        services=list(services.values()),
        scopes=["self", *allowed],
        users=["anna", "ben", "chief"],
        config='c.Authenticator.admin_users = {"chief"}',
    ) as hub:
        deployed = Deployment(hub, services)
        hub.start_server("anna")
        running = [
            start(
                logs,
                f"--port={service.port}",
                f"--Server.templates={good_templates}",
                environment=deployed.environment(each),
                name=f"{name}-{each}",
            )
            for each, service in services.items()
        ]
        yield deployed
        for site in running:
            site.stop()


def state(logs: Path) -> str:
    """The argument that makes the doctor look at the secrets of the servers of this run."""
    return f"--Server.state_dir={logs}/state/nbstamp"


def test_a_hub_is_right_for_an_ordinary_user(
    doctor: Doctor, deployment: Deployment, logs: Path
) -> None:
    environment = deployment.environment(OPEN)
    token = deployment.hub.token("anna")
    report = doctor(state(logs), environment=environment, token=token)
    assert (report.wrong, report.unseen) == ([], ["scopes"]), report.text
    assert report.says(f'services/{OPEN}/oauth_callback"')
    deployment.sign_in("anna", OPEN)
    report = doctor(state(logs), environment=environment, token=token)
    assert report.code == 0, report.text
    assert report.says("anna may use this service")
    assert report.says("the files of anna can be reached")
    address = deployment.hub.service_url(OPEN).rstrip("/")
    assert report.says(f"SAMPLEDB_JUPYTERHUB_TEMPLATES_URL={address}")


def test_what_only_an_ordinary_user_is_told_is_not_seen_without_one(
    doctor: Doctor, deployment: Deployment, logs: Path
) -> None:
    environment = deployment.environment(OPEN)
    service = str(deployment.services[OPEN].settings["api_token"])
    for token, said in (
        ("", "only told to that user"),
        (deployment.hub.token("chief"), "is an administrator"),
        (service, "that of a service"),
        ("0" * 32, "does not accept the token"),
    ):
        report = doctor(state(logs), environment=environment, token=token)
        assert (report.code, report.wrong, report.unseen) == (1, [], ["ordinary user"])
        assert report.says(said)
        assert report.says("nbstamp doctor --token-file FILE")


def test_a_role_that_does_not_let_users_in_is_found(
    doctor: Doctor, deployment: Deployment, logs: Path
) -> None:
    report = doctor(
        state(logs), environment=deployment.environment(CLOSED), token=deployment.hub.token("anna")
    )
    assert report.wrong == ["ordinary user"]
    assert report.says('"scopes": ["self", "access:services!service=closed"]')


def test_scopes_that_the_service_lacks_are_found(
    doctor: Doctor, deployment: Deployment, logs: Path
) -> None:
    deployment.sign_in("anna", POOR)
    report = doctor(
        state(logs), environment=deployment.environment(POOR), token=deployment.hub.token("anna")
    )
    assert report.wrong == ["scopes"], report.text
    assert report.says(
        '"oauth_client_allowed_scopes": ["access:servers!user", "read:servers!user"]'
    )


def test_a_user_whose_server_is_stopped_or_whose_token_is_for_less(
    doctor: Doctor, deployment: Deployment, logs: Path
) -> None:
    hub, environment = deployment.hub, deployment.environment(OPEN)
    deployment.sign_in("ben", OPEN)
    report = doctor(state(logs), environment=environment, token=hub.token("ben"))
    assert (report.wrong, report.unseen) == ([], ["user's server"]), report.text
    few = [*SCOPES[1:], "access:services!service=open"]
    report = doctor(state(logs), environment=environment, token=hub.token("ben", few))
    assert report.wrong == ["ordinary user"], report.text
    assert report.says("access:servers")


@pytest.mark.parametrize(
    ("option", "value", "wrong", "said"),
    [
        ("JUPYTERHUBIDENTITY__API_TOKEN", "f" * 64, ["service"], '"api_token": '),
        ("JUPYTERHUBIDENTITY__CLIENT_ID", "service-other", ["service"], "service-open"),
        ("JUPYTERHUBIDENTITY__API_URL", "http://127.0.0.1:1/hub/api", ["hub"], "api_url = "),
        ("CONTENTSSTORAGE__PROXY_URL", "http://127.0.0.1:1", ["proxy"], "proxy_url = "),
        ("CONTENTSSTORAGE__PROXY_URL", "", ["storage"], "proxy_url"),
        ("SERVER__PUBLIC_URL", "http://127.0.0.1:1", ["public address"], "the host that browsers"),
        ("SERVER__BASE_URL", "/templates/", ["public address"], "services/open/"),
    ],
)
def test_wrong_addresses_and_keys_are_found(
    doctor: Doctor,
    deployment: Deployment,
    logs: Path,
    option: str,
    value: str,
    wrong: list[str],
    said: str,
) -> None:
    environment = deployment.environment(OPEN) | {f"NBSTAMP__{option}": value}
    environment["NBSTAMP__SERVER__PORT"] = str(deployment.services[OPEN].port)
    report = doctor(state(logs), environment=environment)
    assert report.wrong == wrong, report.text
    assert report.says(said)


def test_a_managed_service_is_looked_at_through_its_process(
    doctor: Doctor, tmp_path_factory: pytest.TempPathFactory, logs: Path, good_templates: Path
) -> None:
    service = managed(f"--templates={good_templates}", "--storage=contents")
    port = free_port()
    with running_hub(
        "doctor-managed",
        folder=tmp_path_factory.mktemp("managed"),
        logs=logs,
        services=[service],
        config=f'c.JupyterHub.public_url = "http://127.0.0.1:{port}/"',
    ) as hub:
        assert hub.process
        (pid,) = (
            child.pid
            for child in psutil.Process(hub.process.pid).children(recursive=True)
            if "nbstamp" in child.cmdline()
        )
        report = doctor("--pid", str(pid), f"--url={hub.service_url(service)}")
        assert report.wrong == ["proxy"], report.text
        assert report.says("the hub knows this service as “templates”")
        assert report.says("leads to a server that is ready")
