"""The configuration of a server that runs: what its process was told, seen as its user sees it.

A JupyterHub tells a service that it starts itself the rest of its configuration in the environment,
which nobody else has.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nbstamp.app import ConfigurationError
from nbstamp.cli.serve import serve


def read_process(pid: int) -> tuple[Path | None, dict[str, Any], tuple[str, ...]]:
    """Become like the process ``pid``, an ``nbstamp serve``: its environment, its folder and, for
    root, its user. Returns its arguments as :func:`nbstamp.cli.options.read` takes them.

    Raises :class:`~nbstamp.app.ConfigurationError`, or :class:`OSError` when the process is not to
    be seen.
    """
    process = Path("/proc") / str(pid)
    arguments = os.fsdecode((process / "cmdline").read_bytes()).split("\0")[:-1]
    environment = os.fsdecode((process / "environ").read_bytes()).split("\0")[:-1]
    owner = process.stat()
    if "serve" not in arguments:
        raise ConfigurationError(
            f"process {pid} is no “nbstamp serve”; try pgrep -f 'nbstamp serve'"
        )
    os.chdir(process / "cwd")
    if os.getuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    os.environ.clear()
    os.environ.update(variable.partition("=")[::2] for variable in environment if "=" in variable)
    given = serve.make_context("serve", arguments[arguments.index("serve") + 1 :]).params
    return given.pop("file"), given, given.pop("others")
