"""The command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import notebook, parameter_cell, stamped


def run(
    *arguments: str, cwd: Path, given: str | bytes = b"", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``nbstamp`` as a user would."""
    data = given.encode() if isinstance(given, str) else given
    done = subprocess.run(
        [sys.executable, "-m", "nbstamp", *arguments],
        cwd=cwd,
        input=data,
        capture_output=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("NBSTAMP__")} | environment,
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sem").mkdir()
    (tmp_path / "sem" / "fit_{sample}.ipynb").write_text(notebook("print(sample)"))
    (tmp_path / "sem" / "plain.ipynb").write_text(notebook("1"))
    return tmp_path


TEMPLATE = "sem/fit_{sample}.ipynb"


def test_list_shows_paths_and_titles_and_what_is_broken(folder: Path) -> None:
    done = run("list", cwd=folder)
    assert done.returncode == 0
    assert TEMPLATE in done.stdout
    assert "A template" in done.stdout
    (folder / "broken.ipynb").write_text("{")
    done = run("list", "--json", cwd=folder)
    assert done.returncode == 1
    assert [bool(entry["broken"]) for entry in json.loads(done.stdout)] == [True, False, False]


def test_list_says_which_languages_were_not_run_in_the_tests(folder: Path) -> None:
    kernel = {"name": "julia-1.10", "display_name": "Julia 1.10", "language": "julia"}
    (folder / "julia.ipynb").write_text(notebook("x", kernel=kernel))
    assert "not in Julia itself" in run("list", cwd=folder).stdout
    listed = json.loads(run("list", "--json", cwd=folder).stdout)
    assert [entry["path"] for entry in listed if entry["caution"]] == ["julia.ipynb"]


def test_show_says_what_a_template_is(folder: Path) -> None:
    found = json.loads(run("show", "--json", TEMPLATE, cwd=folder).stdout)
    assert found["title"] == "A template"
    assert found["language"] == "Python"
    assert found["file_name_parameters"] == ["sample"]
    assert "Python 3 (ipykernel)" in run("show", TEMPLATE, cwd=folder).stdout


def test_show_says_where_a_notebook_comes_from(folder: Path) -> None:
    run("stamp", TEMPLATE, "--params", '{"sample": "x"}', "-o", "made.ipynb", cwd=folder)
    found = json.loads(run("show", "--json", "made.ipynb", cwd=folder).stdout)
    assert found["made_by_nbstamp"]["template"] == "fit_{sample}.ipynb"


def test_what_stands_in_a_file_does_not_steer_the_terminal(folder: Path) -> None:
    made = json.loads(notebook("1"))
    made["cells"][0]["source"] = "# \x1b[31mred \ud800"
    made["metadata"]["nbstamp"] = {"template": "\ud800", "\x1b[0m": "\u202e"}
    (folder / "odd.ipynb").write_text(json.dumps(made))
    for command in (("list",), ("show", "odd.ipynb")):
        shown = run(*command, cwd=folder)
        assert shown.returncode == 0
        assert "\\u001b[31mred ?" in shown.stdout
        assert shown.stdout.replace("\n", "").isprintable()
        assert json.loads(run(*command, "--json", cwd=folder).stdout)


def test_stamp_names_the_notebook_and_never_replaces_one(folder: Path) -> None:
    arguments = ("stamp", TEMPLATE, "--params", '{"sample": "Fe3O4", "t": 1.5}')
    assert run(*arguments, cwd=folder).stdout == "fit_Fe3O4.ipynb\n"
    assert run(*arguments, cwd=folder).stdout == "fit_Fe3O4-1.ipynb\n"
    assert stamped((folder / "fit_Fe3O4.ipynb").read_text()) == {"sample": "Fe3O4", "t": 1.5}
    refused = run(*arguments, "--output", "fit_Fe3O4.ipynb", cwd=folder)
    assert refused.returncode == 1
    assert "exists" in refused.stderr


