"""Notebooks through the contents API of a real single-user server behind a real JupyterHub."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import nbformat
import psutil
import pytest

from between import Action, Between, Cut, Reply, Rule, Slow
from creating import instance
from hubs import SCOPES, Hub, running_hub
from nbstamp.core.errors import (
    SaveUncertain,
    StorageBusy,
    StorageFull,
    StorageUnavailable,
    TemplatingError,
    TooLarge,
    UnacceptableFileName,
)
from nbstamp.core.instance import DataFile, Instance
from nbstamp.core.naming import Target
from nbstamp.core.user import User
from nbstamp.storage.base import Saved, Storage, Waiting
from nbstamp.storage.contents import ContentsStorage
from nbstamp.testing import StorageContract
from support import missing_tool

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
        name,
        folder=folder,
        logs=logs,
        version=request.param,
        base_url=base,
        users=[ANNA],
        config="c.JupyterHub.allow_named_servers = True",
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


# --- One hub, and what can go wrong -------------------------------------------------------------

TARGET = Target(("notebooks", "sem"), "Analysis.ipynb")
only_6 = pytest.mark.parametrize("hub", ["6"], indirect=True)


@pytest.fixture
def anna(hub: Hub) -> User:
    return User(ANNA, hub.token(ANNA, SCOPES))


@pytest.fixture
def between(hub: Hub) -> Iterator[Between]:
    """Between nbstamp and the hub's proxy."""
    with Between(hub.origin).running() as between:
        yield between


@pytest.fixture
def storage(hub: Hub, home: Path, between: Between) -> ContentsStorage:
    """A storage that reaches servers of users through ``between``; with patience for a machine
    that is busy with other tests."""
    return contents(hub, proxy_url=between.url, patience=30)


def save(storage: ContentsStorage, user: User, creation_id: str = "creation-1") -> Saved | Waiting:
    return asyncio.run(storage.save(user, TARGET, instance(creation_id, size=300_000)))


def notebooks(home: Path) -> list[str]:
    """Every complete notebook; fails for one that is not complete."""
    found = sorted(file for file in home.rglob("*.ipynb") if ".ipynb_checkpoints" not in file.parts)
    for file in found:
        nbformat.validate(nbformat.reads(file.read_text(), as_version=4))
    return [str(file.relative_to(home)) for file in found]


CUTS = {
    "half of the notebook arrives": ("PUT", "Analysis~", Cut(0.5)),
    "the answer to the notebook is lost": ("PUT", "Analysis~", Cut(1)),
    "the answer to the notebook is nonsense": ("PUT", "Analysis~", Reply(200, b"<h1>Welcome</h1>")),
    "the notebook is not passed on": ("PUT", "Analysis~", Reply(502, b"bad gateway")),
    "the rename is not carried out": ("PATCH", "Analysis~", Cut(0)),
    "the answer to the rename is lost": ("PATCH", "Analysis~", Cut(1)),
    "the rename is refused": ("PATCH", "Analysis~", Reply(500, b"oh")),
    "the first listing is cut off": ("GET", "type=directory", Cut(0)),
    "a folder is refused": ("PUT", "notebooks", Reply(500, b"oh")),
}


@only_6
@pytest.mark.parametrize("fault", CUTS.values(), ids=CUTS.keys())
def test_a_fault_leads_to_a_notebook_or_to_words_and_the_next_try_to_one(
    storage: ContentsStorage, anna: User, home: Path, between: Between, fault: Any
) -> None:
    between.once(*fault)
    try:
        first: Saved | Waiting | StorageUnavailable = save(storage, anna)
    except StorageUnavailable as err:
        first = err
    if isinstance(first, StorageUnavailable):
        certain = not isinstance(first, SaveUncertain)
        assert ("Nothing was created" in first.message) == certain
        assert not (certain and notebooks(home))
    else:
        assert isinstance(first, Saved)
        assert [first.target.path] == notebooks(home)
    again = save(storage, anna)
    assert isinstance(again, Saved)
    assert [again.target.path] == notebooks(home)


