"""Races between a process that saves notebooks and the hostile owner of the home.

``python tests/racing.py [--attempts 200000] [RACE…]`` runs them as root, each with a process that
has become the user and saves as fast as it can, and prints what came of it; the exit code is 1
when anything was damaged. The test suite runs fewer attempts, and some through the whole broker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from creating import instance
from nbstamp.core.errors import TemplatingError
from nbstamp.core.naming import Target
from nbstamp.core.user import User
from nbstamp.storage import files, privileges
from nbstamp.storage.shared import SharedStorage

OWNER = 20_000 + 2 * (os.getpid() % 20_000)
OTHER = OWNER + 1
"""The hostile owner of the home, and somebody else: this process's own, because the owner may stop
and kill all that is theirs."""
TARGET = Target(("notebooks", "sem"), "Analysis.ipynb")
RACES = {
    "swap": ("home/notebooks", "home/link"),
    "plant": (f"home/{TARGET.path}", "outside/victim.ipynb"),
    "remake": ("home/notebooks/sem", "outside"),
    "steal": ("home/notebooks/sem", "pool/project"),
    "replace": ("home/notebooks/sem", "outside/victim.ipynb"),
}
"""Mode of the attacker to the paths that it works on."""


@dataclass
class Outcome:
    """What came of a race."""

    saved: int = 0
    refused: int = 0
    damage: list[str] = field(default_factory=list)


def compiled(folder: Path) -> Path:
    """The attacker as a program in ``folder``."""
    program = folder / "attacker"
    source = Path(__file__).with_name("attacker.c")
    subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-o", program, source], check=True)
    return program


@contextmanager
def arena(base: Path) -> Iterator[Path]:
    """A home, a place outside it that only root may change, and a folder of somebody else that the
    owner of the home may write and move."""
    with tempfile.TemporaryDirectory(dir=base) as name:
        place = Path(name)
        place.chmod(0o755)
        for path, owner, group, mode in (
            ("home", OWNER, OWNER, 0o755),
            ("home/notebooks", OWNER, OWNER, 0o755),
            ("home/notebooks/sem", OWNER, OWNER, 0o755),
            ("outside", 0, 0, 0o755),
            ("outside/sem", 0, 0, 0o755),
            ("pool", 0, 0, 0o777),
            ("pool/project", OTHER, OWNER, 0o775),
        ):
            (place / path).mkdir()
            (place / path).chmod(mode)
            os.chown(place / path, owner, group)
        for path in ("outside/victim.ipynb", "pool/project/theirs.ipynb"):
            (place / path).write_text("somebody's work")
        # not empty, so that the owner of the home cannot put another folder in its place
        os.chown(place / "pool/project/theirs.ipynb", OTHER, OTHER)
        link = place / "home/link"
        link.symlink_to(place / "outside")
        os.chown(link, OWNER, OWNER, follow_symlinks=False)
        yield place


@contextmanager
def attacked(program: Path, mode: str, *paths: Path | str) -> Iterator[None]:
    """The attacker at work."""
    process = subprocess.Popen(
        [program, mode, *paths],
        user=OWNER,
        group=OWNER,
        extra_groups=[],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def damage(place: Path) -> list[str]:
    """What is not as :func:`arena` made it, apart from the home's own things."""
    found = []
    outside = sorted(str(path.relative_to(place)) for path in (place / "outside").rglob("*"))
    if outside != ["outside/sem", "outside/victim.ipynb"]:
        found.append(f"escaped: {outside}")
    victim = place / "outside/victim.ipynb"
    if victim.read_text() != "somebody's work" or victim.stat().st_nlink != 1:
        found.append("the victim was changed")
    for path in (place / "outside", *(place / "outside").rglob("*")):
        if (path.lstat().st_uid, path.lstat().st_gid) != (0, 0):
            found.append(f"re-owned: {path.name}")
    projects = [
        path
        for path in (place / "pool/project", place / "home/notebooks/sem")
        if path.is_dir() and path.stat().st_uid == OTHER
    ]
    if len(projects) != 1 or projects[0].stat().st_mode & 0o7777 != 0o775:
        found.append("somebody's folder was re-owned")
    elif (projects[0] / "theirs.ipynb").read_text() != "somebody's work":
        found.append("somebody's work was changed")
    for folder, _, names in os.walk(place / "home"):
        for each in (Path(folder), *(Path(folder, name) for name in names)):
            if each.lstat().st_uid not in (OWNER, OTHER):
                found.append(f"not the owner's: {each.name}")
    return found


