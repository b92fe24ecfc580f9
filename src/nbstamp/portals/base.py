"""What a site knows about the portals that send users here, by the origin of their pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from nbstamp.core.parameters import Json


@dataclass(frozen=True, slots=True)
class Portal:
    """A portal, named by the site or only known by where a request came from."""

    origin: str
    """``https://sampledb.example``; empty when unknown."""
    name: str
    """As people call it; the host when the site has not named it."""
    object_url: str = ""
    """Pattern of an object's page with ``{object_id}``; empty when unknown."""

    def link(self, object_id: Json) -> str:
        """The page to go back to: the object's where it is known, else the portal's; empty when
        neither is."""
        known = isinstance(object_id, int | str) and not isinstance(object_id, bool)
        if known and self.object_url:
            return self.object_url.replace("{object_id}", quote(str(object_id), safe=""))
        return f"{self.origin}/" if self.origin else ""


@dataclass(frozen=True, slots=True)
class Portals:
    """The portals that the site has named."""

    by_origin: Mapping[str, Portal] = field(default_factory=dict)

    def at(self, origin: str) -> Portal:
        """The portal with this origin; one that only has a host when the site did not name it."""
        return self.by_origin.get(origin) or Portal(origin, urlsplit(origin).netloc)


def named_portals(setting: Mapping[str, Mapping[str, str]]) -> Portals:
    """Read the site's setting: ``{origin: {"name": …, "object_url": …}}``.

    ``object_url`` defaults to SampleDB's ``/objects/{object_id}``. Raises :class:`ValueError` for
    an address that is not an origin, naming what would be right.
    """
    found: dict[str, Portal] = {}
    for address, about in setting.items():
        origin = web_origin(address)
        if not origin or address.rstrip("/") != origin:
            parts = urlsplit(address)
            would = web_origin(f"{parts.scheme}://{parts.netloc}") or "https://sampledb.example"
            raise ValueError(f"{address!r} is not the origin of a portal; {would!r} would be")
        if unknown := set(about) - {"name", "object_url"}:
            raise ValueError(
                f"portal {address!r}: unknown {sorted(unknown)}; known are 'name' and 'object_url'"
            )
        url = about.get("object_url", f"{origin}/objects/{{object_id}}")
        found[origin] = Portal(origin, about.get("name", urlsplit(origin).netloc), url)
    return Portals(found)


def web_origin(text: str | None) -> str:
    """``scheme://host[:port]`` of an ``Origin`` or ``Referer`` header, normalised; empty for
    everything that is not http or https (``null``, garbage)."""
    if not text or len(text) > 2000:
        return ""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host or not _is_host(host):
        return ""
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, default) else "")


def _is_host(host: str) -> bool:
    return len(host) <= 253 and all(c.isascii() and (c.isalnum() or c in ".-_:") for c in host)
