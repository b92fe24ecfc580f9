"""The pages: what a person sees, made from finished values. No page decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from nbstamp.core.errors import StorageBusy, TemplatingError, UnknownTemplate
from nbstamp.core.languages import Languages
from nbstamp.core.parameters import Parameters, language_text
from nbstamp.core.template import Template
from nbstamp.core.user import User
from nbstamp.portals.base import Portal
from nbstamp.service import (
    Entry,
    Listing,
    Preview,
    Saved,
    Waiting,
    Wish,
    template_placeholders,
)
from nbstamp.web.shown import human_size, shown_parameters, visible
from nbstamp.web.urls import Urls


@dataclass(frozen=True, slots=True)
class Notice:
    """Why a page is shown again."""

    text: str
    field: str = ""
    """The form field it speaks of (``name``, ``folder``), or empty."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What an error page carries on, so that nothing is lost."""

    template: str
    parameters: Parameters
    carried: Mapping[str, str]
    """Fields with which, besides the parameters, the confirmation is reached again."""
    portal: Portal
    back: str
    """Page of the portal to go back to; empty when it is not known."""
    form: Mapping[str, str] = field(default_factory=dict)
    """Form for ``/create`` that gives the same notebook as a download; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the site says about itself."""

    site: str = "Notebooks"
    """Name in the page's header."""
    contact: str = ""
    """Whom to ask, as text (an e-mail address, a room)."""


class Pages:
    """Renders every page of this server."""

    def __init__(
        self, urls: Urls, look: Look, *, saves: bool, has_users: bool, signs_in: bool
    ) -> None:
        self._urls = urls
        environment = Environment(
            loader=PackageLoader("nbstamp.web", "pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["human_size"] = human_size
        environment.filters["visible"] = visible
        environment.globals |= {
            "urls": urls,
            "look": look,
            "saves": saves,
            "has_users": has_users,
            "signs_in": signs_in,
        }
        self._environment = environment

    def _page(self, file: str, status: int = 200, /, **values: Any) -> Response:
        text = self._environment.get_template(file).render(values)
        return HTMLResponse(text, status_code=status)

    def catalogue(self, listing: Listing, languages: Languages) -> Response:
        """All templates, by instrument."""
        folders: dict[str, list[Entry]] = {}
        for entry in listing.entries:
            folders.setdefault(entry.folder, []).append(entry)
        return self._page(
            "catalogue.html",
            folders=folders,
            complete=listing.complete,
            caution=languages.caution,
        )

    def template(self, request: Request, path: str, template: Template) -> Response:
        """One template's own page."""
        return self._page(
            "template.html",
            path=path,
            template=template,
            title=template.title or path.rpartition("/")[2],
            placeholders=template_placeholders(path),
            address=f"{str(request.base_url).rstrip('/')}{self._urls.template(path)}",
        )

    def api(self, description: Mapping[str, Any]) -> Response:
        """The HTTP interface, from its OpenAPI document."""
        return self._page("api.html", api=description, schemas=description["components"]["schemas"])

    def interstitial(
        self, path: str, parameters: Parameters, arrival: str, *, by_itself: bool
    ) -> Response:
        """Sends what arrived once more, from our own origin; it shows and does nothing else. When
        not ``by_itself``, the user presses a button."""
        return self._page(
            "arriving.html",
            path=path,
            params=parameters.text,
            arrival=arrival,
            by_itself=by_itself,
        )

    def sign_in(
        self, path: str, fields: Mapping[str, str], count: int, *, switching: bool
    ) -> Response:
        """Keeps ``fields`` for the template at ``path`` in the browser's tab while its user signs
        in, and sends them again afterwards; without scripts the user does it."""
        return self._page(
            "sign_in.html", path=path, fields=fields, count=count, switching=switching
        )

    def resume(self) -> Response:
        """Sends what :meth:`sign_in` has kept."""
        return self._page("resume.html")

    def signed_in(self) -> Response:
        """The end of signing in in a tab of its own."""
        return self._page("signed_in.html")

    def confirmation(
        self,
        preview: Preview,
        *,
        token: str,
        portal: Portal,
        user: User,
        typed: Mapping[str, str],
        notice: Notice | None,
        status: int,
    ) -> Response:
        """What is about to happen."""
        rows = shown_parameters(preview.wish.parameters)
        found = preview.description.found
        return self._page(
            "confirmation.html",
            status,
            preview=preview,
            token=token,
            portal=portal,
            back=portal.link(preview.object_id),
            object_name=_object_name(preview.wish),
            user=user,
            name=typed.get("name", preview.target.name),
            folder=typed.get("folder", "/".join(preview.target.folder)),
            notice=notice,
            rows=rows,
            empty=[row.name for row in rows if row.empty],
            found_when=when(found.modified) if found else "",
        )

    def waiting(
        self, waiting: Waiting, fields: Mapping[str, str], count: int, *, started: bool
    ) -> Response:
        """Keeps ``fields`` for ``/create`` in the browser's tab while its user's server starts, and
        sends them again afterwards; without scripts, or when it was ``started`` already and is gone
        again, the user does it."""
        return self._page(
            "waiting.html",
            fields=fields,
            count=count,
            start=waiting.url,
            started=started,
            message="",
            seconds=0,
        )

    def busy(self, err: StorageBusy, fields: Mapping[str, str], count: int) -> Response:
        """Sends ``fields`` to ``/create`` again when it makes sense."""
        answer = self._page(
            "waiting.html",
            err.status,
            fields=fields,
            count=count,
            start="",
            started=False,
            message=err.message,
            seconds=err.retry_after,
        )
        answer.headers["Retry-After"] = str(err.retry_after)
        return answer

    def saved(self, saved: Saved, portal: Portal, back: str) -> Response:
        """The notebook is there."""
        return self._page("saved.html", saved=saved, portal=portal, back=back)

    def error(
        self, err: TemplatingError, retry: Retry | None = None, *, again: str = ""
    ) -> Response:
        """What went wrong, and the way on: the same once more, or signing in ``again`` on the way
        to that page."""
        near: Sequence[str] = err.near if isinstance(err, UnknownTemplate) else ()
        rows = shown_parameters(retry.parameters) if retry else []
        return self._page(
            "error.html", err.status, err=err, near=near, retry=retry, rows=rows, again=again
        )


def when(timestamp: float) -> str:
    """A time of this server for people: ``today 22:58``, ``3 November 2026, 22:58``."""
    moment = datetime.fromtimestamp(timestamp).astimezone()
    if moment.date() == datetime.now().astimezone().date():
        return f"today {moment:%H:%M}"
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def _object_name(wish: Wish) -> str:
    """What people call the object: its ``name``, else what the file name is made of."""
    for key in ("name", *template_placeholders(wish.template)):
        value = wish.parameters.get(key)
        text = language_text(value) if isinstance(value, dict) else value
        if isinstance(text, str) and text:
            return text
    return ""
