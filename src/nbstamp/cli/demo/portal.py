"""A small data portal whose *Create Notebook* buttons send exactly what SampleDB's send.

It is an example and teaching material: two pages and a handful of objects, nothing is stored.
Knows nothing of the server but its address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from nbstamp.cli.demo.objects import Object, example_objects
from nbstamp.core.parameters import Json

NAME = "Example Portal"


@dataclass(frozen=True, slots=True)
class Button:
    """One *Create Notebook* button of an object's page."""

    title: str
    """What SampleDB's menu says."""
    action: str
    """Where its form goes; placeholders are still in it, and the browser encodes it."""
    params: str
    """The one field of its form."""


def portal(templates_url: str) -> ASGIApp:
    """The example portal; ``templates_url`` is what SampleDB has as its
    ``SAMPLEDB_JUPYTERHUB_TEMPLATES_URL``.
    """
    objects = example_objects()
    environment = Environment(
        loader=PackageLoader("nbstamp.cli.demo", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"portal": NAME, "objects": objects, "templates_url": templates_url}
    environment.filters |= {"curve": curve, "pretty": pretty}

    def page(file: str, status: int = 200, /, **values: Any) -> Response:
        text = environment.get_template(file).render(values)
        return HTMLResponse(text, status_code=status, headers=HEADERS)

    async def index(request: Request) -> Response:
        return page("index.html")

    async def one(request: Request) -> Response:
        found = objects.get(request.path_params["object_id"])
        if found is None:
            return page("missing.html", 404)
        return page("object.html", object=found, buttons=buttons(found, objects, templates_url))

    async def missing(request: Request, error: Exception) -> Response:
        return page("missing.html", 404)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/objects/{object_id:int}", one),
            Mount("/static", StaticFiles(packages=[("nbstamp.cli.demo", "static")])),
        ],
        exception_handlers={404: missing},
    )


HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""Like SampleDB's, these have no ``form-action``, which would stop the button's form, and no
Referrer-Policy."""


# --- What SampleDB does for its button ------------------------------------------------------------


def buttons(one: Object, objects: Mapping[int, Object], templates_url: str) -> list[Button]:
    """The buttons of an object's page, with its values at this moment."""
    return [
        Button(
            title=entry["title"],
            action=f"{templates_url}/t/{entry['url']}",
            params=compact(resolve(entry["params"], one, objects)),
        )
        for entry in one.schema["notebookTemplates"]
    ]


def resolve(
    params: Mapping[str, str | Sequence[str | int]], one: Object, objects: Mapping[int, Object]
) -> dict[str, Json]:
    """The values that an entry's ``params`` point at; what is not there is null."""
    return {
        name: one.object_id if path == "object_id" else _follow(path, one, objects)
        for name, path in params.items()
    }


def _follow(path: Sequence[str | int], one: Object, objects: Mapping[int, Object]) -> Json:
    value: Any = one.data
    for step in path:
        if isinstance(value, dict) and step == "object" and value.get("object_id") in objects:
            value = objects[value["object_id"]].data
        elif isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
            value = value[step]
        else:
            return None
    found: Json = value
    return found


def compact(value: Json) -> str:
    """JSON as SampleDB writes it into its page: without spaces, keys in the order of PostgreSQL's
    JSONB, and nothing in it that could end an HTML attribute or tag but the double quote.
    """
    match value:
        case dict():
            keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
            return "{" + ",".join(f"{compact(key)}:{compact(value[key])}" for key in keys) + "}"
        case list():
            return "[" + ",".join(map(compact, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False).translate(_FOR_HTML)
        case float():
            return repr(value).replace("e-0", "e-").replace("e+", "e")
        case _:
            return json.dumps(value)


_FOR_HTML = {ord(character): f"\\u{ord(character):04x}" for character in "<>&'"}


# --- What its pages show --------------------------------------------------------------------------


def curve(rows: Sequence[Sequence[Any]], width: int = 600, height: int = 120) -> str:
    """Points of an SVG line through about 200 rows of a time series."""
    values = [float(row[1]) for row in rows[:: max(1, len(rows) // 200)]]
    low, high = min(values), max(values)
    x, y = width / max(1, len(values) - 1), height / ((high - low) or 1)
    return " ".join(f"{n * x:.1f},{(high - v) * y:.1f}" for n, v in enumerate(values))


def pretty(value: Json) -> str:
    """JSON for people; lists of steps stay on one line."""
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    lines = (f"{json.dumps(key)}: {pretty(item)}" for key, item in value.items())
    inner = ",\n".join(lines).replace("\n", "\n  ")
    return "{\n  " + inner + "\n}" if value else "{}"
