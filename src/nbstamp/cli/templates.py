"""``nbstamp list`` and ``nbstamp show``: look at templates and notebooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from nbstamp.catalogue.base import Entry
from nbstamp.catalogue.folders import FolderCatalogue
from nbstamp.cli.failures import FINDING, findings
from nbstamp.core.errors import UnsupportedLanguage
from nbstamp.core.languages import Languages
from nbstamp.core.naming import placeholders
from nbstamp.core.parameters import Limits, printable
from nbstamp.core.template import Template, index, read_provenance

as_json = click.option("--json", "as_json", is_flag=True, help="For programs: JSON.")


@click.command("list")
@click.option(
    "--templates",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    default=(Path(),),
    help="Folder with templates; can be given several times.  [default: this one]",
)
@as_json
def list_(templates: tuple[Path, ...], as_json: bool) -> None:
    """List the templates in folders; exit code 1 when one of them cannot be used."""
    catalogue = FolderCatalogue(roots=list(templates), limits=Limits())
    catalogue.scan()
    entries = catalogue.listing().entries
    languages = Languages.installed()
    if as_json:
        click.echo(json.dumps([_line(entry, languages) for entry in entries], indent=1))
    else:
        width = max((len(entry.path) for entry in entries), default=0)
        for entry in entries:
            about = f"BROKEN: {entry.broken}" if entry.broken else entry.title
            click.echo(f"{entry.path:{min(width, 60)}}  {_shown(about)}")
            if caution := languages.caution(entry.kernel):
                click.echo(f"{'':{min(width, 60)}}  {caution}")
        if not entries:
            click.echo("There are no templates (*.ipynb) here.", err=True)
    if any(entry.broken for entry in entries):
        raise SystemExit(FINDING)


def _line(entry: Entry, languages: Languages) -> dict[str, Any]:
    return {
        "path": entry.path,
        "title": entry.title,
        "language": (entry.kernel.language or entry.kernel.info) if entry.kernel else "",
        "caution": languages.caution(entry.kernel),
        "size": entry.size,
        "content_hash": entry.content_hash,
        "broken": entry.broken,
    }


@click.command()
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
def show(notebook: Path, as_json: bool) -> None:
    """Show what nbstamp knows about NOTEBOOK: a template, or a notebook that was made from one."""
    with findings():
        data = notebook.read_bytes()
        found = _about(notebook.name, index(data), read_provenance(data))
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        if isinstance(value, dict):
            click.echo(f"{name}:")
            for key, inner in value.items():
                click.echo(f"  {_shown(key)}: {_shown(inner)}")
        else:
            text = ", ".join(value) if isinstance(value, list) else value
            click.echo(f"{name}: {_shown(text) or '-'}")


def _shown(value: object) -> str:
    """For a terminal, which what stands in a file must not steer."""
    return printable(str(value), 1000)


def _about(name: str, template: Template, provenance: dict[str, Any] | None) -> dict[str, Any]:
    try:
        language = Languages.installed().find(template.kernel).title
    except UnsupportedLanguage as err:
        language = f"not supported: {err.message}"
    found: dict[str, Any] = {
        "title": template.title,
        "kernel": template.kernel.display_name or template.kernel.name,
        "language": language,
        "file_name_parameters": list(placeholders(name)),
        "size": template.size,
        "content_hash": template.content_hash,
    }
    return found | ({"made_by_nbstamp": provenance} if provenance else {})
