"""``nbstamp serve`` with the storage ``shared``: rights at the start, and none afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

import racing
from accounts import needs_root, program_of, with_accounts
from nbstamp.storage import broker, privileges
from support import Launch, Site, parameter_cell
from test_storage_shared import children_of, wait_until

pytestmark = needs_root

ANNA, SERVER = racing.OWNER, racing.OTHER
UNIT = Path(__file__).parents[1] / "deploy" / "nbstamp-shared.service"
ARGUMENTS = (
    "--storage=shared",
    "--identity=asking:Asking",
    "--SharedStorage.server_user=web",
    "--Server.secrets=0123456789abcdef0123456789abcdef",
    "--SharedStorage.open_url=http://127.0.0.1:1/hub/spawn/{username}?next=/user/{username}/lab/tree/{path}",
)
ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parent)}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def accounts(folder: Path) -> tuple[str, ...]:
    """The beginning of a command with an account for a user and one for the server."""
    return with_accounts(folder, {"anna": ANNA, "web": SERVER})


@pytest.fixture
def published(templates: Path, folder: Path) -> str:
    """The argument that names templates which every account can read."""
    place = folder / "templates"
    (place / "sem").mkdir(parents=True)
    (place / "sem" / "plain.ipynb").write_bytes((templates / "sem" / "plain.ipynb").read_bytes())
    return f"--templates={place}"


def create(site: Site, user: str) -> httpx2.Response:
    return site.client.post(
        f"{site.url}api/v1/notebooks",
        json={"template": "sem/plain.ipynb", "parameters": {"a": 1}},
        headers={"X-Test-User": user},
    )


def test_the_server_has_no_right_left_and_the_notebook_is_the_users(
    launch: Launch, accounts: tuple[str, ...], folder: Path, published: str
) -> None:
    site = launch("shared", published, *ARGUMENTS, environment=ENVIRONMENT, before=accounts)
    rights = privileges.rights(site.process.pid)
    assert (rights.uids, rights.gids) == (frozenset({SERVER}), frozenset({SERVER}))
    assert (rights.groups, rights.capabilities, rights.bounding) == (frozenset(), 0, 0)
    assert rights.no_new_privileges
    answer = create(site, "anna")
    assert answer.status_code == 201, answer.text
    saved = folder / "homes" / "anna" / "notebooks" / "sem" / "plain.ipynb"
    assert parameter_cell(saved.read_text()) != ""
    assert (saved.stat().st_uid, saved.stat().st_gid) == (ANNA, ANNA)
    path = "/user/anna/lab/tree/notebooks/sem/plain.ipynb"
    assert f"http://127.0.0.1:1/hub/spawn/anna?next={path}" in answer.text
    refused = create(site, "root")
    assert refused.status_code == 503
    assert "below 1000" in refused.text
    (helper,) = children_of(site.process.pid)
    site.stop()
    wait_until(lambda: not Path(f"/proc/{helper}").exists())


def unit() -> dict[str, list[str]]:
    """What the unit says, by name."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if re.match(r"\w+=", line):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_units_capabilities_are_those_that_the_broker_wants() -> None:
    numbers = {
        "CAP_KILL": privileges.KILL,
        "CAP_SETGID": privileges.SETGID,
        "CAP_SETUID": privileges.SETUID,
        "CAP_SETPCAP": privileges.SETPCAP,
    }
    (capabilities,) = unit()["CapabilityBoundingSet"]
    assert {numbers[name] for name in capabilities.split()} == set(broker.WANTED)


def test_the_unit_can_be_read_by_systemd_and_is_hardened() -> None:
    analyze = program_of("systemd", "systemd-analyze")
    verified = subprocess.run(
        [analyze, "verify", "--man=no", UNIT], check=False, capture_output=True, text=True
    )
    # the one complaint is that it is not installed on this machine
    complaints = verified.stderr.splitlines()
    assert all("/opt/nbstamp/bin/nbstamp is not executable" in line for line in complaints)
    rated = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=30", UNIT],
        check=False,
        capture_output=True,
        text=True,
    )
    assert rated.returncode == 0, rated.stdout


