"""The storage ``shared``: its promises, and everything that an owner of a home, a full disk or a
kill may do to it. Most of it needs root, because it is about becoming somebody else."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError

import racing
from accounts import FILE_SYSTEMS, home, mounted, needs_root, program_of, with_accounts
from creating import instance
from nbstamp.core.errors import (
    StorageFull,
    StorageUnavailable,
    TemplatingError,
    UnacceptableFileName,
)
from nbstamp.core.instance import Instance
from nbstamp.core.naming import Target
from nbstamp.core.user import User
from nbstamp.storage import broker, privileges
from nbstamp.storage.accounts import Accounts
from nbstamp.storage.base import Description, Saved
from nbstamp.storage.shared import SharedStorage
from nbstamp.testing import StorageContract
from saving import (
    AT_THE_NAME,
    IN_THE_FOLDER,
    NO_UNNAMED,
    PROGRAM,
    Obstacle,
    answers,
    create,
    needs_seccomp,
    storm,
    strace,
    tree,
)

pytestmark = needs_root

OWNER, OTHER = racing.OWNER, racing.OTHER
ANNA = User("anna")
TARGET = Target(("notebooks", "sem"), "Analysis.ipynb")


def save(storage: SharedStorage, target: Target, instance: Instance, user: User = ANNA) -> Saved:
    return asyncio.run(storage.save(user, target, instance))


def describe(storage: SharedStorage, target: Target, user: User = ANNA) -> Description:
    return asyncio.run(storage.describe(user, target, lambda _: True))


@contextmanager
def started(homes: Path, **options: Any) -> Iterator[SharedStorage]:
    """A storage for homes in this folder, which all belong to one user."""
    given = {"home": f"{homes}/{{username}}", "uid": OWNER, "gid": OWNER} | options
    storage = SharedStorage(**given)
    storage.start()
    try:
        yield storage
    finally:
        storage.stop()


@pytest.fixture(scope="module")
def homes() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def running(homes: Path) -> Iterator[SharedStorage]:
    with started(homes) as storage:
        yield storage


@pytest.fixture
def anna(homes: Path) -> Iterator[Path]:
    """An empty home."""
    made = home(homes / "anna", OWNER)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def storage(running: SharedStorage, anna: Path) -> SharedStorage:
    return running


# --- The contract, on every file system ---------------------------------------------------------


@pytest.fixture(scope="module", params=FILE_SYSTEMS)
def on_a_file_system(request: pytest.FixtureRequest) -> Iterator[tuple[SharedStorage, Path]]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        with mounted(request.param, Path(name)) as place, started(place) as storage:
            yield storage, place


class TestSharedStorage(StorageContract):
    user = ANNA

    @pytest.fixture
    def storage(self, on_a_file_system: tuple[SharedStorage, Path]) -> Iterator[SharedStorage]:
        storage, place = on_a_file_system
        self.home = home(place / "anna", OWNER)
        yield storage
        everything = [self.home, *self.home.rglob("*")]
        assert {(path.stat().st_uid, path.stat().st_gid) for path in everything} == {(OWNER, OWNER)}
        assert not [path for path in everything if path.name.startswith(".")]
        shutil.rmtree(self.home)

    def read(self, storage: SharedStorage, target: Target) -> bytes:
        return (self.home / target.path).read_bytes()

    def write(self, storage: SharedStorage, target: Target, data: bytes) -> None:
        file = self.home / target.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        for path in (file, *file.parents):
            if self.home in path.parents:
                os.chown(path, OWNER, OWNER)

    def names(self, storage: SharedStorage, folder: tuple[str, ...]) -> set[str]:
        place = self.home.joinpath(*folder)
        return {file.name for file in place.iterdir()} if place.is_dir() else set()


def test_fifty_at_once_are_fifty_notebooks(storage: SharedStorage, anna: Path) -> None:
    async def together() -> list[Saved]:
        wishes = (storage.save(ANNA, TARGET, instance(f"number-{n}", 50_000)) for n in range(50))
        return await asyncio.gather(*wishes)

    saved = asyncio.run(together())
    assert len({each.target for each in saved}) == 50
    for number, each in enumerate(saved):
        assert (anna / each.target.path).read_bytes() == bytes(instance(f"number-{number}", 50_000))


# --- What may stand in the way ------------------------------------------------------------------


def device(path: Path, victim: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))


@pytest.mark.parametrize("obstacle", [*AT_THE_NAME, device])
def test_whatever_has_the_name_stays_as_it_is(
    storage: SharedStorage, anna: Path, homes: Path, obstacle: Obstacle
) -> None:
    victim = homes / "victim.ipynb"
    victim.write_text("somebody's")
    path = anna / TARGET.path
    path.parent.mkdir(parents=True)
    for made in (path.parent, path.parent.parent):
        os.chown(made, OWNER, OWNER)
    obstacle(path, victim)
    before = path.lstat()
    saved = save(storage, TARGET, instance("first-one"))
    after = path.lstat()
    assert saved.target == TARGET.numbered(1)
    assert (anna / saved.target.path).read_bytes() == bytes(instance("first-one"))
    assert (after.st_ino, after.st_mode, after.st_size, after.st_uid) == (
        before.st_ino,
        before.st_mode,
        before.st_size,
        before.st_uid,
    )
    assert victim.read_text() == "somebody's"
    assert describe(storage, TARGET).taken


@pytest.mark.parametrize("obstacle", [*IN_THE_FOLDER, device])
@pytest.mark.parametrize("part", ["notebooks", "notebooks/sem"])
def test_a_folder_that_is_none_is_refused_in_words(
    storage: SharedStorage, anna: Path, homes: Path, obstacle: Obstacle, part: str
) -> None:
    victim = homes / "victim.ipynb"
    victim.write_text("somebody's")
    (anna / part).parent.mkdir(exist_ok=True)
    obstacle(anna / part, victim)
    for attempt in (
        lambda: save(storage, TARGET, instance("first-one")),
        lambda: describe(storage, TARGET),
    ):
        with pytest.raises(UnacceptableFileName, match="is not a folder but a file or a link"):
            attempt()
    assert victim.read_text() == "somebody's"


def test_a_folder_that_the_user_may_not_write_is_said(storage: SharedStorage, anna: Path) -> None:
    (anna / "notebooks").mkdir(mode=0o755)  # root's
    for target in (TARGET, Target(("notebooks",), "Analysis.ipynb")):
        with pytest.raises(StorageUnavailable) as refused:
            save(storage, target, instance("first-one"))
        assert "EACCES" in refused.value.log
        assert "Analysis" not in refused.value.log
    assert tree(anna) == ["notebooks"]


def test_a_home_that_is_missing_a_link_or_somebody_elses_is_refused(
    running: SharedStorage, homes: Path
) -> None:
    home(homes / "theirs", OTHER)
    (homes / "link").symlink_to(homes / "theirs")
    (homes / "file").touch()
    for name, reason in {
        "missing": "ENOENT while opening the home",
        "link": "ENOTDIR while opening the home",
        "file": "ENOTDIR while opening the home",
        "theirs": "the home belongs to another account",
    }.items():
        with pytest.raises(StorageUnavailable) as refused:
            save(running, TARGET, instance("first-one"), User(name))
        assert refused.value.log == reason
        (problem,) = running.problems_for(User(name))
        assert reason in problem
    assert tree(homes / "theirs") == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../anna", "/", "a/b", "anna\n", "anna\0", ".anna"]
)
def test_a_name_that_is_not_plain_is_nobody(storage: SharedStorage, anna: Path, name: str) -> None:
    with pytest.raises(StorageUnavailable, match="cannot be part of a path"):
        save(storage, TARGET, instance("first-one"), User(name))
    assert tree(anna) == []


@pytest.mark.parametrize("folder", [("..",), ("a", ".."), ("/etc",), ("a/b",), ("",), (".",)])
def test_a_path_that_is_not_plain_is_not_walked(
    storage: SharedStorage, anna: Path, folder: tuple[str, ...]
) -> None:
    with pytest.raises(StorageUnavailable) as refused:
        save(storage, Target(folder, "Analysis.ipynb"), instance("first-one"))
    assert refused.value.log == "ValueError in the child"
    assert tree(anna) == []


# --- Where notebooks are, and whose -------------------------------------------------------------


def test_permissions_sub_folder_and_address_are_the_sites(homes: Path, anna: Path) -> None:
    with started(
        homes,
        umask="027",
        subfolder="persistent/data",
        label="My home",
        open_url="https://jupyter.example/hub/spawn/{username}?next=/user/{username}/lab/tree/{path}",
    ) as storage:
        target = Target(("a b",), "100% #1.ipynb")
        saved = save(storage, target, instance("first-one"))
        found = describe(storage, target).found
    path = anna / "persistent" / "data" / target.path
    assert path.read_bytes() == bytes(instance("first-one"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750
    assert saved.place == "My home / persistent / data / a b / 100% #1.ipynb"
    assert saved.url == (
        "https://jupyter.example/hub/spawn/anna?next="
        "/user/anna/lab/tree/persistent/data/a%2520b/100%2525%2520%25231.ipynb"
    )
    assert found is not None
    assert (found.target, found.url) == (target, saved.url)


def test_new_notebooks_are_the_users_alone_unless_the_site_says_otherwise(
    storage: SharedStorage, anna: Path
) -> None:
    save(storage, TARGET, instance("first-one"))
    modes = {stat.S_IMODE((anna / path).stat().st_mode) for path in tree(anna)}
    assert modes == {0o600, 0o700}


def test_an_address_with_a_plain_path_is_quoted_once(homes: Path, anna: Path) -> None:
    url = "https://jupyter.example/user/{username}/lab/tree/{path}"
    with started(homes, open_url=url) as storage:
        saved = save(storage, Target((), "a b%.ipynb"), instance("first-one"))
    assert saved.url == "https://jupyter.example/user/anna/lab/tree/a%20b%25.ipynb"


def test_a_notebook_with_a_huge_provenance_is_a_strangers(
    storage: SharedStorage, anna: Path
) -> None:
    save(storage, TARGET, instance("first-one"))
    path = anna / TARGET.path
    notebook = json.loads(path.read_bytes())
    notebook["metadata"]["nbstamp"]["portal"] = "x" * 10**6
    path.write_text(json.dumps(notebook))
    assert describe(storage, TARGET) == Description("Home / notebooks / sem", True, None)


# --- Real accounts ------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_notebooks_belong_to_the_account_of_the_users_name(folder: Path) -> None:
    before = with_accounts(folder, {"anna": OWNER, "ben": OTHER, "lab-robot": 300})
    users = ["anna", "ben", "lab-robot", "carl", "root", "ANNA", "../anna", "anna/../ben", "0"]
    ids = [f"number-{number}" for number in range(len(users))]
    found = create(folder, *ids, "--shared", f"--users={','.join(users)}", before=before)
    assert [found[creation_id] for creation_id in ids] == [
        "anna/notebooks/sem/Analysis 0.ipynb",
        "ben/notebooks/sem/Analysis 0.ipynb",
        "!storage_unavailable the account cannot be used: its uid 300 is below 1000",
        "!storage_unavailable the account cannot be used: there is no such account on this machine",
        "!storage_unavailable the account cannot be used: its uid 0 is below 1000",
        "!storage_unavailable the account cannot be used: there is no such account on this machine",
        "!storage_unavailable the account cannot be used: its name cannot be part of a path",
        "!storage_unavailable the account cannot be used: its name cannot be part of a path",
        "!storage_unavailable the account cannot be used: there is no such account on this machine",
    ]
    for name, uid in {"anna": OWNER, "ben": OTHER}.items():
        for path in (folder / "homes" / name).rglob("*"):
            assert (path.stat().st_uid, path.stat().st_gid) == (uid, uid)
    assert tree(folder / "homes" / "lab-robot") == []


def test_a_folder_of_a_group_is_written_by_its_members_alone(folder: Path) -> None:
    before = with_accounts(
        folder, {"anna": OWNER, "ben": OTHER}, groups={"sem-lab": (24000, "anna")}
    )
    for name in ("anna", "ben"):
        lab = folder / "homes" / name / "notebooks" / "sem"
        lab.mkdir(parents=True)
        os.chown(lab, 0, 24000)
        lab.chmod(0o2775)
    found = create(folder, "first-one", "second-one", "--shared", "--users=anna,ben", before=before)
    assert found["first-one"] == "anna/notebooks/sem/Analysis 0.ipynb"
    assert found["second-one"].startswith("!storage_unavailable EACCES")
    made = (folder / "homes" / found["first-one"]).stat()
    assert (made.st_uid, made.st_gid) == (OWNER, 24000)


# --- The rights of each process -----------------------------------------------------------------


def children_of(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def broker_of(storage: SharedStorage) -> int:
    assert storage._process is not None
    return storage._process.pid


@contextmanager
def stopped_child(storage: SharedStorage) -> Iterator[int]:
    """A child of the broker that has become the user, in the middle of its work."""
    large = instance("large-one", 60 * 10**6)

    async def save_large() -> None:
        with suppress(TemplatingError):
            await storage.save(ANNA, TARGET, large)

    async def meet(saving: asyncio.Task[None]) -> int:
        while not saving.done():
            for child in children_of(broker_of(storage)):
                with suppress(OSError):
                    if privileges.rights(child).uids == {OWNER} and is_writing(child):
                        os.kill(child, signal.SIGSTOP)
                        return child
            await asyncio.sleep(0)
        raise AssertionError("the child was faster than the test")

    with asyncio.Runner() as runner:
        saving = runner.get_loop().create_task(save_large())
        child = runner.run(meet(saving))
        try:
            yield child
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            runner.run(asyncio.wait([saving]))


def is_writing(process: int) -> bool:
    """True when the process has opened its new file, so that it is past all its preparations."""
    paths = (os.readlink(each) for each in Path(f"/proc/{process}/fd").iterdir())
    return any(re.search(r"/sem/#\d+ \(deleted\)$", path) for path in paths)


def test_the_child_is_the_user_and_nothing_else(storage: SharedStorage) -> None:
    with stopped_child(storage) as child:
        assert privileges.rights(child) == privileges.Rights(
            uids=frozenset({OWNER}),
            gids=frozenset({OWNER}),
            groups=frozenset(),
            capabilities=0,
            effective=0,
            bounding=0,
            no_new_privileges=True,
        )
        kept = {os.readlink(each) for each in Path(f"/proc/{child}/fd").iterdir()}
        others = {path for path in kept if not path.startswith(str(storage.home.partition("{")[0]))}
        assert {re.sub(r"\d+", "", path) for path in others} == {
            "/dev/null",
            "/memfd:notebook (deleted)",
            "pipe:[]",
        }
        assert Path(f"/proc/{child}/environ").read_bytes() == b""


def test_the_owner_cannot_look_into_the_child(storage: SharedStorage, attacker: Path) -> None:
    with stopped_child(storage) as child:
        looked = subprocess.run(
            [attacker, "look", str(child)],
            user=OWNER,
            group=OWNER,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=True,
        )
        assert looked.stdout == "ready\n"  # and the names of what was allowed


def test_the_broker_loads_the_standard_library_and_little_of_ours() -> None:
    def loaded(program: str) -> set[str]:
        command = [sys.executable, "-I", "-c", f"import sys; {program}; print(*sys.modules)"]
        return set(subprocess.run(command, check=True, capture_output=True).stdout.decode().split())

    found = loaded("import nbstamp.storage.broker") - loaded("pass")
    ours = {name for name in found if name.startswith("nbstamp")}
    assert {name.split(".")[1] for name in ours if "." in name} == {"core", "storage"}
    assert "nbstamp.storage.shared" not in ours
    assert {name.partition(".")[0] for name in found - ours} <= sys.stdlib_module_names
    # every child copies what is loaded
    assert not found & {"asyncio", "dataclasses", "inspect", "threading", "urllib.parse"}


def test_nothing_is_left_of_what_the_broker_has_rehearsed(running: SharedStorage) -> None:
    assert running.problems() == []  # it has come so far as to answer
    number = broker_of(running)
    opened = [os.readlink(each) for each in Path(f"/proc/{number}/fd").iterdir()]
    assert not [each for each in opened if "rehearsal" in each or "/dev/shm" in each]
    assert "rehearsal" not in Path(f"/proc/{number}/maps").read_text()
    assert not list(Path("/dev/shm").glob(f".nbstamp-{number}-*"))


def test_the_broker_keeps_only_the_rights_that_it_needs(running: SharedStorage) -> None:
    rights = privileges.rights(broker_of(running))
    wanted = sum(1 << each for each in broker.WANTED)
    assert (rights.capabilities, rights.bounding) == (wanted, wanted)
    assert rights.no_new_privileges
    assert Path(f"/proc/{broker_of(running)}/environ").read_bytes() == b""


BECOMING = f"""
import os
from nbstamp.storage import privileges
before = privileges.rights()
privileges.become({OWNER}, {OWNER}, ())
for call in (lambda: os.setresuid(0, 0, 0), lambda: os.setresgid(0, 0, 0)):
    try:
        call()
    except PermissionError:
        continue
    raise SystemExit("it could become root")
