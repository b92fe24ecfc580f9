"""Notebooks through the contents API of a real single-user server behind a real JupyterHub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from hubs import SCOPES, Hub, running_hub
from nbstamp.core.instance import Instance
from nbstamp.core.naming import Target
from nbstamp.core.user import User
from nbstamp.storage.base import Storage
from nbstamp.storage.contents import ContentsStorage
from nbstamp.testing import StorageContract

ANNA = "anna@facility.example"
"""An account name that is not the same in an address."""


@pytest.fixture(scope="module", params=["6", "5"])
def hub(
    request: pytest.FixtureRequest, logs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    """A hub with a running server of one user."""
    name = f"contents-{request.param}"
    folder = tmp_path_factory.mktemp(name)
    base = "/jupyter/" if request.param == "6" else "/"
    with running_hub(
        name, folder=folder, logs=logs, version=request.param, base_url=base, users=[ANNA]
    ) as hub:
        hub.start_server(ANNA)
        yield hub


@pytest.fixture
def home(hub: Hub) -> Path:
    """The home of the user, with nothing in it."""
    home = hub.home(ANNA)
    for entry in home.iterdir():
        if not entry.name.startswith(".") or entry.name == ".ipynb_checkpoints":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return home


def contents(hub: Hub, **options: Any) -> ContentsStorage:
    return ContentsStorage(api_url=hub.api_url, hub_url=f"{hub.url}hub/", **options)


class TestContents(StorageContract):
    """The promises of every storage."""

    @pytest.fixture(autouse=True)
    def _user(self, hub: Hub) -> None:
        self.user = User(ANNA, hub.token(ANNA, SCOPES))

    @pytest.fixture
    def storage(self, hub: Hub, home: Path) -> Storage:
        self.home = home
        return contents(hub)

    def read(self, storage: Any, target: Target) -> bytes:
        return self.home.joinpath(*target.folder, target.name).read_bytes()

    def write(self, storage: Any, target: Target, data: bytes) -> None:
        file = self.home.joinpath(*target.folder, target.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def names(self, storage: Any, folder: tuple[str, ...]) -> set[str]:
        where = self.home.joinpath(*folder)
        return {file.name for file in where.glob("*") if file.is_file()}

    def assert_holds(self, data: bytes, instance: Instance) -> None:
        # Jupyter writes notebooks in its own way: the same JSON in another order
        assert same_notebook(data, bytes(instance))


def same_notebook(one: bytes, other: bytes) -> bool:
    read = [nbformat.reads(data.decode(), as_version=nbformat.NO_CONVERT) for data in (one, other)]
    return bool(read[0] == read[1]) and b"\r" not in json.dumps(read[0]).encode()
