"""The one place that joins and quotes the addresses of this server."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Urls:
    """Addresses below the base path."""

    base: str = "/templates/"
    """Starts and ends with a slash."""

    def __call__(self, *parts: str) -> str:
        """``/templates/create`` for ``create``; each part is quoted by itself."""
        return self.base + "/".join(quote(part, safe="") for part in parts)

    def template(self, path: str) -> str:
        """Where a portal posts to for the template at ``path``."""
        return self("t", *path.split("/"))

    def static(self, name: str) -> str:
        """A file of ``web/static``."""
        return self("static", name)