# What systemd does to a process of the unit, as far as that can be done without it: MDWE is the
# kernel's own MemoryDenyWriteExecute.
AS_IN_THE_UNIT = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(65, ctypes.c_ulong(1), *[ctypes.c_ulong(0)] * 3)
os.umask(0o077)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_it_works_with_the_rights_that_the_unit_gives(
    launch: Launch, accounts: tuple[str, ...], folder: Path, published: str
) -> None:
    (capabilities,) = unit()["CapabilityBoundingSet"]
    bounding = capabilities.lower().replace("cap_", "+").replace(" ", ",")
    setpriv = (program_of("util-linux", "setpriv"), "--no-new-privs", "--inh-caps=-all")
    before = (*accounts, *setpriv, f"--bounding-set=-all,{bounding}")
    before = (*before, sys.executable, "-c", AS_IN_THE_UNIT)
    site = launch("unit", published, *ARGUMENTS, environment=ENVIRONMENT, before=before)
    answer = create(site, "anna")
    assert answer.status_code == 201, answer.text
    assert (folder / "homes" / "anna" / "notebooks" / "sem" / "plain.ipynb").stat().st_uid == ANNA
    assert privileges.rights(site.process.pid).capabilities == 0


def test_it_works_without_root_where_two_capabilities_are_given(
    launch: Launch, accounts: tuple[str, ...], folder: Path, published: str
) -> None:
    given = ("--inh-caps=+setuid,+setgid", "--ambient-caps=+setuid,+setgid")
    before = (*without_rights(accounts), *given, "--bounding-set=-all,+setuid,+setgid")
    before = (*before, "env", f"--chdir={folder}")
    site = launch("ambient", published, *ARGUMENTS, environment=ENVIRONMENT, before=before)
    for process in (site.process.pid, *children_of(site.process.pid)):
        assert privileges.rights(process).uids == {SERVER}
    assert privileges.rights(site.process.pid).capabilities == 0
    answer = create(site, "anna")
    assert answer.status_code == 201, answer.text
    assert (folder / "homes" / "anna" / "notebooks" / "sem" / "plain.ipynb").stat().st_uid == ANNA


def test_a_server_that_is_the_owner_of_all_homes_needs_no_right(
    launch: Launch, accounts: tuple[str, ...], folder: Path, published: str
) -> None:
    ids = (f"--SharedStorage.uid={SERVER}", f"--SharedStorage.gid={SERVER}")
    homes = (f"--SharedStorage.home={folder}/containers/{{username}}", *ids)
    os.chown(folder, SERVER, SERVER)
    for place in (folder / "containers", folder / "containers" / "anna"):
        place.mkdir()
        os.chown(place, SERVER, SERVER)
    before = (*without_rights(accounts), "--bounding-set=-all", "env", f"--chdir={folder}")
    site = launch("ids", published, *ARGUMENTS, *homes, environment=ENVIRONMENT, before=before)
    assert create(site, "anna").status_code == 201
    assert create(site, "carl").status_code == 503
    made = folder / "containers" / "anna" / "notebooks" / "sem" / "plain.ipynb"
    assert made.stat().st_uid == SERVER


def test_every_call_of_the_kernel_is_one_that_the_unit_allows(
    accounts: tuple[str, ...], folder: Path
) -> None:
    (group,) = unit()["SystemCallFilter"]
    analyze = program_of("systemd", "systemd-analyze")
    allowed: set[str] = set()
    waiting = [group]
    while waiting:
        listing = subprocess.run(
            [analyze, "syscall-filter", waiting.pop()], check=True, capture_output=True, text=True
        ).stdout
        names = {line.strip() for line in listing.splitlines()[1:]} - {""}
        names = {name for name in names if not name.startswith("#")}
        waiting += [name for name in names if name.startswith("@")]
        allowed |= names
    trace = folder / "trace"
    program = (sys.executable, str(Path(__file__).with_name("creating.py")))
    strace = (program_of("strace", "strace"), "-f", "-o", str(trace))
    subprocess.run(
        [*accounts, *strace, *program, str(folder), "first-one", "second-one", "--shared"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    used = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE))
    assert {"capset", "memfd_create", "setresuid"} <= used
    assert used <= allowed


