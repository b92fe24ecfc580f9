"""The reference, written from the code itself so that it cannot drift from it.

Every option, command, route and error is found by asking the program. What only a person can say
about a route is in ``ROUTES``; a route that is missing there, or is gone, stops the build.
"""

from __future__ import annotations

import dataclasses
import inspect
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from starlette.routing import Mount, Route
from traitlets.config import Config

from nbstamp.app import build, configurables, options
from nbstamp.cli import main
from nbstamp.cli.configuration import described
from nbstamp.core.errors import TemplatingError, UnacceptableParameter
from nbstamp.core.languages import REFUSED, Languages
from nbstamp.core.languages.base import Language, Meaning
from nbstamp.core.parameters import Json
from nbstamp.web import api

ROUTES = {
    "GET /": "The catalogue: all templates, by instrument.",
    "GET /t/{path}": "Without `params`: the template's own page. With `params` as a query: as "
    "POST, for short values.",
    "POST /t/{path}": "The intake: where a portal posts the form field `params`, a JSON object. It "
    "changes nothing and leads to the confirmation page.",
    "POST /create": "The confirmed act. Only from the confirmation page.",
    "GET /login": "Sends the browser to sign in, and back to `next`, a page of this server. Only "
    "with an identity that signs in elsewhere, as are the next four.",
    "GET /oauth_callback": "Where JupyterHub sends the browser back to.",
    "GET /resume": "Sends the form that the browser has kept in its tab meanwhile.",
    "GET /signed-in": "The end of signing in in a tab of its own.",
    "GET /logout": "Forgets the session, and signs the user out of JupyterHub.",
    "GET /healthz": "The process is alive.",
    "GET /readyz": "200 when notebooks can be made, 503 with `problems` when not; also the number "
    "of templates, and how many of them are broken.",
    "GET /api/docs": "The interface for programs, for people.",
    "GET /static/{path}": "Style sheet, scripts and icon of the pages.",
}
"""What each route is for, apart from those that the OpenAPI document describes."""


def pages() -> dict[str, str]:
    """Every generated page by its file name."""
    return {
        "options.md": "\n".join(_options()),
        "command-line.md": "\n".join(_commands()),
        "http.md": "\n".join(_http()),
        "errors.md": "\n".join(_errors()),
        "languages.md": "\n".join(_languages()),
        **{f"languages/{one.name}.md": "\n".join(_language(one)) for one in Languages.installed()},
    }


def write(folder: Path) -> None:
    """Write every page that has changed into ``folder``."""
    for name, text in pages().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


# --- Options ------------------------------------------------------------------------------------


def _options() -> Iterator[str]:
    for cls in configurables():
        if not options(cls):
            continue
        yield f"## {cls.__name__}\n\n{_first_paragraph(cls)}\n"
        for name, default, text, example in described(cls):
            yield f"### {cls.__name__}.{name}\n\n{_markdown(text)}\n"
            shown = default if default.startswith("(") else f"`{default}`"
            variable = f"NBSTAMP__{cls.__name__.upper()}__{name.upper()}"
            yield f"Default: {shown}. Environment: `{variable}`.\n"
            yield f"```python\n{example}\n```\n"