# --- In a process that has become the user ------------------------------------------------------


def race(program: Path, base: Path, mode: str, attempts: int, *arguments: str) -> Outcome:
    """``attempts`` notebooks saved by a process that has become the owner of the home."""
    with arena(base) as place:
        command = [sys.executable, __file__, "--in", str(place / "home")]
        with attacked(program, mode, *(place / path for path in RACES[mode])):
            done = subprocess.run(
                [*command, "--attempts", str(attempts), *arguments],
                stdout=subprocess.PIPE,
                check=True,
                timeout=60 + attempts / 10,
            )
        return Outcome(**json.loads(done.stdout), damage=damage(place))


def save_again_and_again(home: str, attempts: int) -> Outcome:
    """Become the user, and save."""
    outcome = Outcome()
    notebook = bytes(instance("first-one"))
    owner = os.stat(home).st_uid
    privileges.become(owner, owner, ())
    os.umask(0o077)
    root = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    for number in range(attempts):
        try:
            if number % 10 == 9:
                files.look(root, TARGET, list)
            written = files.save(root, TARGET, [notebook], f"number-{number}")
        except TemplatingError:
            outcome.refused += 1
            continue
        outcome.saved += 1
        with suppress(OSError):
            os.unlink(written.target.path, dir_fd=root)
    return outcome


def trust_paths(home: str, attempts: int) -> Outcome:
    """Save as root, as one would who trusts paths: shows that the race is real."""
    outcome, owner = Outcome(), os.stat(home).st_uid
    for _ in range(attempts):
        path = Path(home, TARGET.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"notebook")
            os.chown(path.parent, owner, owner)
            outcome.saved += 1
        except OSError:
            outcome.refused += 1
    return outcome


# --- Through the whole broker -------------------------------------------------------------------


def race_through_the_broker(program: Path, base: Path, mode: str, attempts: int) -> Outcome:
    """``attempts`` notebooks saved through the storage, eight at a time."""
    with arena(base) as place:
        storage = SharedStorage(home=f"{place}/{{username}}", uid=OWNER, gid=OWNER)
        storage.start()
        try:
            with attacked(program, mode, *(place / path for path in RACES[mode])):
                outcome = asyncio.run(_saved(storage, place, attempts))
        finally:
            storage.stop()
        outcome.damage = damage(place)
        return outcome


async def _saved(storage: SharedStorage, place: Path, attempts: int) -> Outcome:
    outcome = Outcome()
    numbers = iter(range(attempts))

    async def client() -> None:
        for number in numbers:
            try:
                notebook = instance(f"number-{number}")
                saved = await storage.save(User("home"), TARGET, notebook)
            except TemplatingError:
                outcome.refused += 1
                continue
            outcome.saved += 1
            with suppress(OSError):
                (place / "home" / saved.target.path).unlink()

    await asyncio.gather(*(client() for _ in range(8)))
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("races", nargs="*", metavar="RACE", help=", ".join(RACES))
    parser.add_argument("--attempts", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="where the home is made")
    parser.add_argument("--in", dest="home", help=argparse.SUPPRESS)
    parser.add_argument("--trusting", action="store_true", help="save as root, trusting paths")
    given = parser.parse_args()
    if given.home:
        save = trust_paths if given.trusting else save_again_and_again
        outcome = save(given.home, given.attempts)
        print(json.dumps({"saved": outcome.saved, "refused": outcome.refused}))
        return
    damaged = False
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        Path(folder).chmod(0o755)
        program = compiled(Path(folder))
        for mode in given.races or RACES:
            began = time.monotonic()
            arguments = ["--trusting"] if given.trusting else []
            outcome = race(program, Path(folder), mode, given.attempts, *arguments)
            damaged |= bool(outcome.damage)
            print(
                f"{mode:>8}: {outcome.saved} saved, {outcome.refused} refused, "
                f"{'; '.join(outcome.damage) or 'no damage'} "
                f"({time.monotonic() - began:.0f} s)",
                flush=True,
            )
    sys.exit(damaged)


if __name__ == "__main__":
    main()