def test_stamp_reads_and_writes_streams_and_files(folder: Path) -> None:
    (folder / "params.json").write_text('{"sample": "file"}')
    out = run("stamp", TEMPLATE, "--params", "@params.json", "-o", "-", cwd=folder)
    assert stamped(out.stdout) == {"sample": "file"}
    out = run("stamp", TEMPLATE, "--params", "-", "-o", "-", cwd=folder, given='{"sample": "in"}')
    assert stamped(out.stdout) == {"sample": "in"}
    done = run("stamp", "sem/plain.ipynb", "-o", "sem", cwd=folder)
    assert done.stdout == "sem/plain-1.ipynb\n"
    assert parameter_cell((folder / "sem/plain-1.ipynb").read_text()) == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("stamp", TEMPLATE, "--params", "{"), 1, "not JSON"),
        (("stamp", TEMPLATE, "--params", '{"class": 1, "sample": 1}'), 1, "class"),
        (("stamp", TEMPLATE), 1, "sample"),
        (("stamp", TEMPLATE, "--params", "@none.json"), 2, "none.json"),
        (("stamp", "none.ipynb"), 2, "none.ipynb"),
        (("stamp", TEMPLATE, "--params", '{"sample": 1}', "-o", "no/where.ipynb"), 1, "no folder"),
        (("cell", "--language", "cobol", "--params", "{}"), 1, "cobol"),
        (("cell",), 2, "--params"),
        (("serve",), 2, "--templates"),
        (("serve", "--templates", "sem", "--Server.prot=1"), 2, "Server.port"),
        (("serve", "--templates", "sem", "--storage", "flder"), 2, "folder"),
        (("serve", "--templates", "sem", "-f", "none.py"), 2, "none.py"),
        (("srve",), 2, "srve"),
        (("show", "broken.ipynb"), 1, "incomplete"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    folder: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (folder / "broken.ipynb").write_text('{"cells": [')
    before = sorted(folder.rglob("*"))
    done = run(*arguments, cwd=folder)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(folder.rglob("*")) == before


def test_cell_writes_the_parameter_cell_alone(folder: Path) -> None:
    done = run("cell", "--params", '{"a": null, "größe": [1, 2.5]}', cwd=folder)
    names: dict[str, object] = {}
    exec(done.stdout, names)
    assert names["a"] is None
    assert names["größe"] == [1, 2.5]


def test_cell_answers_line_by_line(folder: Path) -> None:
    lines = [
        '{"language": "python", "params": {"a": 1}}',
        '{"language": "cobol", "params": {"a": 1}}',
        '{"params": {"class": 1}}',
        '{"params": {"a": NaN}}',
        "not json",
        "[]",
        '{"language": "python"}',
        '{"language": 5, "params": {}}',
        "",
        '{"params": {"b": "µ\\u2028"}}',
    ]
    done = run("cell", "--jsonl", cwd=folder, given="\n".join(lines))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [("source" in answer, answer.get("code")) for answer in answers] == [
        (True, None),
        (False, "unsupported_language"),
        (False, "unacceptable_parameter"),
        (False, "malformed_request"),
        (False, "malformed_request"),
        (False, "malformed_request"),
        (False, "malformed_request"),
        (False, "malformed_request"),
        (True, None),
    ]
    assert answers[2]["parameter"] == "class"


def test_a_generated_configuration_can_be_used_as_it_is(folder: Path) -> None:
    file = folder / "nbstamp_config.py"
    file.write_text(run("config", "--generate", cwd=folder).stdout)
    missing = run("config", "--check", cwd=folder)
    assert missing.returncode == 1
    assert "templates" in missing.stderr
    good = run("config", "--check", "--Server.templates=['sem']", cwd=folder, HOME=str(folder))
    assert (good.returncode, good.stderr) == (0, "")


def test_every_example_line_of_the_configuration_is_python_and_accepted(folder: Path) -> None:
    generated = run("config", "--generate", cwd=folder).stdout
    examples = [line[2:] for line in generated.splitlines() if line.startswith("# c.")]
    assert len(examples) > 20
    usable = [line for line in examples if "secrets" not in line and "storage" not in line]
    usable.append("c.Server.templates = ['sem']")
    (folder / "example.py").write_text("\n".join(usable))
    told = {
        "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api",
        "JUPYTERHUB_API_TOKEN": "a" * 32,
        "JUPYTERHUB_CLIENT_ID": "service-templates",
    }
    done = run("config", "--check", "-f", "example.py", cwd=folder, HOME=str(folder), **told)
    assert done.returncode == 0, done.stderr


def test_config_lists_every_option_with_default_and_help(folder: Path) -> None:
    text = run("config", cwd=folder).stdout
    assert "--Server.port=…  [default: 8803]" in text
    assert "--Limits.body=…  [default: 8388608]" in text
    assert "--FolderStorage.root=…" in text