def _first_paragraph(thing: type) -> str:
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def _markdown(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


# --- Commands -----------------------------------------------------------------------------------


def commands() -> dict[str, click.Command]:
    """Every verb with its command."""
    assert isinstance(main, click.Group)
    context = click.Context(main, info_name="nbstamp")
    found = {verb: main.get_command(context, verb) for verb in main.list_commands(context)}
    return {verb: command for verb, command in found.items() if command}


def _commands() -> Iterator[str]:
    parent = click.Context(main, info_name="nbstamp")
    for verb, command in commands().items():
        context = click.Context(command, info_name=verb, parent=parent, max_content_width=86)
        context.help_option_names = ["-h", "--help"]
        yield f"## nbstamp {verb}\n\n```text\n{command.get_help(context)}\n```\n"


# --- HTTP ---------------------------------------------------------------------------------------


def routes() -> list[str]:
    """``METHOD /path`` of the application's own route table, below the base path; with the identity
    that has the most routes."""
    with TemporaryDirectory() as folder:
        config = Config()
        config.Server.templates = [folder]
        config.Server.secrets = [secrets.token_hex(32)]
        config.Server.identity = "jupyterhub"
        config.JupyterHubIdentity.api_url = "http://127.0.0.1:8081/hub/api"
        config.JupyterHubIdentity.api_token = secrets.token_hex(32)
        config.JupyterHubIdentity.client_id = "service-templates"
        ready = build(config)
    base = ready.base_url.rstrip("/")
    return [
        f"{method} {path.removeprefix(base)}"
        for method, path in _walk(getattr(ready.app, "routes", ()))
        if path.startswith(f"{base}/")
    ]


def _walk(table: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in table:
        path = prefix + route.path
        if isinstance(route, Route):
            for method in sorted(set(route.methods or ()) - {"HEAD"}):
                yield method, path.replace("{path:path}", "{path}")
        elif isinstance(route, Mount) and route.routes:
            yield from _walk(route.routes, path)
        else:
            yield "GET", f"{path}/{{path}}"


def _http() -> Iterator[str]:
    document = api.description()
    described = {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    there = routes()
    told = set(ROUTES) | set(described)
    if unlike := told ^ set(there):
        raise ValueError(f"documented and real routes differ: {sorted(unlike)}")
    yield "## Pages\n"
    yield from _table("Route", "What it is for")
    yield from (f"| `{route}` | {ROUTES[route]} |" for route in there if route in ROUTES)
    yield "\n## The interface for programs\n"
    for route in there:
        if route in described:
            yield from _operation(route, described[route])
    yield "## What is sent and answered\n"
    for name, schema in document["components"]["schemas"].items():
        yield f"### {name}\n"
        yield from _table("Field", "Type", "Meaning")
        for field, about in schema["properties"].items():
            optional = "" if field in schema.get("required", ()) else ", optional"
            yield f"| `{field}` | {_type(about)}{optional} | {about.get('description', '')} |"
        yield ""


def _operation(route: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"### {route}\n\n{operation['summary']}. {operation.get('description', '')}".rstrip() + "\n"
    )
    if body := operation.get("requestBody"):
        content = body["content"]["application/json"]
        yield f"Takes `application/json`: {_type(content['schema'])}.\n"
    yield from _table("Status", "Answer")
    refusals = []
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            refusals.append(status)
            continue
        kinds = ", ".join(
            f"{_type(content['schema'])} as `{kind}`" for kind, content in answer["content"].items()
        )
        yield f"| {status} | {answer['description']} {kinds}. |"
    if refusals:
        yield f"| {', '.join(refusals)} | [Error](#error) as `application/json`. |"
    yield ""


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    return kind if isinstance(kind, str) else " or ".join(kind)


def _table(*heads: str) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + " --- |" * len(heads)


# --- Errors -------------------------------------------------------------------------------------


def errors() -> list[type[TemplatingError]]:
    """Every error with a code of its own, by status."""
    found: list[type[TemplatingError]] = []
    waiting = [TemplatingError]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls is not TemplatingError and cls.__module__.startswith("nbstamp."):
            found.append(cls)
    return sorted(found, key=lambda cls: (cls.status, cls.code))


def _errors() -> Iterator[str]:
    yield from _table("Status", "Code", "Heading of the page", "Meaning")
    for cls in errors():
        meaning = _markdown(_first_paragraph(cls).replace("``", ""))
        yield f"| {cls.status} | `{cls.code}` | {cls.title} | {meaning} |"
    yield ""


# --- Kernel languages ---------------------------------------------------------------------------

SAMPLES: Mapping[str, Json] = {
    "nothing": None,
    "yes": True,
    "count": 3,
    "large": 9007199254740993,
    "temperature": 21.5,
    "sample": "Fe₃O₄ “A”\n50 % $x",
    "sizes": [1, 2.5, 3],
    "labels": ["a", "b c"],
    "mixed": [1, "two", None, [3]],
    "table": [["2026-11-01 00:00:00", 293.15], ["2026-11-01 00:00:01", 293.25]],
    "quantity": {"magnitude": 21.5, "units": "degC"},
}
"""What each page shows as a cell, as far as the language can hold it."""


def _checked(language: Language) -> str:
    if language.checked == "run":
        return "run in the real interpreter"
    return "checked by rule, not by running: no interpreter can be had for the tests"


def _languages() -> Iterator[str]:
    yield from _table("Language", "Kernels", "Tests")
    for one in Languages.installed():
        kernels = ", ".join(f"`{kernel}`" for kernel in one.kernels)
        yield f"| [{one.title}](_generated/languages/{one.name}.md) | {kernels} | {_checked(one)} |"
    yield "\nRefused on purpose:\n"
    yield from (f"- `{name}`: {reason}." for name, reason in REFUSED.items())
    yield "\n```{toctree}\n:hidden:\n"
    yield from (f"_generated/languages/{one.name}" for one in Languages.installed())
    yield "```\n"


def _language(language: Language) -> Iterator[str]:
    yield f"# {language.title}\n\n{_first_paragraph(type(language))}\n"
    named = ", ".join(f"`{name}`" for name in (language.name, *language.aliases))
    kernels = ", ".join(f"`{kernel}`" for kernel in language.kernels)
    yield f"A template speaks it when its kernelspec or `language_info` says {named}"
    yield f"or, when neither says anything, when its kernel is called {kernels}.\n"
    yield f"Cells in this language are {_checked(language)}.\n"
    yield from _table("JSON", "becomes")
    for field in dataclasses.fields(Meaning):
        yield f"| {field.name} | {getattr(language.meaning, field.name)} |"
    yield f"\nVariables: {language.names.rule}\n"
    held: dict[str, Json] = {}
    refused = []
    for name, value in SAMPLES.items():
        try:
            language.cell({name: value})
            held[name] = value
        except UnacceptableParameter as err:
            refused.append(f"- {err.message}")
    yield f"## A cell\n\n```text\n{language.cell(held)}\n```\n"
    if refused:
        yield "Refused, in these words:\n"
        yield from refused
        yield ""
