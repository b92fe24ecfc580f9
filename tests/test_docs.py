"""The documentation says what is true: all of it is there, and every snippet runs or parses."""

from __future__ import annotations

import ast
import configparser
import importlib
import importlib.util
import json
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import yaml
from traitlets.config import Configurable

import nbstamp
from nbstamp.app import check, configurables, read_command_line, read_file
from nbstamp.cli import VERBS, main
from nbstamp.core.errors import TemplatingError, UnacceptableParameter
from nbstamp.core.languages.python import Python
from nbstamp.core.naming import fill
from nbstamp.core.parameters import Limits, read_parameters
from support import create_form, cross_site, forms, parameter_cell, stamped, start

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(p for p in DOCS.rglob("*.md") if "_generated" not in p.parts)]
JUPYTERHUB = {"JupyterHub", "Spawner"}
"""Sections of a configuration that is JupyterHub's and not ours."""


@dataclass(frozen=True)
class Snippet:
    """A fenced block of a page."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def snippets(page: Path) -> list[Snippet]:
    """The blocks of a page in their order; directives are Sphinx's business."""
    text = page.read_text(encoding="utf-8")
    return [
        Snippet(str(page.relative_to(ROOT)), text.count("\n", 0, m.start()) + 1, m[1], m[2])
        for m in re.finditer(r"^```(\S*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        if not m[1].startswith("{")
    ]


SNIPPETS = [snippet for page in PAGES for snippet in snippets(page)]


def of(page: str, kind: str) -> list[str]:
    """The texts of one kind on one page, in their order."""
    return [one.text for one in SNIPPETS if one.page == page and one.kind == kind]


def one(page: str, kind: str, holding: str) -> str:
    """The one text of a kind on a page that holds these words."""
    (found,) = (text for text in of(page, kind) if holding in text)
    return found


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The program that writes the reference."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference(generate: ModuleType) -> dict[str, str]:
    """The generated pages by file name."""
    found: dict[str, str] = generate.pages()
    return found


# --- All of it is there -------------------------------------------------------------------------


def subclasses(base: type) -> Iterator[type]:
    """Every class of this package below ``base``, whether something uses it or not."""
    for found in pkgutil.walk_packages(nbstamp.__path__, "nbstamp."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    waiting = [base]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls is not base and cls.__module__.startswith("nbstamp."):
            yield cls


def test_every_option_is_documented(reference: dict[str, str]) -> None:
    for cls in subclasses(Configurable):
        for name in cls.class_own_traits(config=True):  # type: ignore[attr-defined]
            assert f"### {cls.__name__}.{name}\n" in reference["options.md"]


def test_every_error_is_documented(reference: dict[str, str]) -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", reference["errors.md"], re.MULTILINE)
    there = {(cls.status, cls.code) for cls in subclasses(TemplatingError)}  # type: ignore[attr-defined]
    assert {(int(status), code) for status, code in rows} == there
    assert len(rows) == len({code for _, code in rows})


def test_every_route_is_documented(generate: ModuleType, reference: dict[str, str]) -> None:
    for route in generate.routes():
        assert f"`{route}`" in reference["http.md"] or f"### {route}\n" in reference["http.md"]


def test_every_command_and_every_option_of_it_is_documented(
    generate: ModuleType, reference: dict[str, str]
) -> None:
    page = reference["command-line.md"]
    assert set(generate.commands()) == set(VERBS)
    for verb, command in generate.commands().items():
        section = page.partition(f"## nbstamp {verb}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            assert all(option in section for option in parameter.opts if option.startswith("-"))


def test_every_page_is_reached_and_every_file_that_is_named_is_there() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    trees = "".join(re.findall(r"```\{toctree\}(.*?)```", index, re.DOTALL))
    for page in PAGES:
        name = str(page.relative_to(ROOT)).removeprefix("docs/").removesuffix(".md")
        assert page.name == "README.md" or name == "index" or f"\n{name}\n" in trees
        for target in re.findall(r"\]\((?!\w+:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert "_generated" in target or (page.parent / target).exists(), (page, target)


# --- Every snippet parses -----------------------------------------------------------------------


def parse_python(text: str, folder: Path) -> None:
    tree = ast.parse(text)
    sections = {
        node.value.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == "c"
    }
    if sections and not sections & JUPYTERHUB:
        (folder / "config.py").write_text(text, encoding="utf-8")
        check(read_file(folder / "config.py"))


def parse_shell(text: str, folder: Path) -> None:
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    for line in text.splitlines():
        words = shlex.split(line)
        if "--" in words:  # what is run somewhere else, as with kubectl exec
            words = words[words.index("--") + 1 :]
        for before, word in enumerate(words[:-1]):
            if Path(word).name == "nbstamp" and (not before or words[before + 1] in VERBS):
                parse_command(words[before + 1 :])
                break


def parse_command(words: list[str]) -> None:
    """As far as the command line itself goes: files need not be there."""
    verb, *arguments = words
    context = click.Context(main)
    command = main.get_command(context, verb) if isinstance(main, click.Group) else None
    assert command, verb
    context = click.Context(command, **command.context_settings)
    values, _, _ = command.make_parser(context).parse_args(list(arguments))
    others = values.get("others")
    if isinstance(others, tuple):
        check(read_command_line(others))


def parse_systemd(text: str, folder: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(text)
    _, *words = shlex.split(unit["Service"]["ExecStart"])
    parse_command(words)


def parse_nginx(text: str, folder: Path) -> None:
    assert text.count("{") == text.count("}") > 0
    assert all(line.strip()[-1:] in ("", ";", "{", "}") for line in text.splitlines())


def parse_apache(text: str, folder: Path) -> None:
    opened = re.findall(r"^\s*<(\w+)[ >]", text, re.MULTILINE)
    assert sorted(opened) == sorted(re.findall(r"^\s*</(\w+)>", text, re.MULTILINE))


PARSERS: dict[str, Callable[[str, Path], object]] = {
    "apache": parse_apache,
    "html": lambda text, _: forms(text)[0],
    "ini": parse_systemd,
    "json": lambda text, _: json.loads(text),
    "nginx": parse_nginx,
    "python": parse_python,
    "shell": parse_shell,
    "text": lambda text, _: text,
    "toml": lambda text, _: tomllib.loads(text),
    "yaml": lambda text, _: list(yaml.safe_load_all(text)),
}


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_a_snippet_parses(snippet: Snippet, tmp_path: Path) -> None:
    PARSERS[snippet.kind](snippet.text, tmp_path)


# --- What can run, runs -------------------------------------------------------------------------


def shell(text: str, folder: Path) -> str:
    """Run lines as a reader would, with ``nbstamp`` and ``python`` of this environment."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", text],
        cwd=folder,
        env=os.environ | {"PATH": path, "XDG_STATE_HOME": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tutorial_can_be_followed(tmp_path: Path, logs: Path) -> None:
    steps = of("docs/tutorial.md", "shell")
    make_folder, list_templates, stamp, serve, ask, save = steps[2:]
    (template,) = of("docs/tutorial.md", "json")
    (cell,) = of("docs/tutorial.md", "python")
    (listing,) = of("docs/tutorial.md", "text")
    (portal,) = of("docs/tutorial.md", "html")

    shell(make_folder, tmp_path)
    file = tmp_path / "templates/microscope/Particles_{sample_name}.ipynb"
    file.write_text(template, encoding="utf-8")
    assert shell(list_templates, tmp_path) == listing
    assert shell(stamp, tmp_path) == "Particles_Fe3O4.ipynb\n"
    made = (tmp_path / "Particles_Fe3O4.ipynb").read_text(encoding="utf-8")
    assert parameter_cell(made) == cell.rstrip("\n")
    assert json.loads(made)["cells"][1]["source"] == cell.rstrip("\n").splitlines(keepends=True)

    def arguments(command: str) -> list[str]:
        return shlex.split(command.splitlines()[-1])[2:]

    usual = "http://127.0.0.1:8803/templates/"
    values = {"sample_name": "Fe3O4", "temperature": 293.15}
    (form,) = forms(portal)
    site = start(logs, *arguments(serve), name="tutorial", cwd=tmp_path)
    try:
        from_a_file = cross_site("null")
        page = site.client.post(
            form.action.replace(usual, site.url), data=form.fields, headers=from_a_file
        )
        assert stamped(site.send(create_form(site.send(forms(page.text)[0]))).content) == values
        shell(ask.replace(usual, site.url), tmp_path)
        assert stamped((tmp_path / "particles.ipynb").read_text(encoding="utf-8")) == values
    finally:
        site.stop()
    shell(save.splitlines()[0], tmp_path)
    site = start(logs, *arguments(save), name="tutorial-saves", cwd=tmp_path)
    try:
        site.create("microscope/Particles_{sample_name}.ipynb", values)
        again = site.confirmation("microscope/Particles_{sample_name}.ipynb", values)
        assert "This notebook exists already" in again.text
    finally:
        site.stop()
    saved = tmp_path / "notebooks/notebooks/microscope/Particles_Fe3O4.ipynb"
    assert str(saved.relative_to(tmp_path)) in (DOCS / "tutorial.md").read_text(encoding="utf-8")
    assert stamped(saved.read_text(encoding="utf-8")) == values


def test_the_storage_of_the_documentation_keeps_every_promise(tmp_path: Path, logs: Path) -> None:
    page = "docs/how-to/write-a-storage.md"
    shelf, test = of(page, "python")
    serve, run_tests = of(page, "shell")
    (tmp_path / "shelf.py").write_text(shelf, encoding="utf-8")
    (tmp_path / "test_shelf.py").write_text(test, encoding="utf-8")
    assert " passed" in shell(run_tests, tmp_path)
    (tmp_path / "templates").mkdir()
    arguments = shlex.split(serve)[3:]
    environment = {"PYTHONPATH": str(tmp_path)}
    start(logs, *arguments, environment=environment, name="shelf", cwd=tmp_path).stop()


def test_the_commands_for_authors_of_templates_run(tmp_path: Path) -> None:
    page = "docs/how-to/write-a-template.md"
    (tmp_path / "sem").mkdir()
    (template,) = of("docs/tutorial.md", "json")
    (tmp_path / "sem/Particles_{sample_name}.ipynb").write_text(template, encoding="utf-8")
    said = [shell(t.replace("/srv/templates", str(tmp_path)), tmp_path) for t in of(page, "shell")]
    assert "Particle sizes" in said[0]
    assert "sample_name" in said[1]
    assert 'sample_name = {"en": "Fe3O4"}' in said[2]
    assert (tmp_path / "trial.ipynb").exists()


def test_the_advice_for_authors_of_templates_is_right() -> None:
    page = "docs/how-to/write-a-template.md"
    defaults = one(page, "python", 'tag "parameters"')
    missing = one(page, "python", "is None else")
    text = one(page, "python", '["en"]')
    quantity = one(page, "python", "magnitude_in_base_units")
    names: dict[str, Any] = {}
    exec(defaults, names)
    assert names["temperature"] == 293.15
    for value, kelvin in ((None, 293.15), (300, 300)):
        names = {"temperature": value}
        exec(missing, names)
        assert names["temperature"] == kelvin
    for sample_name in ("Fe3O4", {"en": "Fe3O4"}):
        names = {"sample_name": sample_name}
        exec(text, names)
        assert names["name"] == "Fe3O4"
    names = {"temperature": {"magnitude_in_base_units": 1.5, "units": "K"}}
    exec(quantity, names)
    assert (names["kelvin"], names["unit"]) == (1.5, "K")


def test_the_table_of_values_is_right() -> None:
    text = (DOCS / "how-to/write-a-template.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+`) \| (`.+`) \|$", text, re.MULTILINE)
    assert len(rows) >= 5
    for sent, written in rows:
        values = [read for part in sent.split("`, `") for read in [json.loads(part.strip("`"))]]
        literals = [part.strip("`") for part in written.split("`, `")]
        assert [Python().assignment("v", value) for value in values] == [
            f"v = {literal}" for literal in literals
        ]


def test_the_example_for_sampledb_is_right() -> None:
    page = "docs/how-to/connect-sampledb.md"
    schema, data, received = map(json.loads, of(page, "json"))
    (entry,) = schema["notebookTemplates"]
    assert set(entry) == {"title", "url", "params"}

    def resolve(path: list[str]) -> Any:
        value: Any = data
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    assert received == {
        name: 42 if path == "object_id" else resolve(path) for name, path in entry["params"].items()
    }
    name = fill(entry["url"].rpartition("/")[2], received).name
    assert f"`{name}`" in (DOCS / "how-to/connect-sampledb.md").read_text(encoding="utf-8")


def test_the_example_of_an_error_is_right() -> None:
    (example,) = of("docs/reference/errors.md", "json")
    with pytest.raises(UnacceptableParameter) as refused:
        Python().cell({"class": 1})
    error = refused.value
    assert json.loads(example) == {"code": error.code, "message": error.message} | error.details()


def test_the_limits_in_the_text_are_the_limits() -> None:
    text = (DOCS / "how-to/connect-sampledb.md").read_text(encoding="utf-8")
    limits = Limits()
    assert f"{limits.body // 2**20} MiB per request, {limits.value // 2**20} MiB per value" in text


def test_the_commands_of_the_readme_run(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for target in re.findall(r"make (\w+)", readme):
        assert target in targets
    (template,) = of("docs/tutorial.md", "json")
    (tmp_path / "template.ipynb").write_text(template, encoding="utf-8")
    (stamp,) = re.findall(r"`(nbstamp stamp .*?)`", readme)
    assert shell(stamp, tmp_path) == "template-1.ipynb\n"
    params = shlex.split(stamp)[-1]
    made = (tmp_path / "template-1.ipynb").read_text(encoding="utf-8")
    assert stamped(made) == dict(read_parameters(params, limits=Limits()))


def test_every_part_of_the_code_that_the_text_names_is_there() -> None:
    for page in PAGES:
        for name in re.findall(r"`(nbstamp\.[a-z_.]+\w+)`", page.read_text(encoding="utf-8")):
            module, _, attribute = name.rpartition(".")
            found = importlib.import_module(module)
            assert hasattr(found, attribute) or importlib.import_module(name), (page, name)


def test_the_settings_that_the_text_names_are_options() -> None:
    classes = {cls.__name__: cls for cls in configurables()}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for section, option in re.findall(r"\b([A-Z]\w+)\.([a-z_]+)\b", text):
            if section in classes:
                assert option in classes[section].class_trait_names(config=True), (page, option)
