"""Cells run in real Jupyter kernels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager


class Kernel(KernelManager):
    """A kernel that is started by its command line, whatever kernelspecs are installed."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__()
        self._kernel_spec = KernelSpec(argv=[*command, "{connection_file}"])


def run_cells(
    command: Sequence[str],
    cells: Sequence[str],
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    timeout: int = 120,
) -> str:
    """Run ``cells`` in a new kernel whose working directory is ``folder``; what they print.

    ``command`` starts the kernel when the name of its connection file follows.
    """
    manager = Kernel(command)
    manager.start_kernel(cwd=str(folder), env=os.environ | dict(environment or {}))
    client = manager.client()
    client.start_channels()
    said: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        content = message["content"]
        assert message["msg_type"] != "error", content
        said.append(content.get("text", "") if message["msg_type"] == "stream" else "")

    try:
        client.wait_for_ready(timeout=60)
        for source in cells:
            reply = client.execute_interactive(source, timeout=timeout, output_hook=hear)
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
    return "".join(said)
