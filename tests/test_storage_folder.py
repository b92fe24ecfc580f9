"""The storage ``folder``: what it promises, and what may stand in its way."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import re
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from creating import instance
from nbstamp.core.errors import NoFreeName, StorageUnavailable, UnacceptableFileName
from nbstamp.core.instance import Instance
from nbstamp.core.naming import Target
from nbstamp.core.user import NOBODY
from nbstamp.storage import files
from nbstamp.storage.base import Description, Saved
from nbstamp.storage.folder import FolderStorage
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
from support import missing_tool

TARGET = Target(("notebooks", "sem"), "Analysis.ipynb")


def save(storage: FolderStorage, target: Target, instance: Instance) -> Saved:
    return asyncio.run(storage.save(NOBODY, target, instance))


def describe(storage: FolderStorage, target: Target) -> Description:
    return asyncio.run(storage.describe(NOBODY, target, lambda _: True))


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(root=str(tmp_path))


@pytest.fixture
def no_unnamed_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system such as FUSE or NFS, which has no ``O_TMPFILE``."""
    real = os.open

    def refusing(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing)


# --- The contract -------------------------------------------------------------------------------


class TestFolderStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> FolderStorage:
        return FolderStorage(root=str(tmp_path))

    def read(self, storage: FolderStorage, target: Target) -> bytes:
        return Path(storage.root, target.path).read_bytes()

    def write(self, storage: FolderStorage, target: Target, data: bytes) -> None:
        file = Path(storage.root, target.path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def names(self, storage: FolderStorage, folder: tuple[str, ...]) -> set[str]:
        place = Path(storage.root, *folder)
        return {file.name for file in place.iterdir()} if place.is_dir() else set()


@pytest.mark.usefixtures("no_unnamed_files")
class TestFolderStorageWithoutUnnamedFiles(TestFolderStorage):
    """``names`` sees hidden files too, so every test also says that none is left."""


class TestFolderStorageOnFuse(TestFolderStorage):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[FolderStorage]:
        behind, mounted = tmp_path / "behind", tmp_path / "mounted"
        behind.mkdir()
        mounted.mkdir()
        if not shutil.which("bindfs"):
            missing_tool("bindfs")
        made = subprocess.run(
            ["bindfs", "--no-allow-other", behind, mounted],
            check=False,
            capture_output=True,
            text=True,
        )
        if made.returncode:
            pytest.skip(f"no FUSE file system can be mounted here: {made.stderr.strip()}")
        yield FolderStorage(root=str(mounted))
        subprocess.run(["fusermount", "-u", mounted], check=True)


# --- What may stand at the name -----------------------------------------------------------------


@pytest.mark.parametrize("obstacle", AT_THE_NAME)
def test_whatever_has_the_name_stays_as_it_is(
    storage: FolderStorage, tmp_path_factory: pytest.TempPathFactory, obstacle: Obstacle
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    victim = outside / "victim.ipynb"
    victim.write_text("mine")
    path = Path(storage.root, TARGET.path)
    path.parent.mkdir(parents=True)
    obstacle(path, victim)
    before = path.lstat()
    saved = save(storage, TARGET, instance("first-one"))
    after = path.lstat()
    assert saved.target == TARGET.numbered(1)
    assert Path(storage.root, saved.target.path).read_bytes() == bytes(instance("first-one"))
    assert (after.st_ino, after.st_mode, after.st_size) == (
        before.st_ino,
        before.st_mode,
        before.st_size,
    )
    assert victim.read_text() == "mine"
    assert tree(outside) == ["victim.ipynb"]
    assert describe(storage, TARGET).taken


@pytest.mark.parametrize("obstacle", AT_THE_NAME)
def test_whatever_takes_the_name_at_the_last_moment_stays_as_it_is(
    storage: FolderStorage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, obstacle: Obstacle
) -> None:
    victim = tmp_path / "victim.ipynb"
    victim.write_text("mine")
    path = tmp_path / TARGET.path
    real = os.link

    def late(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(os, "link", real)
        if not os.path.lexists(path):
            obstacle(path, victim)
        real(*args, **kwargs)

    monkeypatch.setattr(os, "link", late)
    saved = save(storage, TARGET, instance("first-one"))
    assert saved.target == TARGET.numbered(1)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("obstacle", IN_THE_FOLDER)
@pytest.mark.parametrize("part", ["notebooks", "notebooks/sem"])
def test_a_folder_that_is_none_is_refused_in_words(
    storage: FolderStorage,
    tmp_path_factory: pytest.TempPathFactory,
    obstacle: Obstacle,
    part: str,
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    victim = outside / "victim.ipynb"
    victim.write_text("mine")
    path = Path(storage.root, part)
    path.parent.mkdir(exist_ok=True)
    obstacle(path, victim)
    for attempt in (
        lambda: save(storage, TARGET, instance("first-one")),
        lambda: describe(storage, TARGET),
    ):
        with pytest.raises(UnacceptableFileName, match="is not a folder but a file or a link"):
            attempt()
    assert tree(outside) == ["victim.ipynb"]
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("folder", [("..",), ("a", ".."), ("/etc",), ("a/b",), ("",), (".",)])
def test_a_path_that_is_not_plain_is_not_walked(
    storage: FolderStorage, folder: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="not a plain name"):
        save(storage, Target(folder, "Analysis.ipynb"), instance("first-one"))
    assert tree(Path(storage.root)) == []


@pytest.mark.parametrize("name", ["../Analysis.ipynb", "/Analysis.ipynb", "a/b.ipynb"])
def test_a_name_that_is_not_plain_is_not_used(storage: FolderStorage, name: str) -> None:
    with pytest.raises(ValueError, match="not a plain name"):
        save(storage, Target((), name), instance("first-one"))
    assert tree(Path(storage.root)) == []


def test_a_name_that_the_file_system_cannot_hold_is_refused_in_words(
    storage: FolderStorage,
) -> None:
    for target in (Target((), "x" * 300 + ".ipynb"), Target(("x" * 300,), "x.ipynb")):
        with pytest.raises(UnacceptableFileName, match="shorter"):
            save(storage, target, instance("first-one"))
    assert tree(Path(storage.root)) == []


def test_a_thousand_notebooks_of_one_name_are_enough(storage: FolderStorage) -> None:
    for number in range(files.NAMES):
        Path(storage.root, Target((), "Analysis.ipynb").numbered(number).name).touch()
    with pytest.raises(NoFreeName, match="999 numbered variants"):
        save(storage, Target((), "Analysis.ipynb"), instance("first-one"))
    assert len(tree(Path(storage.root))) == files.NAMES


def test_a_notebook_of_many_pieces_is_complete_however_few_bytes_are_taken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[bytes | memoryview] = [
        b"",
        *(f"{number}".encode() for number in range(3000)),
        b"",
        memoryview(b"end"),
    ]
    with files.opened(str(tmp_path)) as root:
        files.save(root, Target((), "Pieces.ipynb"), pieces, "first-one")
        monkeypatch.setattr(os, "writev", lambda file, left: os.write(file, b"".join(left)[:7]))
        files.save(root, Target((), "Sips.ipynb"), pieces, "second-one")
    whole = b"".join(pieces)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [whole, whole]


# --- The same creation --------------------------------------------------------------------------


def test_a_creation_is_found_after_the_names_before_it_are_gone(storage: FolderStorage) -> None:
    first = save(storage, TARGET, instance("first-one"))
    second = save(storage, TARGET, instance("second-one"))
    Path(storage.root, first.target.path).unlink()
    again = save(storage, TARGET, instance("second-one"))
    assert (again.target, again.existed) == (second.target, True)


def test_a_creation_is_found_among_many_newer_ones(storage: FolderStorage) -> None:
    saved = [save(storage, TARGET, instance(f"number-{n}")) for n in range(50)]
    again = save(storage, TARGET, instance("number-3"))
    assert (again.target, again.existed) == (saved[3].target, True)


def test_a_creation_is_found_in_a_notebook_that_took_the_name_meanwhile(
    storage: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def late(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(os, "link", real)
        save(storage, TARGET, instance("other-one"))
        save(storage, TARGET, instance("first-one"))
        real(*args, **kwargs)

    monkeypatch.setattr(os, "link", late)
    saved = save(storage, TARGET, instance("first-one"))
    assert (saved.target, saved.existed) == (TARGET.numbered(1), True)
    assert len(tree(Path(storage.root))) == 4


def test_only_the_newest_twenty_are_looked_at_before_anything_is_written(
    storage: FolderStorage,
) -> None:
    saved = [save(storage, TARGET, instance(f"number-{number}")) for number in range(25)]
    for number, each in enumerate(saved):
        os.utime(Path(storage.root, each.target.path), (10**9 + number, 10**9 + number))

    def found(creation_id: str) -> Any:
        return asyncio.run(
            storage.describe(NOBODY, TARGET, lambda origin: origin["creation_id"] == creation_id)
        ).found

    assert found("number-5").target == saved[5].target
    assert found("number-5").modified == 10**9 + 5
    assert found("number-4") is None
    assert describe(storage, TARGET).found == found("number-24")


# --- Where notebooks are ------------------------------------------------------------------------


def test_the_address_of_a_notebook_is_quoted_part_by_part(tmp_path: Path) -> None:
    storage = FolderStorage(
        root=str(tmp_path), open_url="https://jupyter.example/lab/tree/{path}", label="Group drive"
    )
    target = Target(("größe", "a b"), "100% #1;{path}.ipynb")
    saved = save(storage, target, instance("first-one"))
    url = "https://jupyter.example/lab/tree/gr%C3%B6%C3%9Fe/a%20b/100%25%20%231%3B%7Bpath%7D.ipynb"
    assert saved.url == url
    assert saved.place == "Group drive / größe / a b / 100% #1;{path}.ipynb"
    found = describe(storage, target)
    assert found.place == "Group drive / größe / a b"
    assert found.found is not None
    assert found.found.url == url


def test_without_an_address_nothing_is_opened(storage: FolderStorage) -> None:
    assert save(storage, TARGET, instance("first-one")).url is None


def test_the_root_may_be_a_link_and_is_opened_anew_each_time(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    link = tmp_path / "current"
    link.symlink_to("old")
    storage = FolderStorage(root=str(link))
    save(storage, Target((), "Analysis.ipynb"), instance("first-one"))
    link.unlink()
    link.symlink_to("new")
    save(storage, Target((), "Analysis.ipynb"), instance("second-one"))
    assert tree(tmp_path / "old") == tree(tmp_path / "new") == ["Analysis.ipynb"]


def test_the_root_may_be_relative_or_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert FolderStorage(root="~/notebooks").root == str(tmp_path / "notebooks")
    assert FolderStorage(root="notebooks").root == str(tmp_path / "notebooks")


def test_permissions_follow_the_umask(storage: FolderStorage) -> None:
    before = os.umask(0o027)
    try:
        save(storage, TARGET, instance("first-one"))
    finally:
        os.umask(before)
    path = Path(storage.root, TARGET.path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_only_so_many_are_written_at_once_for_one_user(tmp_path: Path) -> None:
    class Counting(FolderStorage):
        now = most = 0
        lock = threading.Lock()

        def _save(self, target: Target, instance: Instance) -> files.Written:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            try:
                return super()._save(target, instance)
            finally:
                with self.lock:
                    self.now -= 1

    storage = Counting(root=str(tmp_path), writes=2)

    async def many() -> None:
        await asyncio.gather(
            *(storage.save(NOBODY, TARGET, instance(f"number-{n}")) for n in range(20))
        )

    asyncio.run(many())
    assert 1 <= storage.most <= 2
    assert len(list(tmp_path.rglob("*.ipynb"))) == 20


# --- What the administrator is told -------------------------------------------------------------


def test_a_usable_root_is_no_problem_and_trying_it_leaves_nothing(storage: FolderStorage) -> None:
    assert list(storage.problems()) == []
    assert tree(Path(storage.root)) == []


@pytest.mark.usefixtures("no_unnamed_files")
def test_a_root_without_unnamed_files_is_no_problem_either(storage: FolderStorage) -> None:
    assert list(storage.problems()) == []
    assert tree(Path(storage.root)) == []


def test_a_root_without_hard_links_is_a_problem(
    storage: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refusing)
    (problem,) = storage.problems()
    assert "EPERM while making a file on trial" in problem
    assert "hard links" in problem
    assert tree(Path(storage.root)) == []


def test_no_root_is_a_problem_and_saves_nothing() -> None:
    storage = FolderStorage()
    assert list(storage.problems()) == [
        "FolderStorage.root is not set; name a directory for notebooks"
    ]
    with pytest.raises(StorageUnavailable, match="has not been told where"):
        save(storage, TARGET, instance("first-one"))


def test_a_root_that_is_missing_or_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, reason in (("missing", "ENOENT"), ("file", "ENOTDIR")):
        storage = FolderStorage(root=str(tmp_path / name))
        (problem,) = storage.problems()
        assert str(tmp_path / name) in problem
        assert reason in problem
        with pytest.raises(StorageUnavailable, match="Nothing was created"):
            save(storage, TARGET, instance("first-one"))
    assert tree(tmp_path) == ["file"]


def test_an_address_without_a_path_is_a_problem(tmp_path: Path) -> None:
    (problem,) = FolderStorage(
        root=str(tmp_path), open_url="https://jupyter.example/lab"
    ).problems()
    assert "{path}" in problem


# --- Without unnamed files ----------------------------------------------------------------------


@pytest.mark.usefixtures("no_unnamed_files")
def test_hidden_files_of_killed_processes_are_removed_a_day_later(storage: FolderStorage) -> None:
    left = [f".nbstamp-{number:032x}.tmp" for number in range(2)]
    others = [".nbstamp-notes.tmp", ".profile"]
    folder = Path(storage.root, *TARGET.folder)
    folder.mkdir(parents=True)
    for name in (*left, *others):
        (folder / name).touch()
    long_ago = time.time() - 25 * 3600
    for name in (left[0], *others):
        os.utime(folder / name, (long_ago, long_ago))
    save(storage, TARGET, instance("first-one"))
    assert tree(folder) == sorted([left[1], *others, TARGET.name])


@pytest.mark.parametrize("unnamed", [True, False])
def test_a_lost_answer_to_a_link_that_was_made_is_no_failure(
    storage: FolderStorage,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    unnamed: bool,
) -> None:
    if not unnamed:
        request.getfixturevalue("no_unnamed_files")
    real = os.link

    def answer_lost(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    monkeypatch.setattr(os, "link", answer_lost)
    saved = save(storage, TARGET, instance("first-one"))
    assert (saved.target, saved.existed) == (TARGET, False)
    assert tree(Path(storage.root)) == ["notebooks", "notebooks/sem", f"{TARGET.path}"]


# --- Processes: refusals of the kernel, order of calls, kills -----------------------------------

REFUSALS = [
    ("mkdirat", errno.ENOSPC, 0, "!storage_full ENOSPC while opening the folder"),
    ("mkdirat", errno.EDQUOT, 0, "!storage_full EDQUOT while opening the folder"),
    ("mkdirat", errno.EROFS, 0, "!storage_unavailable EROFS while opening the folder"),
    ("openat", errno.ENOSPC, os.O_TMPFILE, "!storage_full ENOSPC while writing the file"),
    ("openat", errno.EACCES, os.O_TMPFILE, "!storage_unavailable EACCES while writing the file"),
    ("writev", errno.ENOSPC, 0, "!storage_full ENOSPC while writing the file"),
    ("linkat", errno.EDQUOT, 0, "!storage_full EDQUOT while giving the file its name"),
    ("linkat", errno.ENOSPC, 0, "!storage_full ENOSPC while giving the file its name"),
    ("linkat", errno.EPERM, 0, "!storage_unavailable EPERM while giving the file its name"),
    ("linkat", errno.ESTALE, 0, "!storage_unavailable ESTALE while giving the file its name"),
]


@needs_seccomp
@pytest.mark.parametrize(("call", "error", "flags", "answer"), REFUSALS)
def test_what_the_kernel_refuses_is_said_and_leaves_nothing(
    tmp_path: Path, call: str, error: int, flags: int, answer: str
) -> None:
    refusal = ("--refuse", call, str(error), str(flags))
    assert create(tmp_path, "first-one", *refusal) == {"first-one": answer}
    assert tree(tmp_path) == []


@needs_seccomp
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("fallback", [(), NO_UNNAMED])
def test_a_disk_that_does_not_keep_the_bytes_leaves_nothing(
    tmp_path: Path, error: int, fallback: tuple[str, ...]
) -> None:
    (tmp_path / "notebooks" / "sem").mkdir(parents=True)
    answer = create(tmp_path, "first-one", "--refuse", "fsync", str(error), "0", *fallback)
    assert f"{errno.errorcode[error]} while writing the file" in answer["first-one"]
    assert tree(tmp_path) == ["notebooks", "notebooks/sem"]


@pytest.mark.parametrize("fallback", [(), pytest.param(NO_UNNAMED, marks=needs_seccomp)])
def test_a_file_that_may_not_grow_so_large_leaves_nothing(
    tmp_path: Path, fallback: tuple[str, ...]
) -> None:
    limits = ("--size", "100000", "--file-size", "50000")
    assert create(tmp_path, "first-one", *limits, *fallback) == {
        "first-one": "!storage_full EFBIG while writing the file"
    }
    assert tree(tmp_path) == []


def test_a_folder_that_this_process_may_not_write_is_said(public: Path) -> None:
    folder = public / "notebooks"
    folder.mkdir(mode=0o555)
    somebody = ("--uid", "65534") if os.getuid() == 0 else ()
    for where in ("notebooks", "notebooks/sem"):
        (answer,) = create(public, "first-one", "--folder", where, *somebody).values()
        assert re.fullmatch("!storage_unavailable EACCES while .*", answer)
    assert tree(public) == ["notebooks"]


@pytest.mark.parametrize("fallback", [(), pytest.param(NO_UNNAMED, marks=needs_seccomp)])
def test_on_a_full_disk_what_was_answered_exists_and_nothing_else(
    small_disk: Path, fallback: tuple[str, ...]
) -> None:
    ids = [f"number-{number}" for number in range(20)]
    answered = create(small_disk, *ids, "--size", "100000", "--names", "5", *fallback)
    saved = {key: answer for key, answer in answered.items() if not answer.startswith("!")}
    refused = [answer for answer in answered.values() if answer.startswith("!")]
    assert saved
    assert refused
    assert {answer.split()[0] for answer in refused} == {"!storage_full"}
    for creation_id, path in saved.items():
        assert (small_disk / path).read_bytes() == bytes(instance(creation_id, 100000))
    assert [path for path in tree(small_disk) if "." in path] == sorted(saved.values())


@pytest.mark.parametrize("fallback", [(), pytest.param(NO_UNNAMED, marks=needs_seccomp)])
def test_a_notebook_is_on_disk_before_it_has_a_name_and_before_anyone_is_told(
    tmp_path: Path, fallback: tuple[str, ...]
) -> None:
    trace = tmp_path / "trace"
    root = tmp_path / "root"
    root.mkdir()
    before = strace("-y", "-o", str(trace), "-e", "trace=mkdirat,write,writev,fsync,linkat")
    create(root, "first-one", *fallback, before=before)
    folder = re.escape(str(root / "notebooks" / "sem"))
    order = [
        rf"mkdirat\(\d+<{re.escape(str(root))}>, \"notebooks\"",
        rf"fsync\(\d+<{re.escape(str(root))}>\) += 0",
        r"mkdirat\(\d+<.*/notebooks>, \"sem\"",
        r"fsync\(\d+<.*/notebooks>\) += 0",
        rf"writev\((\d+)<{folder}/[^>]*>",
        rf"fsync\(\d+<{folder}/[^>]*>.*\) += 0",
        rf"linkat\(.*{folder}>, \"Analysis 0.ipynb\"",
        rf"fsync\(\d+<{folder}>\) += 0",
        r"write\(1<.*first-one notebooks/sem/Analysis",
    ]
    calls = [
        line
        for line in trace.read_text().splitlines()
        if re.search(r"mkdirat|writev|fsync|linkat|write\(1<", line)
    ]
    assert len(calls) == len(order), calls
    for call, expected in zip(calls, order, strict=True):
        assert re.search(expected, call), (expected, calls)


def test_a_name_that_the_disk_has_not_confirmed_is_said_and_found_again(tmp_path: Path) -> None:
    (tmp_path / "notebooks" / "sem").mkdir(parents=True)

    def failing_at(number: int) -> tuple[str, ...]:
        return strace("-o", os.devnull, "-e", f"inject=fsync:error=EIO:when={number}")

    assert create(tmp_path, "first-one", before=failing_at(2)) == {
        "first-one": "!storage_unavailable EIO while writing the folder"
    }
    # the second time it is there already, and still not told before the disk has it
    assert create(tmp_path, "first-one", before=failing_at(1)) == {
        "first-one": "!storage_unavailable EIO while looking into the folder"
    }
    (answer,) = create(tmp_path, "first-one").values()
    assert answer == "notebooks/sem/Analysis 0.ipynb"
    assert tree(tmp_path)[2:] == [answer]


def test_the_same_creations_by_four_processes_at_once_are_made_once(tmp_path: Path) -> None:
    ids = [f"number-{number}" for number in range(25)]
    running = [
        subprocess.Popen(
            [*PROGRAM, tmp_path, *random.sample(ids, len(ids))], stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    found = [answers(process.communicate(timeout=120)[0]) for process in running]
    assert found[0] == found[1] == found[2] == found[3]
    assert sorted(found[0]) == sorted(ids)
    assert sorted(found[0].values()) == tree(tmp_path)[2:]
    for creation_id, path in found[0].items():
        assert (tmp_path / path).read_bytes() == bytes(instance(creation_id))


@pytest.mark.parametrize("fallback", [(), pytest.param(NO_UNNAMED, marks=needs_seccomp)])
def test_killing_the_process_in_the_middle_of_500_creations_leaves_no_half_notebook(
    tmp_path: Path, fallback: tuple[str, ...]
) -> None:
    (tmp_path / "notebooks" / "sem").mkdir(parents=True)
    kills, left = storm(tmp_path, 500, *fallback)
    assert kills >= 10
    assert fallback or not left
