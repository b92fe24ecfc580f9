"""``nbstamp doctor``: is this deployment right, for an ordinary user too, and what to change.

Looks and asks; changes nothing. What it cannot see is said as such, and counts as a finding: a
check for which something is missing has not been passed.
"""

from __future__ import annotations

import asyncio
import os
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from traitlets.config import Config

from nbstamp.app import ConfigurationError, build, check
from nbstamp.cli import options
from nbstamp.cli.doctor.hub import hub
from nbstamp.cli.doctor.own import keys, stand_in, storage, templates
from nbstamp.cli.doctor.process import read_process
from nbstamp.cli.doctor.public import address, public
from nbstamp.cli.doctor.results import Result, Verdict, wrong
from nbstamp.cli.failures import FINDING, USAGE, fail
from nbstamp.core.parameters import printable
from nbstamp.identity.jupyterhub import JupyterHubIdentity


@click.command(context_settings={"ignore_unknown_options": True})
@options.config_file
@click.option(
    "--pid",
    type=int,
    metavar="PID",
    help="Look at the server that runs as this process: its arguments, its environment, its user. "
    "For a server that a JupyterHub has started, because only that one is told what it needs.",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File with a token of an ordinary user of the JupyterHub, who gets one on the hub's page "
    "“Token”. Also as NBSTAMP_TOKEN in the environment. It shows what an ordinary user may.",
)
@click.option(
    "--url",
    metavar="URL",
    help="Address under which browsers see this server, if it is not configured.",
)
@click.option(
    "--user",
    "users",
    multiple=True,
    metavar="NAME",
    help="An ordinary account, to try whether the storage can save in its home; can be given "
    "several times.",
)
@options.others
def doctor(
    file: Path | None,
    pid: int | None,
    token_file: Path | None,
    url: str | None,
    users: tuple[str, ...],
    others: tuple[str, ...],
) -> None:
    """Say whether this deployment is right, and what to change.

    Reads the same configuration as "nbstamp serve". Nothing is changed, and no token is shown.
    """
    if pid and (file or others):
        raise click.UsageError("With --pid, the configuration is that of the process.")
    token = token_file.read_text("utf-8") if token_file else os.environ.get("NBSTAMP_TOKEN", "")
    given: dict[str, Any] = {}
    try:
        if pid:
            file, given, others = read_process(pid)
        config = options.read(file, given, others)
    except ConfigurationError as err:
        fail(str(err), USAGE)
    except OSError as err:
        fail(f"process {pid} cannot be looked at: {err.strerror}", USAGE)
    files = [each for each in (file, Path(options.DEFAULT_FILE)) if each and each.is_file()][:1]
    try:
        examined = examine(config, files=files, token=token.strip(), url=url, users=users)
        results = list(asyncio.run(examined))
    except ConfigurationError as err:
        results = [wrong("configuration", str(err), "" if pid else _MANAGED)]
    for result in results:
        click.echo(shown(result))
    verdicts = [result.verdict for result in results]
    to_change, unseen = verdicts.count(Verdict.WRONG), verdicts.count(Verdict.UNSEEN)
    if to_change or unseen:
        click.echo(f"\n{to_change} to change, {unseen} not seen.")
        raise SystemExit(FINDING)
    click.echo("\nAll is right.")


_MANAGED = """
If a JupyterHub starts this server, only that process is told the rest:
  nbstamp doctor --pid "$(pgrep -f 'nbstamp serve')"
"""


async def examine(
    config: Config, *, files: Iterable[Path], token: str, url: str | None, users: Sequence[str]
) -> list[Result]:
    """All checks. Raises :class:`~nbstamp.app.ConfigurationError`."""
    check(config)
    ready = build(stand_in(config))
    results = [
        *keys(config, ready, files),
        *templates(ready),
        *storage(ready, users),
    ]
    if isinstance(ready.identity, JupyterHubIdentity):
        results += [result async for result in hub(ready, ready.identity, token)]
    results += [result async for result in public(ready, address(ready, url))]
    return results


def shown(result: Result) -> str:
    """A result for people: one line, and below it what to change."""
    head = f"{result.verdict.value:<9} {result.check}: "
    lines = textwrap.wrap(
        head + printable(result.text, 2000),
        96,
        subsequent_indent=" " * 10,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join([*lines, *(f"{'':12}{line}".rstrip() for line in result.change.splitlines())])