def vanishing(number: int) -> Rule:
    """What Jupyter answers to the listing of this number, when a file of the folder is renamed or
    deleted in the middle of it."""
    listings = itertools.count()

    def rule(method: str, path: str) -> Action:
        if "type=directory&content=1" in path and next(listings) == number:
            said = b'{"message": "No such file or directory: notebooks/Untitled.ipynb"}'
            return Reply(404, said, "application/json")
        return None

    return rule


@only_6
def test_a_file_that_vanishes_during_a_listing_changes_nothing(
    storage: ContentsStorage, anna: User, home: Path, between: Between
) -> None:
    path = TARGET.path
    for number in range(3):
        between.rule = vanishing(number)
        saved = save(storage, anna, f"creation-{number}")
        assert isinstance(saved, Saved)
        assert saved.target.path in notebooks(home)
        between.rule = vanishing(0)
        assert asyncio.run(storage.describe(anna, TARGET, lambda provenance: False)).taken
    assert path in notebooks(home)
    assert len(notebooks(home)) == 3


@only_6
def test_a_folder_whose_listing_never_ends_is_said(
    storage: ContentsStorage, anna: User, home: Path, between: Between
) -> None:
    save(storage, anna)
    between.always("type=directory&content=1", Reply(404, b"{}", "application/json"))
    with pytest.raises(StorageUnavailable, match="Nothing was created"):
        save(storage, anna, "creation-2")
    assert notebooks(home) == [TARGET.path]


DATA_CUTS = {
    "half of the file arrives": ("PUT", "rows-", Cut(0.5)),
    "the answer to the file is lost": ("PUT", "rows-", Cut(1)),
    "the file is refused": ("PUT", "rows-", Reply(500, b"oh")),
    "the rename is not carried out": ("PATCH", "rows-", Cut(0)),
    "the answer to the rename is lost": ("PATCH", "rows-", Cut(1)),
    "the rename is refused": ("PATCH", "rows-", Reply(500, b"oh")),
}


@only_6
@pytest.mark.parametrize("fault", DATA_CUTS.values(), ids=DATA_CUTS.keys())
def test_a_fault_in_a_data_file_makes_no_notebook_and_the_next_try_both(
    storage: ContentsStorage, anna: User, home: Path, between: Between, fault: Any
) -> None:
    rows = DataFile("rows-0123456789abcdef.json", json.dumps([list(range(50_000))]).encode())
    made = replace(instance("creation-1"), files=(rows,))
    between.once(*fault)
    with pytest.raises(StorageUnavailable, match="Nothing was created"):
        asyncio.run(storage.save(anna, TARGET, made))
    assert notebooks(home) == []
    saved = asyncio.run(storage.save(anna, TARGET, made))
    assert isinstance(saved, Saved)
    folder = home.joinpath(*TARGET.folder)
    assert {file.name for file in folder.iterdir()} - {".ipynb_checkpoints"} == {
        TARGET.name,
        rows.name,
    }
    assert (folder / rows.name).read_bytes() == rows.data


ANSWERS = {
    "a page of the hub": (Reply(403, b"<h1>403 : Forbidden</h1>"), StorageUnavailable),
    "sign in": (Reply(302, headers=(("Location", "/hub/login"),)), StorageUnavailable),
    "not running": (Reply(424, b"<h1>424</h1>"), StorageUnavailable),
    "no permission": (
        Reply(403, b'{"message": "Permission denied: x"}', "application/json"),
        StorageUnavailable,
    ),
    "too large for a proxy": (Reply(413, b"too large"), TooLarge),
    "busy": (Reply(429, b"slow down", headers=(("Retry-After", "7"),)), StorageBusy),
    "quota": (
        Reply(
            500,
            b'{"message": "Unexpected error: x [Errno 122] Disk quota exceeded"}',
            "application/json",
        ),
        StorageFull,
    ),
    "no space": (Reply(507, b"full"), StorageFull),
    "nonsense": (Reply(200, b"[[["), StorageUnavailable),
    "slow": (Slow(30), StorageUnavailable),
    "nobody there": (Cut(0), StorageUnavailable),
}