print(before.effective, privileges.rights().capabilities)
"""


@pytest.mark.parametrize(
    "start",
    [
        # a process that is not root keeps its capabilities when it becomes somebody else
        "--reuid=19999 --clear-groups --bounding-set=-all,+setuid,+setgid "
        "--inh-caps=+setuid,+setgid --ambient-caps=+setuid,+setgid",
        "--inh-caps=-all --bounding-set=-all,+setuid,+setgid",
        "--securebits=+no_setuid_fixup",
    ],
)
def test_however_it_was_started_nothing_is_left(folder: Path, start: str) -> None:
    setpriv = program_of("util-linux", "setpriv")
    command = [*with_accounts(folder, {}), setpriv, *start.split(), sys.executable, "-c"]
    done = subprocess.run([*command, BECOMING], check=True, capture_output=True, text=True)
    before, left = map(int, done.stdout.split())
    assert before
    assert not left


def test_becoming_root_or_half_a_user_is_an_error() -> None:
    for uid, gid in ((0, OWNER), (OWNER, 0)):
        pid_program = f"from nbstamp.storage import privileges; privileges.become({uid}, {gid}, ())"
        done = subprocess.run(
            [sys.executable, "-c", pid_program], check=False, capture_output=True, text=True
        )
        assert "RightsLeft: it is root" in done.stderr


# --- The owner of the home, a dead file server and other hindrances -----------------------------


@pytest.fixture(scope="module")
def attacker(homes: Path) -> Path:
    program_of("gcc", "gcc")
    return racing.compiled(homes)


@pytest.mark.parametrize("start", [[], ["setpriv", "--bounding-set=-kill"]])
def test_an_owner_who_stops_every_child_holds_up_nobody_else(
    folder: Path, attacker: Path, start: list[str]
) -> None:
    before = (*with_accounts(folder, {"anna": OWNER, "ben": OTHER}), *start)
    ids = [f"number-{number:02}" for number in range(24)]
    options = ("--shared", "--users=anna,ben", "--deadline=2", "--writes=2", "--size=3000000")
    with racing.attacked(attacker, "stop"):
        found = create(folder, *ids, *options, before=before)
    for creation_id in ids[1::2]:
        assert (folder / "homes" / found[creation_id]).read_bytes() == bytes(
            instance(creation_id, 3_000_000)
        )
    refused = {found[creation_id] for creation_id in ids[::2] if found[creation_id][0] == "!"}
    assert "!save_uncertain the child has not answered for 2 seconds" in refused
    stopped = processes_of(OWNER)
    if start:  # this broker may not end what belongs to somebody else
        assert "!storage_unavailable 2 children for this user have not ended" in refused
        assert stopped
        for process in stopped:
            os.kill(process, signal.SIGKILL)
    else:
        assert not stopped
    made = folder / "homes" / "anna" / "notebooks" / "sem"
    for path in made.iterdir() if made.is_dir() else ():
        assert path.stat().st_size > 2_900_000


def processes_of(uid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if path.stat().st_uid == uid or privileges.rights(path.name).uids == {uid}:
                found.append(int(path.name))
    return found


def test_an_owner_who_kills_every_child_gets_no_half_notebook(
    storage: SharedStorage, anna: Path, attacker: Path
) -> None:
    notebooks = {f"number-{number}": instance(f"number-{number}", SIZE) for number in range(40)}

    async def together() -> list[Saved | BaseException]:
        wishes = (storage.save(ANNA, TARGET, each) for each in notebooks.values())
        return await asyncio.gather(*wishes, return_exceptions=True)

    with racing.attacked(attacker, "kill"):
        found = asyncio.run(together())
    refused = [each for each in found if isinstance(each, StorageUnavailable)]
    assert refused
    assert {each.log for each in refused} == {"the child ended without an answer"}
    assert all("no second one will be made" in each.message for each in refused)
    assert all(isinstance(each, Saved | StorageUnavailable) for each in found)
    # trying again, as the message says, gives one notebook for each
    again = [save(storage, TARGET, each) for each in notebooks.values()]
    assert len({each.target for each in again}) == len(notebooks)
    assert len(tree(anna)) == len(notebooks) + 2
    for each, notebook in zip(again, notebooks.values(), strict=True):
        assert (anna / each.target.path).read_bytes() == bytes(notebook)


SIZE = 2_000_000


def test_a_home_that_does_not_answer_holds_up_nobody_else(homes: Path) -> None:
    bindfs = program_of("bindfs", "bindfs")
    behind, dead, _ = (home(homes / name, OWNER) for name in ("behind", "dead", "alive"))
    server = subprocess.Popen([bindfs, "-f", behind, dead], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.ismount(dead) or server.poll() is not None)
        if server.poll() is not None:
            pytest.skip("no FUSE file system can be mounted here")
        with started(homes, deadline=2) as storage:
            first = instance("first-one")
            save(storage, TARGET, instance("before"), User("dead"))
            server.send_signal(signal.SIGSTOP)

            async def both() -> tuple[list[Saved], list[Saved | BaseException]]:
                hanging = [storage.save(User("dead"), TARGET, first) for _ in range(8)]
                waiting = asyncio.gather(*hanging, return_exceptions=True)
                others = [
                    await storage.save(User("alive"), TARGET, instance(f"number-{number}"))
                    for number in range(20)
                ]
                assert not waiting.done()
                return others, await waiting

            others, hung = asyncio.run(both())
            assert len({each.target for each in others}) == 20
            for each in hung:
                assert isinstance(each, StorageUnavailable)
                assert each.log == "the child has not answered for 2 seconds"
            assert storage.problems() == []
            server.send_signal(signal.SIGCONT)
            wait_until(lambda: not children_of(broker_of(storage)))
            save(storage, TARGET, first, User("dead"))
            assert len(list(behind.rglob("*.ipynb"))) == 2
    finally:
        server.send_signal(signal.SIGCONT)
        subprocess.run(["umount", dead], check=True)
        server.wait(20)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_broker_itself_bounds_the_children_of_a_user(homes: Path, anna: Path) -> None:
    with started(homes, writes=2) as storage:
        storage.writes = 50  # the web process forgets to

        async def together() -> list[Saved | BaseException]:
            wishes = (storage.save(ANNA, TARGET, instance(f"number-{n}", SIZE)) for n in range(20))
            return await asyncio.gather(*wishes, return_exceptions=True)

        found = asyncio.run(together())
    saved = [each for each in found if isinstance(each, Saved)]
    refused = [each for each in found if isinstance(each, StorageUnavailable)]
    assert len(saved) + len(refused) == 20
    assert len(saved) >= 2
    assert {each.log for each in refused} == {"2 children for this user have not ended"}
    assert len(list(anna.rglob("*.ipynb"))) == len(saved)


def test_a_broker_that_is_gone_is_said(homes: Path, anna: Path) -> None:
    with started(homes) as storage:
        assert storage.problems() == []
        os.kill(broker_of(storage), signal.SIGKILL)
        wait_until(lambda: bool(storage.problems()))
        (problem,) = storage.problems()
        assert re.search("the broker (has ended|does not answer)", problem)
        for attempt in (
            lambda: save(storage, TARGET, instance("first-one")),
            lambda: describe(storage, TARGET),
        ):
            with pytest.raises(StorageUnavailable, match=r"cannot be reached|do not answer"):
                attempt()
    assert tree(anna) == []


def test_the_broker_ends_with_the_process_that_started_it(folder: Path) -> None:
    home(folder / "anna", OWNER)
    command = [*PROGRAM, str(folder), *(f"number-{n}" for n in range(300)), *SHARED]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (found,) = children_of(process.pid)
        process.kill()
    wait_until(lambda: not Path(f"/proc/{found}").exists())


# --- Races --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fast() -> Path:
    """A place where many files are made quickly."""
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


@pytest.mark.parametrize("mode", racing.RACES)
def test_a_thousand_races_against_the_broker_damage_nothing(
    attacker: Path, fast: Path, mode: str
) -> None:
    outcome = racing.race_through_the_broker(attacker, fast, mode, 1000)
    assert outcome.damage == []
    assert outcome.saved + outcome.refused == 1000
    assert outcome.saved


@pytest.mark.parametrize("mode", racing.RACES)
def test_twenty_thousand_races_against_a_child_damage_nothing(
    attacker: Path, fast: Path, mode: str
) -> None:
    outcome = racing.race(attacker, fast, mode, 20_000)
    assert outcome.damage == []
    assert outcome.saved + outcome.refused == 20_000
    assert outcome.saved


@pytest.mark.parametrize("mode", ["swap", "plant", "steal"])
def test_the_same_races_are_won_against_one_who_trusts_paths(
    attacker: Path, fast: Path, mode: str
) -> None:
    assert racing.race(attacker, fast, mode, 5000, "--trusting").damage


# --- Processes: refusals of the kernel, order of calls, full disks, kills -----------------------

SHARED = ("--shared", f"--owner={OWNER}")
REFUSALS = [
    ("mkdirat", errno.EDQUOT, 0, "!storage_full EDQUOT while opening the folder"),
    ("mkdirat", errno.EROFS, 0, "!storage_unavailable EROFS while opening the folder"),
    ("openat", errno.ENOSPC, os.O_TMPFILE, "!storage_full ENOSPC while writing the file"),
    ("linkat", errno.EDQUOT, 0, "!storage_full EDQUOT while giving the file its name"),
    ("linkat", errno.EPERM, 0, "!storage_unavailable EPERM while giving the file its name"),
    ("fsync", errno.EIO, 0, "!storage_unavailable EIO while writing the file"),
]


@needs_seccomp
@pytest.mark.parametrize(("call", "error", "flags", "answer"), REFUSALS)
def test_what_the_kernel_refuses_is_said_and_leaves_nothing(
    folder: Path, call: str, error: int, flags: int, answer: str
) -> None:
    home(folder / "anna", OWNER)
    if call == "fsync":  # of the file, not of the folders on the way
        for path in ("anna/notebooks", "anna/notebooks/sem"):
            home(folder / path, OWNER)
    before = tree(folder)
    refusal = ("--refuse", call, str(error), str(flags))
    assert create(folder, "first-one", *SHARED, *refusal) == {"first-one": answer}
    assert tree(folder) == before


@pytest.mark.parametrize("fallback", [(), pytest.param(NO_UNNAMED, marks=needs_seccomp)])
def test_a_notebook_is_on_disk_before_it_has_a_name_and_before_anyone_is_told(
    folder: Path, fallback: tuple[str, ...]
) -> None:
    home(folder / "anna", OWNER)
    (folder / "traces").mkdir()
    # one file for each process: only the child's own order counts, and that it answers at its end
    calls = "trace=setresuid,mkdirat,write,writev,fsync,linkat"
    before = strace("-ff", "-y", "-o", f"{folder}/traces/of", "-e", calls)
    create(folder, "first-one", *SHARED, *fallback, before=before)
    place = re.escape(str(folder / "anna"))
    order = [
        rf"setresuid\({OWNER}, {OWNER}, {OWNER}\) += 0",
        r"setresuid\(0, 0, 0\) += -1 EPERM",
        rf"mkdirat\(\d+<{place}>, \"notebooks\"",
        rf"fsync\(\d+<{place}>\) += 0",
        r"mkdirat\(\d+<.*/notebooks>, \"sem\"",
        r"fsync\(\d+<.*/notebooks>\) += 0",
        rf"writev\((\d+)<{place}/[^>]*>",
        rf"fsync\(\d+<{place}/[^>]*>.*\) += 0",
        rf"linkat\(.*{place}/notebooks/sem>, \"Analysis 0.ipynb\"",
        rf"fsync\(\d+<{place}/notebooks/sem>\) += 0",
        r"write\(\d+<pipe:.*Analysis 0",
    ]
    traces = (file.read_text() for file in (folder / "traces").iterdir())
    (child,) = (trace for trace in traces if "mkdirat(" in trace)
    found = re.findall(r"^[a-z]+\(.*", child, re.MULTILINE)
    assert len(found) == len(order), found
    for call, expected in zip(found, order, strict=True):
        assert re.match(expected, call), (expected, found)


@pytest.mark.parametrize("fallback", [(), pytest.param(NO_UNNAMED, marks=needs_seccomp)])
def test_on_a_full_disk_what_was_answered_exists_and_nothing_else(
    small_disk: Path, fallback: tuple[str, ...]
) -> None:
    reachable(small_disk)
    home(small_disk / "anna", OWNER)
    assert_told_what_is_there(
        small_disk, create(small_disk, *FIFTY, *SHARED, "--size=100000", "--names=5", *fallback)
    )


FIFTY = [f"number-{number}" for number in range(50)]


def reachable(place: Path) -> None:
    """Let everybody into a folder of this test."""
    for folder in (place, *place.parents):
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)


def assert_told_what_is_there(homes: Path, answered: Mapping[str, str]) -> None:
    """Some were saved and some had no room; everything that was told is there, and no more."""
    saved = {key: answer for key, answer in answered.items() if not answer.startswith("!")}
    refused = [answer for answer in answered.values() if answer.startswith("!")]
    assert saved
    assert refused
    assert {answer.split()[0] for answer in refused} == {"!storage_full"}
    for creation_id, path in saved.items():
        assert (homes / path).read_bytes() == bytes(instance(creation_id, 100_000))
    assert [path for path in tree(homes) if "." in path] == sorted(saved.values())


@pytest.fixture
def quota(folder: Path) -> Iterator[Path]:
    """A place in which 1 MB may be kept, on a larger disk."""
    with mounted("btrfs", folder) as disk:
        place = disk / "quota"
        btrfs = program_of("btrfs-progs", "btrfs")
        for command in (
            ["subvolume", "create", str(place)],
            ["quota", "enable", str(disk)],
            ["qgroup", "limit", "1M", str(place)],
        ):
            subprocess.run([btrfs, *command], check=True, stdout=subprocess.DEVNULL)
        yield place


@pytest.mark.parametrize("fallback", [(), pytest.param(NO_UNNAMED, marks=needs_seccomp)])
def test_over_the_quota_what_was_answered_exists_and_nothing_else(
    quota: Path, fallback: tuple[str, ...]
) -> None:
    home(quota / "anna", OWNER)
    answered = create(quota, *FIFTY, *SHARED, "--size=100000", "--names=5", *fallback)
    assert_told_what_is_there(quota, answered)
    assert any("EDQUOT" in answer for answer in answered.values())


def test_no_quota_left_is_said_to_the_user(quota: Path) -> None:
    home(quota / "anna", OWNER)
    with started(quota) as storage, pytest.raises(StorageFull, match="no room") as refused:
        save(storage, TARGET, instance("first-one", 2 * 10**6))
    assert refused.value.status == 507
    assert "EDQUOT" in refused.value.log


def test_killing_everything_on_a_full_disk_leaves_no_half_notebook(small_disk: Path) -> None:
    reachable(small_disk)
    for number in range(10):
        anna = home(small_disk / "anna", OWNER)
        process = subprocess.Popen(
            [*PROGRAM, small_disk, *FIFTY, *SHARED, "--size=100000", "--names=5"],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        output = b"".join(process.stdout.readline() for _ in range(number))
        os.killpg(process.pid, signal.SIGKILL)
        output += process.stdout.read()
        process.stdout.close()
        process.wait()
        wait_until(lambda: not processes_of(OWNER))
        made = {path.read_bytes() for path in anna.rglob("*") if path.is_file()}
        assert made <= {bytes(instance(creation_id, 100_000)) for creation_id in FIFTY}
        for creation_id, path in answers(output).items():
            if not path.startswith("!"):
                assert (small_disk / path).read_bytes() == bytes(instance(creation_id, 100_000))
        shutil.rmtree(anna)


@pytest.mark.parametrize("fallback", [(), pytest.param(NO_UNNAMED, marks=needs_seccomp)])
def test_killing_everything_in_the_middle_of_1000_creations_leaves_no_half_notebook(
    folder: Path, fallback: tuple[str, ...]
) -> None:
    for path in ("anna", "anna/notebooks", "anna/notebooks/sem"):
        home(folder / path, OWNER)
    kills, left = storm(folder, 1000, *SHARED, *fallback, home="anna")
    assert kills >= 20
    assert fallback or not left


# --- What the web process believes --------------------------------------------------------------


@contextmanager
def answering(answer: bytes) -> Iterator[SharedStorage]:
    """A storage whose broker answers every request with the same bytes."""
    storage = SharedStorage()
    storage._control, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reading, writing = os.pipe()
    pid = subprocess.Popen(
        [sys.executable, "-c", ANSWERING, str(far.fileno()), str(reading)],
        pass_fds=[far.fileno(), reading],
    )
    os.close(reading)
    far.close()
    os.write(writing, answer)
    os.close(writing)
    try:
        yield storage
    finally:
        storage.stop()
        pid.wait(20)


ANSWERING = """
import os, socket, sys
far, answer = socket.socket(fileno=int(sys.argv[1])), os.read(int(sys.argv[2]), 100_000)
while True:
    data, descriptors, _, _ = socket.recv_fds(far, 100_000, 2)
    if not data:
        break
    with socket.socket(fileno=descriptors[0]) as reply:
        reply.send(answer)
    for descriptor in descriptors[1:]:
        os.close(descriptor)
