"""The import rule of DESIGN section 2: who may import whom."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import nbstamp

PACKAGE = Path(nbstamp.__file__).parent
ALLOWED = {
    "core": set(),
    "catalogue": {"core"},
    "storage": {"core"},
    "identity": {"core"},
    "portals": {"core"},
    "service": {"catalogue", "storage", "core"},
    "web": {"service", "identity", "portals", "core"},
}
"""Part of the package to the parts it may import; ``app``, ``cli``, ``testing`` may import all."""
FREE = {"app", "cli", "testing", "__init__", "__main__"}


def modules() -> list[tuple[str, ast.Module]]:
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        found.append((name, ast.parse(file.read_text(encoding="utf-8"))))
    return found


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_module_imports_only_what_its_part_may() -> None:
    wrong = []
    for name, tree in modules():
        part = name.partition(".")[0]
        if part in FREE:
            continue
        for target in imported(tree):
            if not target.startswith("nbstamp.") or target == "nbstamp.__version__":
                continue
            other = target.split(".")[1]
            if other not in ALLOWED[part] | {part}:
                wrong.append(f"{name} imports {target}")
    assert not wrong


def test_the_core_imports_the_standard_library_alone() -> None:
    allowed = sys.stdlib_module_names | {"nbstamp", "nbformat", "__future__"}
    for name, tree in modules():
        if name.startswith("core"):
            assert {target.partition(".")[0] for target in imported(tree)} <= allowed, name


def test_every_part_has_a_rule() -> None:
    parts = {name.partition(".")[0] for name, _ in modules()}
    assert parts <= set(ALLOWED) | FREE
