"""The command ``nbstamp``: one verb per file, loaded when it is used.

Exit codes: 0 done, 1 findings, 2 usage (DESIGN section 6).
"""

from __future__ import annotations

from importlib import import_module

import click

from nbstamp import __version__

VERBS = {
    "serve": "nbstamp.cli.serve:serve",
    "demo": "nbstamp.cli.demo:demo",
    "doctor": "nbstamp.cli.doctor:doctor",
    "list": "nbstamp.cli.templates:list_",
    "show": "nbstamp.cli.templates:show",
    "stamp": "nbstamp.cli.stamping:stamp",
    "cell": "nbstamp.cli.stamping:cell",
    "config": "nbstamp.cli.configuration:config",
}
"""Verb to the command that does it."""


class _Verbs(click.Group):
    """Imports a verb only when it is used: ``nbstamp cell`` needs no web server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, attribute = VERBS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.command(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="nbstamp")
def main() -> None:
    """From a click in a data portal to a notebook in the user's own Jupyter."""
