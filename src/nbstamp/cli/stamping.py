"""``nbstamp stamp`` and ``nbstamp cell``: one notebook, or one parameter cell, without a server."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import click

from nbstamp.cli.failures import USAGE, fail, findings
from nbstamp.core import instance as core
from nbstamp.core.errors import MalformedRequest, TemplatingError, UnacceptableFileName
from nbstamp.core.languages import Languages
from nbstamp.core.naming import Target, fill
from nbstamp.core.parameters import (
    Json,
    Limits,
    Parameters,
    check_parameters,
    json_type,
    read_json,
    read_parameters,
)
from nbstamp.core.template import index
from nbstamp.core.user import NOBODY
from nbstamp.storage.base import Saved
from nbstamp.storage.folder import FolderStorage

params_option = click.option(
    "--params",
    metavar="JSON|@FILE|-",
    help="The parameters: a JSON object, a file that holds one, or - for standard input.",
)


def read_params(text: str, limits: Limits) -> Parameters:
    """The parameters that ``--params`` speaks of. Raises as
    :func:`~nbstamp.core.parameters.read_parameters`."""
    if text == "-":
        return read_parameters(sys.stdin.buffer.read(), limits=limits)
    if text.startswith("@"):
        try:
            return read_parameters(Path(text[1:]).read_bytes(), limits=limits)
        except OSError as err:
            fail(f"{text[1:]}: {err.strerror}", USAGE)
    return read_parameters(text, limits=limits)


@click.command()
@click.argument("template", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@params_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The new notebook, or a folder for it, or - for standard output. An existing file is "
    "never replaced.  [default: named by the template, in this folder]",
)
def stamp(template: Path, params: str | None, output: str | None) -> None:
    """Make one notebook from TEMPLATE, as the server would."""
    limits = Limits()
    with findings():
        parameters = read_params(params or "{}", limits)
        indexed = index(template.read_bytes())
        origin = core.Origin(
            template=template.name,
            creation_id=uuid.uuid4().hex,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            object_id=parameters.get("object_id"),
        )
        language = Languages.installed().find(indexed.kernel) if parameters else None
        made = core.stamp(indexed, parameters, origin, language, files=output != "-")
        if output == "-":
            for segment in made.segments:
                sys.stdout.buffer.write(segment)
            return
        click.echo(_save(made, _wanted(template.name, parameters, output)))


def _wanted(pattern: str, parameters: Parameters, output: str | None) -> Path:
    """Where the notebook is to go. Raises :class:`UnacceptableFileName`."""
    if output is not None and not Path(output).is_dir():
        file = Path(output)
        if file.exists():
            raise UnacceptableFileName(f"{output} exists; it was left as it is.")
        if not file.parent.is_dir():
            raise UnacceptableFileName(f"There is no folder {file.parent}.")
        return file
    filled = fill(pattern, parameters)
    for reason in filled.missing.values():
        raise UnacceptableFileName(f"{reason} Name the notebook with --output FILE.")
    return Path(output or ".") / filled.name


def _save(instance: core.Instance, wanted: Path) -> Path:
    storage = FolderStorage(root=str(wanted.parent.resolve()))
    saved = asyncio.run(storage.save(NOBODY, Target((), wanted.name), instance))
    if not isinstance(saved, Saved):
        raise TypeError(saved)
    return wanted.with_name(saved.target.name)


@click.command()
@click.option("--language", default="python", show_default=True, help="The kernel language.")
@params_option
@click.option(
    "--jsonl",
    is_flag=True,
    help='For programs: reads lines {"language": …, "params": {…}} and answers each with a line '
    '{"source": …} or {"error": …, "code": …}.',
)
def cell(language: str, params: str | None, jsonl: bool) -> None:
    """Write the parameter cell alone to standard output."""
    languages = Languages.installed()
    if jsonl and params is not None:
        raise click.UsageError("--jsonl reads its parameters from standard input, not --params.")
    with findings():
        if jsonl:
            for line in sys.stdin.buffer:
                if line.strip():
                    sys.stdout.write(json.dumps(_answer(line, languages, language)) + "\n")
                    sys.stdout.flush()
            return
        if params is None:
            raise click.UsageError("--params is missing.")
        source = languages.by_name(language).cell(read_params(params, Limits()))
        sys.stdout.buffer.write(source.encode() + b"\n")


def _answer(line: bytes, languages: Languages, language: str) -> dict[str, object]:
    limits = Limits()
    try:
        asked = read_json(line, limits=limits, envelope=2)
        if not isinstance(asked, dict):
            raise MalformedRequest(f"A line must be a JSON object, and is {json_type(asked)}.")
        name: Json = asked.get("language", language)
        if not isinstance(name, str):
            raise MalformedRequest(f"“language” must be a text, and is {json_type(name)}.")
        parameters = check_parameters(asked.get("params"), limits=limits)
        return {"source": languages.by_name(name).cell(parameters)}
    except TemplatingError as err:
        return {"error": err.message, "code": err.code, **err.details()}
