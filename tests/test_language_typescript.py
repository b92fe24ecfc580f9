"""TypeScript parameter cells, compiled by the strict compiler and run in two real kernels."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from kernels import run_cells
from nbstamp.core.languages.javascript import TypeScript
from nbstamp.core.parameters import Json
from nbstamp.testing import LanguageContract
from node import DUMP, command, holding, node, node_names

TYPESCRIPT = TypeScript()
TYPED = DUMP.replace("written(value)", "written(value: any): string")
WRITE = TYPED + '(await import("node:fs")).writeFileSync("found.json", written([{names}]));\n'
FILES = 'declare module "node:fs";'
"""What the compiler needs to know of Node.js."""
QUIET = {"DENO_NO_UPDATE_CHECK": "1"}


def found(names: Sequence[str], folder: Path) -> dict[str, Json]:
    values = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return dict(zip(names, values, strict=True))


class TestCompiler(LanguageContract):
    """Type-checked with every check that ``strict`` has, then run in Node.js."""

    language = TYPESCRIPT

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        source = f"{cell}\n" * times + WRITE.replace("{names}", ", ".join(names))
        (folder / "cell.mts").write_text(f"{source}export {{}};\n", encoding="utf-8")
        (folder / "files.d.ts").write_text(FILES)
        options = ["--strict", "--target", "es2022", "--module", "es2022", "--noEmitOnError"]
        sources = ["files.d.ts", "cell.mts"]
        compiler = [command("tsc"), *options, *sources]
        done = subprocess.run(compiler, cwd=folder, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout.decode()
        subprocess.run([node(), "cell.mjs"], cwd=folder, check=True, timeout=60)
        return found(names, folder)


class TestTslab(LanguageContract):
    """In tslab, which type-checks each cell before it runs."""

    language = TYPESCRIPT

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        kernel = [command("tslab"), "kernel", "--config-path"]
        write = WRITE.replace("{names}", ", ".join(names))
        run_cells(kernel, [cell] * times + [write], folder)
        return found(names, folder)


class TestDeno(LanguageContract):
    """In Deno's own kernel."""

    language = TYPESCRIPT

    def run(
        self, cell: str, names: Sequence[str], folder: Path, *, times: int = 1
    ) -> dict[str, Json]:
        kernel = [command("deno"), "jupyter", "--kernel", "--conn"]
        write = WRITE.replace("{names}", ", ".join(names))
        run_cells(kernel, [cell] * times + [write], folder, environment=QUIET)
        return found(names, folder)


LAID_OUT: list[tuple[Json, str]] = [
    (None, "var v: any = null;"),
    (9007199254740993, "var v: any = 9007199254740993n;"),
    ("µ 日本 😀 ${x}", 'var v: any = "µ 日本 😀 ${x}";'),
    ({"a b": [1, None], "__proto__": 1}, 'var v: any = {"a b": [1, null], ["__proto__"]: 1};'),
    (
        [["2026-11-01 00:00:00.000000", 293.15], ["2026-11-01 00:00:01.000000", None]],
        """\
var v: any = [
    ["2026-11-01 00:00:00.000000", 293.15],
    ["2026-11-01 00:00:01.000000", null],
];""",
    ),
    (
        "A remark of several lines is put into the notebook as people write them:\nlike this.\n",
        """\
var v: any = [
    "A remark of several lines is put into the notebook as people write them:\\n",
    "like this.\\n",
].join("");""",
    ),
]


@pytest.mark.parametrize(("value", "expected"), LAID_OUT)
def test_a_value_is_laid_out_for_people(value: Json, expected: str) -> None:
    assert TYPESCRIPT.assignment("v", value) == expected


def test_a_text_of_many_lines_compiles(tmp_path: Path) -> None:
    text = "a line\n" * 20_000
    assert TestCompiler().run(TYPESCRIPT.cell({"v": text}), ["v"], tmp_path) == {"v": text}


def test_every_name_that_deno_has_is_refused_or_holds_its_value(tmp_path: Path) -> None:
    kernel = [command("deno"), "jupyter", "--kernel", "--conn"]
    listing = WRITE.replace("[{names}]", "Object.getOwnPropertyNames(globalThis)")
    run_cells(kernel, [listing], tmp_path, environment=QUIET)
    there = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert {"Date", "crypto", "name"} <= set(there)
    names = [*filter(lambda name: not TYPESCRIPT.name_problem(name), there), "status"]
    cell = TYPESCRIPT.cell({name: name for name in names})
    run_cells(kernel, [cell, holding(names), "var a = 1;"], tmp_path, environment=QUIET)


def test_every_name_that_node_has_is_refused_or_holds_its_value_in_tslab(tmp_path: Path) -> None:
    kernel = [command("tslab"), "kernel", "--config-path"]
    names = [name for name in node_names() if not TYPESCRIPT.name_problem(name)]
    cell = TYPESCRIPT.cell({name: name for name in names})
    run_cells(kernel, [cell, holding(names), "var a = 1;"], tmp_path)
