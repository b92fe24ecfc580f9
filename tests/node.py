"""JavaScript values written back as JSON, for the tests of the languages that Node.js speaks."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support import missing_tool

COMMANDS = Path(__file__).parents[1] / ".venv" / "node" / "bin"

DUMP = r"""
function written(value) {
    if (value === null) return "null";
    switch (typeof value) {
    case "boolean":
        return String(value);
    case "number":
        if (Object.is(value, -0)) return "-0.0";
        return /[.e]/.test(String(value)) ? String(value) : `${value}.0`;
    case "bigint":
        if (Number.isFinite(Number(value)) && BigInt(Number(value)) === value)
            throw new Error(`${value} could have been a number`);
        return String(value);
    case "string":
        return JSON.stringify(value);
    case "object":
        if (Array.isArray(value)) return `[${Array.from(value, written).join(",\n")}]`;
        if (Object.prototype.toString.call(value) === "[object Object]"
            && Object.getPrototypeOf(Object.getPrototypeOf(value)) === null)
            return `{${Object.keys(value).map(
                (key) => `${JSON.stringify(key)}: ${written(value[key])}`).join(",\n")}}`;
    }
    throw new Error(`a value of type ${typeof value}`);
}
"""


def node() -> str:
    """The command of Node.js."""
    return shutil.which("node") or missing_tool("node")


def command(name: str) -> str:
    """A command of a package that tools/setup installs from npm."""
    return str(COMMANDS / name) if (COMMANDS / name).exists() else missing_tool(name)


def node_names() -> list[str]:
    """The names that are there in Node.js before a cell is run."""
    listing = "console.log(JSON.stringify(Object.getOwnPropertyNames(globalThis)))"
    done = subprocess.run([node(), "-e", listing], capture_output=True, check=True, timeout=60)
    names: list[str] = json.loads(done.stdout)
    return names


def holding(names: Sequence[str]) -> str:
    """A cell that fails when a variable is not the text of its own name."""
    return "\n".join(f'if ({name} !== "{name}") throw "{name}";' for name in names)
