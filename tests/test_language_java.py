"""Java parameter cells, run by JShell, which is what Java kernels are made of."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from support import missing_tool

from nbstamp.core.errors import UnacceptableParameter
from nbstamp.core.languages.java import Java
from nbstamp.core.languages.layout import WIDTH
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract

JAVA = Java()
HERE = Path(__file__).parent
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
"""For a machine that lives for seconds."""


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled program that runs cells in JShell."""
    if not shutil.which("javac"):
        missing_tool("javac")
    folder = tmp_path_factory.mktemp("shell")
    subprocess.run(["javac", "-d", str(folder), str(HERE / "Shell.java")], check=True, timeout=60)
    return folder


class TestJShell(LanguageContract):
    """In JShell."""

    language = JAVA
    documents = 60
    batch = 60

    @pytest.fixture(autouse=True)
    def _shell(self, shell: Path) -> None:
        self.shell = shell

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        dumps = "".join(f"out.println(dump({name}));\n" for name in names)
        last = f'{{ var out = new java.io.PrintStream("dump", "UTF-8");\n{dumps}out.close(); }}\n'
        (folder / "cell").write_text(cell, encoding="utf-8")
        (folder / "last").write_text(last, encoding="utf-8")
        cells = [str(HERE / "dump.jshell"), *["cell"] * times, "last"]
        done = subprocess.run(
            ["java", *QUICK, "-Dfile.encoding=UTF-8", "-cp", str(self.shell), "Shell", *cells],
            cwd=folder,
            capture_output=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        lines = (folder / "dump").read_bytes().splitlines()
        return dict(zip(names, map(json.loads, lines), strict=True))
