"""The catalogue of folders, with real files, links, FIFOs and threads."""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import tempfile
import threading
import time
import tracemalloc
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from nbstamp.catalogue import folders, tree
from nbstamp.catalogue.base import Entry
from nbstamp.catalogue.folders import FolderCatalogue
from nbstamp.catalogue.near import Near
from nbstamp.core.errors import BrokenTemplate, UnknownTemplate
from nbstamp.core.parameters import Limits
from support import missing_tool, notebook

HALF = notebook("x").rpartition("}")[0].rstrip()
"""A notebook that is still being saved."""


def titled(title: str, padding: int = 0) -> str:
    cell = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": f"# {title}"}
    more = {"attachments": {"a.png": {"image/png": "A" * padding}}} if padding else {}
    return notebook(cells=[cell | more])


def write(folder: Path, path: str, text: str = "") -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text or titled(path), encoding="utf-8")
    return file


def replace(folder: Path, path: str, text: str) -> None:
    draft = write(folder, f".{threading.get_ident()}.draft", text)
    draft.replace(folder / path)


def catalogue(*roots: Path, largest: int = 64 * 2**20, **traits: float) -> FolderCatalogue:
    return FolderCatalogue(roots=roots, limits=Limits(template=largest), **traits)


def scanned(*roots: Path, memory: int = 2**28, settle: float = 10) -> FolderCatalogue:
    made = catalogue(*roots, memory=memory, settle=settle)
    made.scan()
    return made


def paths(made: FolderCatalogue) -> list[str]:
    return [entry.path for entry in made.listing().entries]


def entry(made: FolderCatalogue, path: str) -> Entry:
    return next(entry for entry in made.listing().entries if entry.path == path)


def near(made: FolderCatalogue, path: str) -> list[str]:
    with pytest.raises(UnknownTemplate) as caught:
        made.get(path)
    assert type(caught.value) is UnknownTemplate
    return list(caught.value.near)


def reason(made: FolderCatalogue, path: str) -> str:
    with pytest.raises(BrokenTemplate) as caught:
        made.get(path)
    return caught.value.reason


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- What is listed -----------------------------------------------------------------------------


def test_every_notebook_of_every_depth_is_listed_by_path(tmp_path: Path) -> None:
    for path in ("sem/b.ipynb", "a.ipynb", "sem/deep/er/c.ipynb", "größe/ß {x}.ipynb"):
        write(tmp_path, path)
    write(tmp_path, "sem/readme.md", "no notebook")
    made = scanned(tmp_path)
    assert paths(made) == sorted(paths(made))
    assert set(paths(made)) == {
        "sem/b.ipynb",
        "a.ipynb",
        "sem/deep/er/c.ipynb",
        "größe/ß {x}.ipynb",
    }
    found = entry(made, "sem/b.ipynb")
    file = tmp_path / "sem/b.ipynb"
    assert found.title == "sem/b.ipynb"
    assert found.kernel
    assert found.kernel.name == "python3"
    assert (found.size, found.modified) == (file.stat().st_size, file.stat().st_mtime)
    assert found.content_hash == made.get("sem/b.ipynb").content_hash
    assert (found.folder, found.name, found.broken) == ("sem", "b.ipynb", None)


@pytest.mark.parametrize(
    "path",
    [
        ".hidden.ipynb",
        ".git/a.ipynb",
        "sem/.ipynb_checkpoints/a-checkpoint.ipynb",
        "lost+found/a.ipynb",
        "#recycle/a.ipynb",
    ],
)
def test_what_is_hidden_is_neither_listed_nor_served(tmp_path: Path, path: str) -> None:
    write(tmp_path, path)
    made = scanned(tmp_path)
    assert paths(made) == []
    assert near(made, path) == []


def test_the_first_of_two_folders_counts(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, "both.ipynb", titled("one"))
    write(two, "both.ipynb", titled("two"))
    write(two, "second.ipynb")
    made = scanned(one, two)
    assert paths(made) == ["both.ipynb", "second.ipynb"]
    assert entry(made, "both.ipynb").title == made.get("both.ipynb").title == "one"
    (one / "both.ipynb").unlink()
    assert made.get("both.ipynb").title == "two"
    made.scan()
    assert entry(made, "both.ipynb").title == "two"
    write(one, "both.ipynb", titled("one again"))
    made.scan()
    assert entry(made, "both.ipynb").title == "one again"


