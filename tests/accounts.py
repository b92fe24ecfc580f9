"""Accounts and file systems that exist for a test alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support import missing_tool

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


def program_of(package: str, program: str) -> str:
    """The path of a program, which the Debian package of this name has."""
    return shutil.which(program) or missing_tool(f"{program} (Debian package {package})")


# --- File systems -------------------------------------------------------------------------------

FILE_SYSTEMS = ("here", "tmpfs", "ext4", "btrfs", "xfs", "overlay", "fuse")


@contextmanager
def mounted(kind: str, base: Path) -> Iterator[Path]:
    """An empty file system of this kind below ``base``; skips the test where there is none."""
    place = _made(base / kind)
    with ExitStack() as stack:
        if kind == "overlay":  # its layers may not be an overlay themselves, as /tmp may be
            base = stack.enter_context(mounted("tmpfs", base))
        if kind != "here":
            done = subprocess.run(
                _command(kind, base, place), check=False, capture_output=True, text=True
            )
            if done.returncode:
                pytest.skip(f"{kind} cannot be mounted here: {done.stderr.strip()}")
            stack.callback(subprocess.check_call, ["umount", place])
            place.chmod(0o755)
        yield place


def _command(kind: str, base: Path, place: Path) -> list[str]:
    if kind == "tmpfs":
        return ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(place)]
    if kind == "overlay":
        options = [f"{part}dir={_made(base / part)}" for part in ("lower", "upper", "work")]
        return ["mount", "-t", "overlay", "-o", ",".join(options), "overlay", str(place)]
    if kind == "fuse":
        return [program_of("bindfs", "bindfs"), str(_made(base / "behind")), str(place)]
    maker, package = {
        "ext4": ("mkfs.ext4", "e2fsprogs"),
        "btrfs": ("mkfs.btrfs", "btrfs-progs"),
        "xfs": ("mkfs.xfs", "xfsprogs"),
    }[kind]
    image = base / "image"
    with image.open("wb") as file:
        file.truncate(400 * 2**20)
    subprocess.run([program_of(package, maker), "-q", image], check=True, stdout=subprocess.DEVNULL)
    return ["mount", "-o", "loop", str(image), str(place)]


def _made(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o755)
    return folder


# --- Accounts -----------------------------------------------------------------------------------

_MOUNT = """
set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
kept=$1/python hidden=$2 python=$3
shift 3
if [ -n "$hidden" ]; then
    # Python lies where only root can read it; here everybody can
    mkdir -p "$kept"
    mount --bind "$python" "$kept"
    mount -t tmpfs -o mode=755 tmpfs "$hidden"
    mkdir -p "$python"
    mount --bind "$kept" "$python"
fi
exec "$@"
"""


def with_accounts(
    folder: Path, accounts: Mapping[str, int], groups: Mapping[str, tuple[int, str]] | None = None
) -> tuple[str, ...]:
    """The beginning of a command that runs where these accounts (name to uid and gid) exist, their
    homes being in ``folder``; nobody else on the machine sees them."""
    homes = folder / "homes"
    homes.mkdir(exist_ok=True)
    passwd, group = Path("/etc/passwd").read_text(), Path("/etc/group").read_text()
    for name, uid in accounts.items():
        passwd += f"{name}:x:{uid}:{uid}::{homes / name}:/bin/sh\n"
        group += f"{name}:x:{uid}:\n"
        home(homes / name, uid)
    for name, (gid, members) in (groups or {}).items():
        group += f"{name}:x:{gid}:{members}\n"
    (folder / "passwd").write_text(passwd)
    (folder / "group").write_text(group)
    unshare = program_of("util-linux", "unshare")
    hidden = _hidden(Path(sys.base_prefix))
    script = ("sh", "-c", _MOUNT, "sh", str(folder), hidden, sys.base_prefix)
    command = (unshare, "--mount", "--propagation", "private", *script)
    tried = subprocess.run([*command, "true"], check=False, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no accounts can be made for a test here: {tried.stderr.strip()}")
    return command


def home(path: Path, uid: int) -> Path:
    """A home folder."""
    path.mkdir()
    path.chmod(0o755)
    os.chown(path, uid, uid)
    return path


def _hidden(path: Path) -> str:
    """The folder that keeps others from reading ``path``; empty when there is none."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return str(folder)
    return ""
