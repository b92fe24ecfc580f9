"""``nbstamp config``: every option with its default and help; a file to start from; a check."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click
from traitlets import TraitType
from traitlets.config import Configurable

from nbstamp.app import ConfigurationError, build, configurables, options
from nbstamp.cli import options as cli_options
from nbstamp.cli.failures import FINDING, fail


@click.command(context_settings={"ignore_unknown_options": True})
@cli_options.config_file
@click.option("--generate", is_flag=True, help="Write a configuration file to start from.")
@click.option("--check", is_flag=True, help="Say whether the configuration can be used.")
@cli_options.others
def config(file: Path | None, generate: bool, check: bool, others: tuple[str, ...]) -> None:
    """Show every option with its default and help."""
    if check:
        _check(file, others)
    elif generate:
        click.echo("\n".join(_file()))
    else:
        click.echo("\n".join(_listing()))


def _check(file: Path | None, others: tuple[str, ...]) -> None:
    try:
        with build(cli_options.read(file, {}, others)).started() as problems:
            for problem in problems:
                click.echo(f"nbstamp: {problem}", err=True)
    except ConfigurationError as err:
        fail(str(err), FINDING)
    if problems:
        raise SystemExit(FINDING)
    click.echo("This configuration can be used.")


def described(cls: type[Configurable]) -> Iterator[tuple[str, str, str, str]]:
    """Name, default (as Python), explanation and example of every option of ``cls``."""
    for name, trait in options(cls).items():
        text, _, example = cleandoc(str(trait.help)).partition("\n\n")
        yield name, _default(cls, name, trait), " ".join(text.split()), example.strip()


def _default(cls: type[Configurable], name: str, trait: TraitType[object, object]) -> str:
    if name in cls._trait_default_generators or hasattr(cls, f"_{name}_default"):
        return "(found at start)"
    return repr(trait.default())


def _listing() -> Iterator[str]:
    for cls in configurables():
        yield f"{cls.__name__}: {cleandoc(cls.__doc__ or '').splitlines()[0]}"
        for name, default, text, _ in described(cls):
            yield f"  --{cls.__name__}.{name}=…  [default: {default}]"
            yield click.wrap_text(text, 96, "      ", "      ")
        yield ""


def _file() -> Iterator[str]:
    yield "# Configuration of nbstamp. Lines with a # in front show the defaults or an example."
    yield "c = get_config()  # noqa: F821"
    for cls in configurables():
        yield ""
        yield f"# --- {cls.__name__}: {cleandoc(cls.__doc__ or '').splitlines()[0]}"
        for _, default, text, example in described(cls):
            yield ""
            yield click.wrap_text(text, 96, "# ", "# ")
            yield f"# Default: {default}"
            yield from (f"# {line}" for line in example.splitlines())