"""

NONSENSE = [
    b"\xff",
    b"{",
    b"[]",
    b"null",
    b"[" * 90_000,
    b"{}",
    b'{"name": "Analysis.ipynb"}',
    b'{"name": "Analysis.ipynb", "existed": "no"}',
    b'{"name": "../../Analysis.ipynb", "existed": false}',
    b'{"name": "Other.ipynb", "existed": false}',
    b'{"name": ["Analysis.ipynb"], "existed": false}',
    b'{"taken": 1, "seen": []}',
    b'{"taken": true, "seen": {}}',
    b'{"taken": true, "seen": [1]}',
    b'{"taken": true, "seen": [{"name": "a/b.ipynb", "provenance": {}, "modified": 1}]}',
    b'{"taken": true, "seen": [{"name": "Analysis.ipynb", "provenance": [], "modified": 1}]}',
    b'{"taken": true, "seen": [{"name": "Analysis.ipynb", "provenance": {}, "modified": "1"}]}',
    b'{"taken": true, "seen": [{"name": "Analysis.ipynb", "provenance": {}, "modified": NaN}]}',
    b'{"taken": true, "seen": [{"name": "Analysis.ipynb", "provenance": {}, "modified": true}]}',
    b'{"taken": true, "seen": [{"name": "Analysis.ipynb", "provenance": {}, "modified": 1e999}]}',
    b'{"error": "no_such_error", "message": "x", "log": "x"}',
    b'{"error": {}, "message": "x", "log": "x"}',
]


@pytest.mark.parametrize("answer", NONSENSE)
def test_an_answer_that_makes_no_sense_is_not_believed(answer: bytes) -> None:
    with answering(answer) as storage:
        for attempt in (
            lambda: save(storage, TARGET, instance("first-one")),
            lambda: describe(storage, TARGET),
        ):
            with pytest.raises(StorageUnavailable, match="something else than was asked"):
                attempt()


def test_words_of_a_child_are_cut_and_made_plain() -> None:
    words = {"error": "storage_full", "message": "\x1b[31m" + "x" * 5000, "log": "a\nb" * 500}
    with answering(json.dumps(words).encode()) as storage, pytest.raises(StorageFull) as refused:
        save(storage, TARGET, instance("first-one"))
    assert len(refused.value.message) < 1100
    assert len(refused.value.log) < 1300
    assert (refused.value.message + refused.value.log).isprintable()


# --- Options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"umask": "8"}, "octal"),
        ({"umask": "0o27"}, "octal"),
        ({"umask": ""}, "octal"),
        ({"umask": "777"}, "owner"),
        ({"home": "homes/{username}"}, "absolute"),
        ({"home": "/srv/homes"}, "username"),
        ({"subfolder": "a/../b"}, "subfolder"),
        ({"subfolder": ".hidden"}, "subfolder"),
        ({"uid": 0}, "uid"),
        ({"minimum_uid": 0}, "minimum_uid"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(TraitError, match=words):
        SharedStorage(**options)


@pytest.mark.parametrize("options", [{"uid": 5000}, {"gid": 5000}, {"uid": 5000, "gid": 5000}])
def test_fixed_ids_go_together(options: dict[str, Any]) -> None:
    with pytest.raises(StorageUnavailable) as refused:
        SharedStorage(**options).start()
    assert "set all three" in refused.value.log


def test_an_address_without_its_parts_and_no_broker_are_problems() -> None:
    problems = SharedStorage(open_url="https://jupyter.example/lab").problems()
    assert [
        re.findall(r"has no \{\w+\}|the broker was not started", each) for each in problems
    ] == [
        ["has no {username}"],
        ["has no {path}"],
        ["the broker was not started"],
    ]


def test_a_home_in_which_notebooks_can_be_saved_is_no_problem_and_stays_as_it_is(
    storage: SharedStorage, anna: Path
) -> None:
    assert list(storage.problems()) == []
    assert list(storage.problems_for(ANNA)) == []
    assert tree(anna) == []


def test_rules_survive_their_way_to_the_broker() -> None:
    rules = broker.Rules(
        accounts=Accounts("/h/{username}", 5, 6, 7), subfolder=("a", "b"), umask=0o27, deadline=1.5
    )
    assert broker.Rules.loads(rules.dumps()) == rules