def test_a_template_without_a_heading_is_called_as_its_file(tmp_path: Path) -> None:
    write(tmp_path, "sem/a.ipynb", notebook(cells=[]))
    assert entry(scanned(tmp_path), "sem/a.ipynb").title == "a.ipynb"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.ipynb", "", "the file is empty"),
        ("a.ipynb", HALF, "incomplete, or still being saved"),
        ("a.ipynb", "{}", "not a Jupyter notebook"),
        ("a{.ipynb", notebook("x"), "a brace that is not part of a placeholder"),
        ("a{x!r}.ipynb", notebook("x"), "a brace that is not part of a placeholder"),
        ("a.ipynb", notebook("x" * 5000), "accepts templates of at most 4,000 bytes"),
    ],
)
def test_a_broken_template_is_listed_with_the_reason(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    (tmp_path / name).write_text(text)
    write(tmp_path, "good.ipynb")
    made = catalogue(tmp_path, largest=4000)
    assert why in reason(made, name)
    made.scan()
    found = entry(made, name)
    assert why in (found.broken or "")
    assert (found.title, found.kernel, found.content_hash) == (name, None, "")
    assert made.get("good.ipynb").title == "good.ipynb"


def test_a_listing_is_there_at_once_and_fills_while_the_first_scan_runs(tmp_path: Path) -> None:
    for number in range(300):
        write(tmp_path, f"{number}.ipynb")
    made = catalogue(tmp_path)
    assert made.listing().entries == ()
    assert not made.listing().complete
    seen = set()
    made.start()
    try:
        while not (listing := made.listing()).complete:
            seen.add(len(listing.entries))
            time.sleep(0.001)
        assert len(listing.entries) == 300
        assert len(seen) > 5
        assert made.listing() is listing
    finally:
        made.stop()


def test_a_template_can_be_used_before_any_scan(tmp_path: Path) -> None:
    write(tmp_path, "sem/a.ipynb", titled("new"))
    assert catalogue(tmp_path).get("sem/a.ipynb").title == "new"


# --- Changes ------------------------------------------------------------------------------------


def test_changes_are_seen_without_a_restart(tmp_path: Path) -> None:
    write(tmp_path, "a.ipynb", titled("first"))
    made = catalogue(tmp_path, interval=0.01)
    made.start()
    try:
        until(lambda: paths(made) == ["a.ipynb"])
        write(tmp_path, "sem/b.ipynb")
        until(lambda: paths(made) == ["a.ipynb", "sem/b.ipynb"])
        write(tmp_path, "a.ipynb", titled("second"))
        until(lambda: entry(made, "a.ipynb").title == "second")
        (tmp_path / "a.ipynb").unlink()
        until(lambda: paths(made) == ["sem/b.ipynb"])
        shutil.rmtree(tmp_path / "sem")
        until(lambda: paths(made) == [])
    finally:
        made.stop()
    assert not any(thread.name == "templates" for thread in threading.enumerate())
    write(tmp_path, "c.ipynb")
    made.scan()
    assert paths(made) == ["c.ipynb"]


def test_a_template_is_always_as_it_is_on_disk(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ipynb", titled("one"))
    made = scanned(tmp_path)
    for title in ("two", "six", "ten"):  # same size, and perhaps in the same tick of the clock
        file.write_text(titled(title))
        assert made.get("a.ipynb").title == title
        assert entry(made, "a.ipynb").title == title
    file.unlink()
    assert near(made, "a.ipynb") == []
    assert paths(made) == []


def test_a_look_is_good_for_all_who_ask_within_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MOMENT", 60.0)
    write(tmp_path, "a.ipynb", titled("One"))
    made = scanned(tmp_path)
    assert made.recent("a.ipynb") is None  # nobody has asked for it
    assert made.recent("b.ipynb") is None
    template = made.get("a.ipynb")
    assert made.recent("a.ipynb") is template
    monkeypatch.setattr(folders, "MOMENT", 0.0)
    assert made.recent("a.ipynb") is None


def test_what_was_found_to_be_broken_or_gone_is_not_recent(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ipynb", titled("One"))
    made = scanned(tmp_path, settle=0)
    made.get("a.ipynb")
    file.write_text("{")
    with pytest.raises(BrokenTemplate):
        made.get("a.ipynb")
    assert made.recent("a.ipynb") is None
    file.write_text(titled("Two"))
    made.get("a.ipynb")
    file.unlink()
    with pytest.raises(UnknownTemplate):
        made.get("a.ipynb")
    assert made.recent("a.ipynb") is None


def test_a_template_that_is_not_in_memory_is_not_recent(tmp_path: Path) -> None:
    write(tmp_path, "a.ipynb", titled("One"))
    made = scanned(tmp_path, memory=10)
    made.get("a.ipynb")
    assert made.recent("a.ipynb") is None


def test_a_change_within_one_tick_of_a_slow_clock_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coarse(found: os.stat_result) -> tree.Signature:
        return (found.st_dev, found.st_ino, found.st_size, int(found.st_mtime), 0)

    monkeypatch.setattr(tree, "signature", coarse)  # as old file systems and servers have it
    now = int(time.time()) + 1
    file = write(tmp_path, "a.ipynb", titled("one"))
    os.utime(file, (now, now))
    made = scanned(tmp_path)
    file.write_text(titled("two"))
    os.utime(file, (now, now))
    made.scan()
    assert entry(made, "a.ipynb").title == "two"
    file.write_text(titled("six"))
    os.utime(file, (now, now))
    assert made.get("a.ipynb").title == "six"


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, "a.ipynb", "short")
    with tree.Root(tmp_path).file("a.ipynb") as file:
        assert file
        path.write_text("much longer")
        assert file.read(20) == b"much longer"
        path.write_text("")
        assert file.read(20) == b""
        path.write_text("x" * 21)
        with pytest.raises(tree.Unusable, match="21 bytes"):
            file.read(20)


def test_a_change_is_parsed_once(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ipynb")
    made = scanned(tmp_path)
    first = made.get("a.ipynb")
    os.utime(file)
    made.scan()
    assert made.get("a.ipynb") is first
    assert entry(made, "a.ipynb").modified == file.stat().st_mtime
    write(tmp_path, "a.ipynb", titled("changed"))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(made.get, ["a.ipynb"] * 50))
    assert len({id(template) for template in found}) == 1


def test_a_template_that_is_being_saved_stays_as_it_was(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ipynb", titled("good"))
    made = scanned(tmp_path, settle=3600)
    for length in (0, 10, 40):
        file.write_text(titled("better")[:length])
        made.scan()
        assert entry(made, "a.ipynb").title == made.get("a.ipynb").title == "good"
    file.write_text(titled("better"))
    assert made.get("a.ipynb").title == "better"


def test_a_template_that_stays_half_saved_is_listed_as_broken(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ipynb", titled("good"))
    made = scanned(tmp_path, settle=0.05)
    file.write_text(HALF)
    made.scan()
    assert entry(made, "a.ipynb").broken is None
    time.sleep(0.06)
    made.scan()
    assert "incomplete" in (entry(made, "a.ipynb").broken or "")
    assert "incomplete" in reason(made, "a.ipynb")
    file.write_text(titled("repaired"))
    made.scan()
    assert entry(made, "a.ipynb").title == "repaired"


def test_without_time_to_settle_a_template_is_broken_at_once(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ipynb")
    made = scanned(tmp_path, settle=0)
    file.write_text(HALF)
    assert "incomplete" in reason(made, "a.ipynb")
    assert entry(made, "a.ipynb").broken


def test_a_template_that_is_not_in_memory_has_no_last_good_state(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ipynb", titled("good"))
    made = scanned(tmp_path, memory=0, settle=3600)
    assert made.get("a.ipynb").title == "good"
    file.write_text(HALF)
    made.scan()
    assert "incomplete" in (entry(made, "a.ipynb").broken or "")
    assert "incomplete" in reason(made, "a.ipynb")


def test_every_reader_gets_a_complete_version_while_files_are_replaced(tmp_path: Path) -> None:
    versions = {titled(f"version {number % 7}", 20_000) for number in range(7)}
    texts = sorted(versions)
    write(tmp_path, "a.ipynb", texts[0])
    made = catalogue(tmp_path, interval=0.01)
    stop = threading.Event()

    def author() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            replace(tmp_path, "a.ipynb", texts[number % 7])

    def reader(_: int) -> set[bytes]:
        return {made.get("a.ipynb").body for _ in range(150)}

    made.start()
    writing = threading.Thread(target=author)
    writing.start()
    try:
        with ThreadPoolExecutor(6) as pool:
            seen = set().union(*pool.map(reader, range(6)))
    finally:
        stop.set()
        writing.join()
        made.stop()
    assert seen <= {text.encode() for text in versions}
    assert len(seen) > 1
    assert made.get("a.ipynb").body == (tmp_path / "a.ipynb").read_bytes()


# --- Swapped folders ----------------------------------------------------------------------------


def release(folder: Path, name: str) -> Path:
    for path in ("a.ipynb", "sem/b.ipynb"):
        write(folder / name, path, titled(name))
    return folder / name


def swap(link: Path, target: str) -> None:
    draft = link.with_name(f"{link.name}_tmp")
    draft.symlink_to(target)
    draft.replace(link)


@contextmanager
def swapping(link: Path, folder: Path, prefix: str) -> Iterator[None]:
    """Swap ``link`` to a new release all the time, and delete the one before."""
    stop = threading.Event()

    def deploy() -> None:
        number, last = 0, link.resolve()
        while not stop.is_set():
            number += 1
            made = release(folder, f"{prefix}{number}")
            swap(link, made.name)
            shutil.rmtree(last)
            last = made

    deploying = threading.Thread(target=deploy)
    deploying.start()
    try:
        yield
    finally:
        stop.set()
        deploying.join()


def test_a_root_that_is_a_link_can_be_swapped_at_any_moment(tmp_path: Path) -> None:
    release(tmp_path, "r0")
    root = tmp_path / "current"
    root.symlink_to("r0")
    made = scanned(root, settle=0)
    assert entry(made, "sem/b.ipynb").title == "r0"
    with swapping(root, tmp_path, "r"):
        for _ in range(200):
            for path in ("a.ipynb", "sem/b.ipynb"):
                template = made.get(path)
                assert template.body == titled(template.title).encode()
        for _ in range(50):
            made.scan()
            assert paths(made) == ["a.ipynb", "sem/b.ipynb"]
            assert not any(entry.broken for entry in made.listing().entries)
    made.scan()
    assert {e.title for e in made.listing().entries} == {root.resolve().name} != {"r0"}


def test_a_kubernetes_config_map_is_listed_and_swapped(tmp_path: Path) -> None:
    release(tmp_path, "..2024_0")
    (tmp_path / "..data").symlink_to("..2024_0")
    (tmp_path / "a.ipynb").symlink_to("..data/a.ipynb")
    (tmp_path / "sem").symlink_to("..data/sem")
    made = scanned(tmp_path, settle=0)
    assert [(e.path, e.title) for e in made.listing().entries] == [
        ("a.ipynb", "..2024_0"),
        ("sem/b.ipynb", "..2024_0"),
    ]
    with swapping(tmp_path / "..data", tmp_path, "..2025_"):
        for _ in range(100):
            for path in ("a.ipynb", "sem/b.ipynb"):
                template = made.get(path)
                assert template.body == titled(template.title).encode()
            made.scan()
            assert paths(made) == ["a.ipynb", "sem/b.ipynb"]
    made.scan()
    generation = (tmp_path / "..data").resolve().name
    assert {e.title for e in made.listing().entries} == {generation} != {"..2024_0"}


def test_a_root_that_comes_late_and_vanishes_keeps_its_last_listing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "mount"
    made = scanned(root)
    made.scan()
    assert made.listing().complete
    assert made.listing().entries == ()
    assert near(made, "a.ipynb") == []
    write(root, "a.ipynb", titled("good"))
    made.scan()
    root.rename(tmp_path / "gone")
    for _ in range(3):
        made.scan()
        assert made.get("a.ipynb").title == entry(made, "a.ipynb").title == "good"
    once = f"{root}: the folder with templates is not there (No such file or directory)"
    assert [record.getMessage() for record in caplog.records] == [once, once]
    write(root, "b.ipynb")
    made.scan()
    assert paths(made) == ["b.ipynb"]


def test_a_mount_point_without_its_mount_keeps_the_last_listing(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as empty:
        if Path(empty).stat().st_dev == tmp_path.stat().st_dev:
            missing_tool("a second file system at /dev/shm")
        write(tmp_path, "mounted/a.ipynb", titled("good"))
        root = tmp_path / "root"
        root.symlink_to("mounted")
        made = scanned(root)
        swap(root, empty)
        made.scan()
        assert made.get("a.ipynb").title == entry(made, "a.ipynb").title == "good"
        write(Path(empty), "b.ipynb")
        made.scan()
        assert paths(made) == ["b.ipynb"]


# --- Links and special files --------------------------------------------------------------------


def test_links_do_not_lead_out_of_the_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root, outside = tmp_path / "root", tmp_path / "root-outside"
    write(outside, "secret.ipynb")
    write(root, "good.ipynb")
    (root / "file.ipynb").symlink_to(outside / "secret.ipynb")
    (root / "relative.ipynb").symlink_to("../root-outside/secret.ipynb")
    (root / "folder").symlink_to(outside)
    made = scanned(root)
    assert paths(made) == ["file.ipynb", "good.ipynb", "relative.ipynb"]
    for path in ("file.ipynb", "relative.ipynb", "folder/secret.ipynb"):
        assert "leads out of the folder" in reason(made, path)
    assert entry(made, "file.ipynb").size == 0
    assert f"{root}/folder: the link leads out of the folder" in caplog.text


def test_a_link_that_begins_to_lead_out_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, "real.ipynb", titled("inside"))
    outside = write(tmp_path, "secret.ipynb", titled("outside"))
    link = root / "link.ipynb"
    link.symlink_to("real.ipynb")
    made = scanned(root, settle=0)
    assert made.get("link.ipynb").title == "inside"
    swap(link, str(outside))
    assert "leads out" in reason(made, "link.ipynb")


def test_a_link_inside_is_another_path_of_the_same_templates(tmp_path: Path) -> None:
    write(tmp_path, "sem/a.ipynb", titled("good"))
    (tmp_path / "old_name").symlink_to("sem")
    (tmp_path / "absolute").symlink_to(tmp_path / "sem" / "a.ipynb")
    (tmp_path / "b.ipynb").symlink_to(tmp_path / "sem" / "a.ipynb")
    made = scanned(tmp_path)
    assert paths(made) == ["b.ipynb", "old_name/a.ipynb", "sem/a.ipynb"]
    assert made.get("old_name/a.ipynb").title == made.get("b.ipynb").title == "good"


def test_links_in_circles_come_to_an_end(tmp_path: Path) -> None:
    write(tmp_path, "a/x.ipynb")
    write(tmp_path, "b/y.ipynb")
    for folder in ("a", "b"):
        for number in range(12):
            (tmp_path / folder / f"up{number}").symlink_to("..")
            (tmp_path / folder / f"self{number}").symlink_to(".")
            (tmp_path / folder / f"other{number}").symlink_to("../b" if folder == "a" else "../a")
    (tmp_path / "circle.ipynb").symlink_to("circle.ipynb")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "nothing.ipynb").symlink_to("nowhere")
    made = scanned(tmp_path)
    once_each = ["a/other0/y.ipynb", "a/x.ipynb", "b/other0/x.ipynb", "b/y.ipynb", "circle.ipynb"]
    assert paths(made) == once_each
    assert "in a circle" in reason(made, "circle.ipynb")
    made.scan()
    assert paths(made) == once_each


def test_what_is_not_a_file_is_ignored_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.ipynb")
    (tmp_path / "link.ipynb").symlink_to("fifo.ipynb")
    (tmp_path / "null.ipynb").symlink_to("/dev/null")
    write(tmp_path, "folder.ipynb/a.ipynb")
    made = scanned(tmp_path)
    assert paths(made) == ["folder.ipynb/a.ipynb"]
    for path in ("fifo.ipynb", "link.ipynb", "folder.ipynb"):
        assert set(near(made, path)) <= {"folder.ipynb/a.ipynb"}


def test_names_that_no_address_can_have_are_said_in_the_log_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "good.ipynb")
    for name in (b"latin\xff.ipynb", b"back\\slash.ipynb", b"line\nbreak.ipynb", b"dir\xff"):
        if name.endswith(b".ipynb"):
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text(notebook("x"))
        else:
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).mkdir()
    made = scanned(tmp_path)
    made.scan()
    assert paths(made) == ["good.ipynb"]
    assert caplog.text.count("not UTF-8, or has a backslash or a control character") == 4
    assert "line\nbreak" not in caplog.text


@contextmanager
def nobody() -> Iterator[Path]:
    """A folder, and no privileges."""
    mine = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        try:
            if mine == 0:
                os.chown(folder, 65534, -1)
                os.seteuid(65534)
            yield Path(folder)
        finally:
            os.seteuid(mine)


def test_what_may_not_be_read_is_said_and_the_rest_works(caplog: pytest.LogCaptureFixture) -> None:
    with nobody() as folder:
        write(folder, "good.ipynb")
        secret = write(folder, "secret.ipynb")
        secret.chmod(0)
        (folder / "closed").mkdir(mode=0)
        made = scanned(folder, settle=0)
        made.scan()
        assert paths(made) == ["good.ipynb", "secret.ipynb"]
        assert reason(made, "secret.ipynb") == "this server is not allowed to read the file"
        closed = f"{folder}/closed: the folder cannot be read (Permission denied)"
        assert caplog.text.count(closed) == 1
        secret.chmod(0o400)
        assert made.get("secret.ipynb").title == "secret.ipynb"
        folder.chmod(0)
        made.scan()
        assert paths(made) == ["good.ipynb", "secret.ipynb"]
        assert not any(entry.broken for entry in made.listing().entries)
        folder.chmod(0o700)


# --- What is asked for --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "../secret.ipynb",
        "sem/../../secret.ipynb",
        "sem/../a.ipynb",
        "./a.ipynb",
        "/a.ipynb",
        "{tmp}/a.ipynb",
        "sem//b.ipynb",
        "sem/b.ipynb/",
        "sem\\b.ipynb",
        "a.ipynb\0",
        "\0.ipynb",
        "\udcff.ipynb",
        "a",
        "notes.txt",
        "x" * 300 + ".ipynb",
        "x/" * 3000 + ".ipynb",
        "😀" * 3000 + ".ipynb",
        "a.ipynb" * 500,
    ],
)
def test_no_other_path_leads_anywhere(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    write(tmp_path, "secret.ipynb")
    write(root, "a.ipynb")
    write(root, "sem/b.ipynb")
    write(root, "notes.txt", notebook("x"))
    made = scanned(root)
    assert set(near(made, path.replace("{tmp}", str(root)))) <= {"a.ipynb", "sem/b.ipynb"}


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("sem/fit_{sample}", "sem/fit_{sample}.ipynb"),
        ("SEM/Fit_{Sample}.ipynb", "sem/fit_{sample}.ipynb"),
        ("fit_{sample}.ipynb", "sem/fit_{sample}.ipynb"),
        ("xrd/fit_{sample}.ipynb", "sem/fit_{sample}.ipynb"),
        ("templates/sem/fit_{sample}.ipynb", "sem/fit_{sample}.ipynb"),
        ("sem/fti_{sample}.ipynb", "sem/fit_{sample}.ipynb"),
        ("sem/fit_{samples}.ipynb", "sem/fit_{sample}.ipynb"),
        ("xrd/grosse.ipynb", "xrd/größe.ipynb"),
    ],
)
def test_an_unknown_path_names_what_may_be_meant(tmp_path: Path, asked: str, meant: str) -> None:
    for path in ("sem/fit_{sample}.ipynb", "xrd/größe.ipynb", "afm/steps.ipynb"):
        write(tmp_path, path)
    write(tmp_path, "afm/fit_{sample}.ipynb", HALF)
    assert near(scanned(tmp_path), asked)[:1] == [meant]


