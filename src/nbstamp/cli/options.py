"""Options that verbs share, and how they become one configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from traitlets.config import Config

from nbstamp.app import read_command_line, read_environment, read_file, read_hub_environment

DEFAULT_FILE = "nbstamp_config.py"

config_file = click.option(
    "-f",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help=f"Configuration file.  [default: {DEFAULT_FILE}, if there is one]",
)
others = click.argument(
    "others", nargs=-1, type=click.UNPROCESSED, metavar="[--Class.option=value]..."
)


def read(file: Path | None, given: dict[str, Any], others: Iterable[str]) -> Config:
    """One configuration from the file, the environment and the command line; the later wins.

    ``given`` are options of ``Server`` as the verb has them; None or empty means not given.
    Raises :class:`~nbstamp.app.ConfigurationError`.
    """
    config = read_hub_environment(os.environ)
    if file is not None or Path(DEFAULT_FILE).is_file():
        config.merge(read_file(file or Path(DEFAULT_FILE)))
    config.merge(read_environment(os.environ))
    for name, value in given.items():
        if value not in (None, ()):
            config.Server[name] = list(value) if isinstance(value, tuple) else value
    config.merge(read_command_line(others))
    return config