def serve(*arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Try to start a server."""
    command = [*before, sys.executable, "-m", "nbstamp", "serve", "--port=0", *arguments]
    return subprocess.run(
        command,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def without_rights(before: tuple[str, ...]) -> tuple[str, ...]:
    setpriv = program_of("util-linux", "setpriv")
    return (*before, setpriv, f"--reuid={SERVER}", f"--regid={SERVER}", "--clear-groups")


REFUSALS: list[tuple[Callable[[tuple[str, ...]], tuple[str, ...]], list[str], str]] = [
    (without_rights, [], "it has no right to become another user: start it as root"),
    (lambda before: (*before, "setpriv", "--bounding-set=-setuid"), [], "it has no right"),
    (lambda before: before, ["--SharedStorage.server_user=nobdy"], "there is no such account"),
    (lambda before: before, ["--SharedStorage.server_user=root"], "it is root"),
    (lambda before: before, ["--SharedStorage.uid=1000"], "set all three"),
    (lambda before: before, ["--SharedStorage.umask=8"], "octal digits"),
]


@pytest.mark.parametrize(("start", "arguments", "words"), REFUSALS)
def test_what_is_missing_stops_the_start_in_words(
    accounts: tuple[str, ...],
    published: str,
    start: Callable[[tuple[str, ...]], tuple[str, ...]],
    arguments: list[str],
    words: str,
) -> None:
    done = serve(published, *ARGUMENTS, *arguments, before=start(accounts))
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "serves at" not in done.stderr


def test_a_program_that_the_servers_account_cannot_read_stops_the_start(
    published: str, tmp_path: Path
) -> None:
    unreadable = any(not folder.stat().st_mode & 0o001 for folder in Path(os.__file__).parents)
    if not unreadable:
        pytest.skip("every account can read this Python")
    done = serve(published, *ARGUMENTS, "--SharedStorage.server_user=nobody")
    assert done.returncode == 2, done.stderr
    assert "install this program and its Python where everybody can read them" in done.stderr


def test_the_configuration_is_checked_with_the_broker(
    accounts: tuple[str, ...], published: str
) -> None:
    command = [sys.executable, "-m", "nbstamp", "config", "--check"]
    arguments = [published.replace("--templates=", "--Server.templates=")]
    arguments += [each.replace("--storage", "--Server.storage") for each in ARGUMENTS]
    arguments = [each.replace("--identity", "--Server.identity") for each in arguments]

    def check(before: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, *command, *arguments],
            env=os.environ | ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert check(accounts).returncode == 0
    refused = check(without_rights(accounts))
    assert refused.returncode == 1
    assert "it has no right to become another user" in refused.stderr


def test_the_doctor_tries_the_homes_of_ordinary_accounts(
    accounts: tuple[str, ...], folder: Path, published: str
) -> None:
    def examined(*users: str) -> str:
        done = subprocess.run(
            [
                *accounts,
                *(sys.executable, "-m", "nbstamp", "doctor"),
                *(f"--user={user}" for user in users),
                published.replace("--templates", "--Server.templates"),
                *(word.replace("--storage", "--Server.storage") for word in ARGUMENTS[:1]),
                *(word.replace("--identity", "--Server.identity") for word in ARGUMENTS[1:2]),
                *ARGUMENTS[2:],
            ],
            cwd=folder,
            env=os.environ | ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr  # the address of this server is not known
        return done.stdout

    assert re.search(r"(?m)^ok +homes: a notebook can be saved for anna$", examined("anna"))
    assert not (folder / "homes" / "anna" / "notebooks").exists()
    assert re.search(r"(?m)^WRONG +homes: .*“?nobody-here", examined("anna", "nobody-here"))
    assert re.search(r"(?m)^not seen +homes: name an ordinary account", examined())
