"""The HTTP interface for programs: ``/api/v1``. It takes tokens, never cookies.

The contract is ``openapi.json`` beside this file, written by hand and tested against these routes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nbstamp.core.errors import (
    Forbidden,
    MalformedRequest,
    NotSignedIn,
    StorageBusy,
    TemplatingError,
)
from nbstamp.core.parameters import Json, check_parameters, json_type, printable, read_json
from nbstamp.core.user import User
from nbstamp.identity.base import Caller, Identity
from nbstamp.portals.base import web_origin
from nbstamp.service import (
    Download,
    Entry,
    Saved,
    Service,
    Waiting,
    Wish,
    template_placeholders,
)
from nbstamp.web.requests import caller, read_body, same_host
from nbstamp.web.responses import attachment
from nbstamp.web.urls import Urls

_FIELDS = {"template", "parameters", "name", "folder", "creation_id", "portal"}
_CREATION_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class ServerStopped(TemplatingError):
    """The user's Jupyter server has to run first; ``start_url`` is the page that starts it."""

    code = "server_stopped"
    status = 503
    title = "Your Jupyter server is not running"

    def __init__(self, start_url: str) -> None:
        super().__init__(
            "Your Jupyter server is not running, so nothing was created. Start it, and send the "
            "same again."
        )
        self.start_url = start_url

    def details(self) -> dict[str, object]:
        return {"start_url": self.start_url}


class Api:
    """The routes below ``/api/v1``."""

    def __init__(
        self, *, service: Service, identity: Identity, urls: Urls, public_origin: str
    ) -> None:
        self._service = service
        self._identity = identity
        self._urls = urls
        self._public_origin = public_origin

    async def templates(self, request: Request) -> Response:
        """``GET /api/v1/templates``."""
        await self._user(caller(request, program=True))
        listing = self._service.listing()
        found = [self._entry(entry) for entry in listing.entries]
        return JSONResponse({"templates": found, "complete": listing.complete})

    async def template(self, request: Request) -> Response:
        """``GET /api/v1/templates/<path>``."""
        await self._user(caller(request, program=True))
        path = request.path_params["path"]
        template = await self._service.template(path)
        kernel = template.kernel
        return JSONResponse(
            {
                "path": path,
                "title": template.title or path.rpartition("/")[2],
                "kernel": kernel.name,
                "language": kernel.language or kernel.info,
                "size": template.size,
                "content_hash": template.content_hash,
                "file_name_parameters": list(template_placeholders(path)),
                "url": self._urls.template(path),
            }
        )

    async def create(self, request: Request) -> Response:
        """``POST /api/v1/notebooks``."""
        sender = caller(request, program=True)
        self._require_program(request, sender.headers)
        user = await self._user(sender)
        limits = self._service.rules.limits
        body = await read_body(request, limits.body)
        wish = _wish(_object(read_json(body, limits=limits, envelope=2)), self._service)
        outcome, warnings = await self._service.create_unseen(user, wish)
        match outcome:
            case Download():
                return attachment(outcome)
            case Waiting():
                raise ServerStopped(outcome.url)
            case Saved():
                return JSONResponse(
                    {
                        "path": outcome.target.path,
                        "url": outcome.url,
                        "existed": outcome.existed,
                        "creation_id": wish.creation_id,
                        "warnings": list(warnings),
                    },
                    status_code=200 if outcome.existed else 201,
                )

    async def openapi(self, request: Request) -> Response:
        """``GET /api/v1/openapi.json``."""
        return JSONResponse(description() | {"servers": [{"url": self._urls.base.rstrip("/")}]})

    async def _user(self, sender: Caller) -> User:
        user = await self._identity.user(sender)
        if user is None:
            raise NotSignedIn("A token is needed, as “Authorization: token …”.")
        return user

    def _entry(self, entry: Entry) -> dict[str, Json]:
        return {
            "path": entry.path,
            "title": entry.title,
            "kernel": entry.kernel.name if entry.kernel else "",
            "language": (entry.kernel.language or entry.kernel.info) if entry.kernel else "",
            "size": entry.size,
            "content_hash": entry.content_hash,
            "broken": entry.broken,
            "url": self._urls.template(entry.path),
        }

    def _require_program(self, request: Request, headers: Mapping[str, str]) -> None:
        """Refuse what a page of another site could make a browser send (DESIGN section 6): only
        ``application/json``, for which browsers ask first, and no foreign ``Origin``."""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise MalformedRequest(
                f"The body was sent as “{printable(kind) or 'no content type'}”; "
                "application/json would be right."
            )
        origin = headers.get("origin")
        foreign = origin is not None and not (
            (claimed := web_origin(origin)) and same_host(claimed, request, self._public_origin)
        )
        if foreign or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise Forbidden("Pages of other sites cannot use this interface.")


def _object(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise MalformedRequest(f"The body must be a JSON object, and is {json_type(value)}.")
    if unknown := sorted(set(value) - _FIELDS):
        raise MalformedRequest(
            f"Unknown field “{printable(unknown[0])}”; known are {', '.join(sorted(_FIELDS))}."
        )
    return value


def _wish(body: Mapping[str, Json], service: Service) -> Wish:
    def text(key: str) -> str | None:
        value = body.get(key)
        if value is not None and not isinstance(value, str):
            raise MalformedRequest(f"“{key}” must be a text, and is {json_type(value)}.")
        return value

    template = text("template")
    if not template:
        raise MalformedRequest(
            "“template” is missing: the path of a template, such as sem/fit.ipynb."
        )
    creation_id, portal = text("creation_id"), text("portal")
    if creation_id is not None and not _CREATION_ID.fullmatch(creation_id):
        raise MalformedRequest("“creation_id” must be 8 to 64 letters, digits, “-” or “_”.")
    if portal is not None and not web_origin(portal):
        raise MalformedRequest("“portal” must be the origin of a site: https://sampledb.example")
    given: dict[str, Any] = {"name": text("name"), "folder": text("folder")}
    if creation_id is not None:
        given["creation_id"] = creation_id
    parameters = check_parameters(body.get("parameters", {}), limits=service.rules.limits)
    return Wish(template, parameters, portal=web_origin(portal), **given)


def error(err: TemplatingError) -> Response:
    """Any error as JSON: the same code and message as on a page."""
    return JSONResponse(
        {"code": err.code, "message": err.message, **err.details()},
        status_code=err.status,
        headers={"Retry-After": str(err.retry_after)} if isinstance(err, StorageBusy) else None,
    )


def description() -> dict[str, Any]:
    """The OpenAPI document."""
    loaded: dict[str, Any] = json.loads(files("nbstamp.web").joinpath("openapi.json").read_text())
    return loaded