@only_6
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("part", ["/api/contents/", "Analysis~"], ids=["all", "the notebook"])
def test_every_answer_has_words_and_leaves_nothing(
    storage: ContentsStorage, anna: User, home: Path, between: Between, answer: Any, part: str
) -> None:
    action, error = answer
    if isinstance(action, Slow):
        storage.patience = 2
    between.always(part, action)
    with pytest.raises(error) as raised:
        save(storage, anna)
    message = raised.value.message
    assert ("Nothing was created" in message) == (not isinstance(raised.value, SaveUncertain))
    assert not notebooks(home)
    assert anna.token not in message + raised.value.log
    if isinstance(raised.value, StorageBusy):
        assert raised.value.retry_after == 7


@only_6
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Reply(403, b"{}"), StorageUnavailable),
        (Reply(404, b"<h1>404</h1>"), StorageUnavailable),
        (Reply(429, b"", headers=(("Retry-After", "5"),)), StorageBusy),
        (Reply(500, b"oh"), StorageUnavailable),
        (Reply(200, b"<h1>Welcome</h1>"), StorageUnavailable),
        (Reply(200, b'{"name": "anna"}'), StorageUnavailable),
        (Slow(30), StorageUnavailable),
        (Cut(0), StorageUnavailable),
    ],
)
def test_a_hub_that_does_not_say_whether_the_server_runs(
    hub: Hub, home: Path, anna: User, answer: Any, error: type[TemplatingError]
) -> None:
    with Between(hub.api_url).running() as between:
        between.always("/users/", answer)
        api_url = hub.api_url.replace(str(hub.api_port), str(between.port))
        storage = ContentsStorage(
            api_url=api_url, hub_url=f"{hub.url}hub/", proxy_url=hub.origin, patience=2
        )
        with pytest.raises(error, match="Nothing was created"):
            save(storage, anna)
        description = asyncio.run(storage.describe(anna, TARGET, lambda origin: True))
        assert (description.looked, description.found) == (False, None)
        assert description.warnings
        between.always("nothing", None)
        assert isinstance(save(storage, anna), Saved)


@only_6
def test_a_full_disk_is_said_and_nothing_stays(
    storage: ContentsStorage, anna: User, home: Path
) -> None:
    small = home / "notebooks" / "sem"
    small.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)]
    if subprocess.run(mount, check=False).returncode:
        missing_tool("the right to mount a file system")
    try:
        with pytest.raises(StorageFull, match="Nothing was created"):
            save(storage, anna)
        assert not notebooks(home)
        (small / "fill").write_bytes(b"x" * 200 * 1024)
        with pytest.raises(StorageFull, match="Nothing was created"):
            asyncio.run(storage.save(anna, TARGET, instance("creation-2")))
        assert not notebooks(home)
        (small / "fill").unlink()
        saved = asyncio.run(storage.save(anna, TARGET, instance("creation-2")))
        assert isinstance(saved, Saved)
        assert [saved.target.path] == notebooks(home)
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)


@only_6
def test_the_folder_may_be_a_file(storage: ContentsStorage, anna: User, home: Path) -> None:
    (home / "notebooks").write_text("mine")
    with pytest.raises(UnacceptableFileName, match="notebooks"):
        save(storage, anna)
    assert (home / "notebooks").read_text() == "mine"


@only_6
def test_the_server_does_not_get_a_byte_order_mark(
    storage: ContentsStorage, anna: User, home: Path
) -> None:
    made = instance("creation-1")
    marked = replace(made, segments=(b"\xef\xbb\xbf" + bytes(made),))
    saved = asyncio.run(storage.save(anna, TARGET, marked))
    assert isinstance(saved, Saved)
    assert same_notebook((home / saved.target.path).read_bytes(), bytes(made))


