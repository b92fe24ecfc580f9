"""How a verb says that something is wrong: one line on standard error and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from nbstamp.core.errors import TemplatingError
from nbstamp.core.template import NotANotebook

FINDING = 1
USAGE = 2


def fail(message: str, code: int = FINDING) -> NoReturn:
    """End with ``message`` on standard error."""
    click.echo(f"nbstamp: {message}", err=True)
    sys.exit(code)


@contextmanager
def findings() -> Iterator[None]:
    """Say what a person can put right in one line, instead of a traceback."""
    try:
        yield
    except (TemplatingError, NotANotebook) as err:
        fail(str(err))
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; Python would complain at its end
        sys.exit(FINDING)
