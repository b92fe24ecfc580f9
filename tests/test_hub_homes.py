"""The storage ``shared`` beside a real JupyterHub whose users are accounts of the machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from playwright.sync_api import BrowserContext

import racing
from accounts import needs_root, with_accounts
from hubs import SCOPES, LaunchHub, external_service
from support import Launch, notebook, stamped
from test_hub_creation import run_in_lab, sign_in

pytestmark = needs_root

ANNA, SERVER = racing.OWNER, racing.OTHER
NAME = "Fe3O4 50 % #1 größe"
HUB = """
c.JupyterHub.spawner_class = "localprocess"
c.Spawner.args = []
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_notebook_in_a_home_is_the_users_opens_in_their_lab_and_can_be_saved(
    launch_hub: LaunchHub, launch: Launch, folder: Path, context: BrowserContext
) -> None:
    accounts = with_accounts(folder, {"anna": ANNA, "web": SERVER})
    template = folder / "templates" / "sem" / "Analysis_{sample_name}.ipynb"
    template.parent.mkdir(parents=True)
    template.write_text(notebook("print(len(sample_name), temperature + 1)"))
    service = external_service()
    hub = launch_hub("homes", services=[service], users=["anna"], config=HUB, before=accounts)
    opened = (
        f"{hub.url}hub/spawn/{{username}}?next={hub.base_url}user/{{username}}/lab/tree/{{path}}"
    )
    site = launch(
        "homes",
        f"--templates={template.parents[1]}",
        f"--Server.port={service.port}",
        "--Server.secrets=0123456789abcdef0123456789abcdef",
        "--storage=shared",
        "--SharedStorage.server_user=web",
        f"--SharedStorage.open_url={opened}",
        environment=hub.environment(service),
        before=accounts,
    )
    answer = site.client.post(
        f"{site.url}api/v1/notebooks",
        json={
            "template": "sem/Analysis_{sample_name}.ipynb",
            "parameters": {"sample_name": NAME, "temperature": 20.5},
        },
        headers={"Authorization": f"token {hub.token('anna')}"},
    )
    assert answer.status_code == 201, answer.text
    made = folder / "homes" / "anna" / "notebooks" / "sem" / f"Analysis_{NAME}.ipynb"
    assert (made.stat().st_uid, made.stat().st_gid) == (ANNA, ANNA)
    assert stamped(made.read_text()) == {"sample_name": NAME, "temperature": 20.5}
    assert not hub.ready("anna")
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.goto(answer.json()["url"])  # the server does not run yet
    sign_in(page, "anna")
    page.wait_for_url("**/lab/tree/**")
    run_in_lab(page, f"{len(NAME)} 21.5")
    page.keyboard.press("Control+s")
    page.close()
    assert hub.ready("anna")
    _saved_by_the_users_server(hub.url, hub.token("anna", SCOPES), made)
    assert made.stat().st_uid == ANNA


def _saved_by_the_users_server(hub: str, token: str, made: Path) -> None:
    url = f"{hub}user/anna/api/contents/notebooks/sem/{quote(made.name)}"
    headers = {"Authorization": f"token {token}"}
    found = httpx2.get(url, headers=headers, timeout=60, trust_env=False).json()
    assert found["writable"]
    found["content"]["cells"][0]["source"] = "My own words"
    body = {"type": "notebook", "format": "json", "content": found["content"]}
    answer = httpx2.put(url, json=body, headers=headers, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert "My own words" in made.read_text()