@only_6
def test_a_stopped_server_is_waited_for_and_nothing_is_asked_of_it(
    hub: Hub, storage: ContentsStorage, anna: User, home: Path, between: Between
) -> None:
    hub.stop_server(ANNA)
    try:
        outcome = save(storage, anna)
        assert isinstance(outcome, Waiting)
        assert outcome.url == f"{hub.url}hub/spawn/anna%40facility.example"
        description = asyncio.run(storage.describe(anna, TARGET, lambda origin: True))
        assert not description.looked
        assert "not running" in description.warnings[0]
        assert not between.seen
        assert not hub.ready(ANNA)
    finally:
        hub.start_server(ANNA)
    assert isinstance(save(storage, anna), Saved)


@only_6
def test_a_server_that_is_killed_while_it_writes(
    hub: Hub, storage: ContentsStorage, anna: User, home: Path, between: Between
) -> None:
    def kill(method: str, path: str) -> Action:
        if method == "PUT" and "Analysis~" in path:
            servers = [
                process
                for process in psutil.process_iter(["cmdline"])
                if "jupyterhub-singleuser" in " ".join(process.info["cmdline"] or ())
                and process.is_running()
                and str(hub.folder) in str(process.environ().get("HOME", ""))
            ]
            for server in servers:
                server.kill()
            psutil.wait_procs(servers, timeout=10)
        return None

    between.rule = kill
    try:
        with pytest.raises(SaveUncertain):
            save(storage, anna)
        assert not notebooks(home)
    finally:
        between.always("nothing", None)
        deadline = time.monotonic() + 60
        while hub.ready(ANNA) and time.monotonic() < deadline:
            time.sleep(0.5)
        hub.start_server(ANNA)
    saved = save(storage, anna)
    assert isinstance(saved, Saved)
    assert [saved.target.path] == notebooks(home)


@only_6
def test_kernels_of_the_server_are_told(hub: Hub, anna: User, home: Path) -> None:
    description = asyncio.run(contents(hub).describe(anna, TARGET, lambda origin: False))
    assert description.kernels["python3"] == "Python 3 (ipykernel)"


@only_6
def test_a_prefix_goes_in_front_of_every_folder(hub: Hub, anna: User, home: Path) -> None:
    storage = contents(hub, prefix="kept/files", label="Your files", open_path="notebooks/{path}")
    saved = save(storage, anna)
    assert isinstance(saved, Saved)
    assert saved.target == TARGET
    assert saved.place == "Your files / kept / files / notebooks / sem / Analysis.ipynb"
    server = f"{hub.url}user/anna@facility.example"
    assert saved.url == f"{server}/notebooks/kept/files/notebooks/sem/Analysis.ipynb"
    assert notebooks(home) == ["kept/files/notebooks/sem/Analysis.ipynb"]


@only_6
def test_the_same_creation_by_two_replicas_is_one_notebook(
    hub: Hub, anna: User, home: Path
) -> None:
    async def both() -> list[Saved | Waiting]:
        made = instance("creation-1", size=300_000)
        return await asyncio.gather(
            *(contents(hub, patience=30).save(anna, TARGET, made) for _ in range(6))
        )

    for _ in range(5):
        outcomes = asyncio.run(both())
        (path,) = {outcome.target.path for outcome in outcomes if isinstance(outcome, Saved)}
        assert [path] == notebooks(home)
        shutil.rmtree(home / "notebooks")


@only_6
def test_a_named_server_can_be_the_place(hub: Hub, anna: User, home: Path) -> None:
    storage = contents(hub, server_name="analysis")
    waiting = save(storage, anna)
    assert isinstance(waiting, Waiting)
    assert waiting.url == f"{hub.url}hub/spawn/anna%40facility.example/analysis"
    hub.start_server(ANNA, "analysis")
    saved = save(storage, anna)
    assert isinstance(saved, Saved)
    server = f"{hub.url}user/anna@facility.example/analysis"
    assert saved.url == f"{server}/lab/tree/notebooks/sem/Analysis.ipynb"
    hub.stop_server(ANNA, "analysis")