def test_nothing_is_named_for_a_path_that_is_like_none(tmp_path: Path) -> None:
    write(tmp_path, "sem/fit_{sample}.ipynb")
    assert near(scanned(tmp_path), "wp-admin/setup.ipynb") == []


def test_of_many_templates_with_one_name_those_in_the_nearest_folders_are_named() -> None:
    many = Near(f"instrument_{number}/analysis.ipynb" for number in range(2000))
    found = many.find("instrument_77x/analysis.ipynb")
    assert found[0] == "instrument_77/analysis.ipynb"
    assert len(found) == 5


@pytest.mark.parametrize("on_disk", ["NFC", "NFD", "mixed"])
@pytest.mark.parametrize("asked", ["NFC", "NFD", "mixed"])
def test_a_path_in_another_normal_form_is_found(tmp_path: Path, on_disk: str, asked: str) -> None:
    name = "größe/Über {x}.ipynb"
    forms = {form: unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    forms["mixed"] = forms["NFD"].split("/")[0] + "/" + forms["NFC"].split("/")[1]
    write(tmp_path, forms[on_disk], titled("found"))
    made = catalogue(tmp_path)
    if on_disk != "mixed":
        assert made.get(forms[asked]).title == "found"
    made.scan()
    assert made.get(forms[asked]).title == "found"
    assert paths(made) == [forms[on_disk]]


# --- Memory -------------------------------------------------------------------------------------


def test_serving_a_large_template_takes_its_bytes_once(tmp_path: Path) -> None:
    file = write(tmp_path, "large.ipynb", titled("large", 20_000_000))
    os.utime(file, (1, 1))  # one that has just changed is read twice
    size = file.stat().st_size
    made = catalogue(tmp_path)
    gc.collect()
    tracemalloc.start()
    try:
        made.get("large.ipynb")
        made.scan()
        with ThreadPoolExecutor(4) as pool:
            assert len({id(t.body) for t in pool.map(made.get, ["large.ipynb"] * 40)}) == 1
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size <= held < 1.02 * size
    assert most < 1.3 * size  # what checks the encoding works in pieces


def test_no_more_bodies_than_configured_are_kept(tmp_path: Path) -> None:
    size = len(titled("0", 10_000))
    for number in range(6):
        write(tmp_path, f"{number}.ipynb", titled(str(number), 10_000))
    made = scanned(tmp_path, memory=2 * size)
    kept = [made.get(f"{number}.ipynb") for number in (4, 5)]
    assert [made.get("4.ipynb"), made.get("5.ipynb")] == kept
    assert made.get("5.ipynb") is kept[1]
    made.get("0.ipynb")
    assert made.get("5.ipynb") is kept[1]
    assert made.get("4.ipynb") is not kept[0]
    assert len(paths(made)) == 6


def test_a_scan_keeps_no_more_bodies_than_configured(tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path, f"{number}.ipynb", titled(str(number), 500_000))
    tracemalloc.start()
    try:
        made = scanned(tmp_path, memory=1_100_000)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(paths(made)) == 20
    assert 1_000_000 < held < 1_500_000


def test_a_template_larger_than_the_memory_is_served_and_displaces_nothing(tmp_path: Path) -> None:
    write(tmp_path, "small.ipynb")
    write(tmp_path, "large.ipynb", titled("large", 50_000))
    made = scanned(tmp_path, memory=10_000)
    small = made.get("small.ipynb")
    assert made.get("large.ipynb").title == "large"
    assert made.get("small.ipynb") is small


# --- The log ------------------------------------------------------------------------------------


def test_a_broken_template_is_said_in_the_log_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    text = json.dumps({"cells": [], "\n2024 forged line": 1, "metadata": {"a": 1}})
    write(tmp_path, "a.ipynb", text.replace('"a"', '"x\\nforged": 0, "x\\nforged"'))
    made = scanned(tmp_path)
    made.scan()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert lines[0].startswith("template a.ipynb is broken: ")
    assert "\n" not in lines[0]