def test_users_may_have_host_names_of_their_own() -> None:
    running = {"servers": {"": {"ready": True, "url": "https://anna.hub.example/user/anna/"}}}
    told = Reply(200, json.dumps(running).encode(), "application/json")
    with Between("http://127.0.0.1:1").running() as hub:
        hub.always("/users/", told)
        with Between("http://127.0.0.1:1").running() as proxy:
            proxy.always("", Reply(200, b'{"content": []}', "application/json"))
            storage = ContentsStorage(
                api_url=f"{hub.url}/hub/api",
                hub_url="https://hub.example/hub/",
                proxy_url=proxy.url,
            )
            asyncio.run(storage.describe(User("anna", "token"), TARGET, lambda origin: True))
            assert proxy.hosts == {"anna.hub.example"}
            # both at once, in any order
            assert sorted(path.partition("?")[0] for _, path in proxy.seen) == [
                "/user/anna/api/contents/notebooks/sem",
                "/user/anna/api/kernelspecs",
            ]
            with pytest.raises(StorageUnavailable):
                save(storage, User("anna", "token"))


def test_what_is_not_configured_is_said() -> None:
    storage = ContentsStorage(api_url="", hub_url="/hub/", open_path="lab", prefix="a:b")
    problems = storage.problems()
    assert [problem.split()[0] for problem in problems] == [
        "ContentsStorage.api_url",
        "ContentsStorage.proxy_url",
        "ContentsStorage.open_path",
        "ContentsStorage.prefix:",
    ]
    with pytest.raises(StorageUnavailable, match="Nothing was created"):
        save(storage, User(ANNA, "token"))


# --- Many at once -------------------------------------------------------------------------------

ROUNDS = int(os.environ.get("NBSTAMP_ROUNDS", "3"))
"""NBSTAMP_ROUNDS=16 pytest tests/test_storage_contents.py -k two_replicas_lose: the long run."""


class Replica:
    """A process that saves notebooks, ten at once, in two storages that know nothing of each
    other."""

    def __init__(self, hub: Hub, anna: User) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, Path(__file__).with_name("creating.py")),
                *("--hub", hub.api_url, hub.origin, ANNA, "--size=300000", "--instances=2"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"CREATING_TOKEN": anna.token},
        )

    def begin(self, folder: str, ids: list[str]) -> None:
        assert self.process.stdin
        print(folder, *ids, file=self.process.stdin, flush=True)

    def end(self) -> dict[str, str]:
        """Paths by creation id."""
        assert self.process.stdout
        said = {}
        while (line := self.process.stdout.readline().strip()) != "done":
            creation_id, _, path = line.partition(" ")
            said[creation_id] = path
        return said

    def stop(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)


@only_6
def test_two_replicas_lose_nothing_and_a_file_of_the_user_survives(
    hub: Hub, anna: User, home: Path
) -> None:
    own = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}'
    replicas = [Replica(hub, anna) for _ in range(2)]
    headers = {"Authorization": f"token {anna.token}"}
    api = f"{hub.url}user/{ANNA}/api/contents"
    try:
        for number in range(ROUNDS):
            folder = home / f"round-{number}"
            folder.mkdir()
            (folder / "Untitled.ipynb").write_bytes(own)
            ids = [f"round{number}-{n:02}" for n in range(20)]
            for replica, half in zip(replicas, (ids[:10], ids[10:]), strict=True):
                replica.begin(folder.name, half)
            # the user gives the same name to a notebook, as JupyterLab does it
            time.sleep(number % 8 / 8)
            url = f"{api}/{folder.name}/Untitled.ipynb"
            body = {"path": f"{folder.name}/Analysis 0.ipynb"}
            answer = httpx2.patch(url, json=body, headers=headers, timeout=60, trust_env=False)
            assert answer.status_code in (200, 409)
            said: dict[str, str] = {}
            for replica in replicas:
                said |= replica.end()
            assert sorted(said) == ids
            for creation_id, path in said.items():
                wanted = bytes(instance(creation_id, size=300_000))
                assert same_notebook((home / path).read_bytes(), wanted), path
            mine = "Untitled" if answer.status_code == 409 else "Analysis 0"
            assert (folder / f"{mine}.ipynb").read_bytes() == own
            assert len(list(folder.glob("*.ipynb"))) == 21
    finally:
        for replica in replicas:
            replica.stop()
