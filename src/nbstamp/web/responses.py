"""Answers that are not pages."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from nbstamp.core.instance import Instance
from nbstamp.service import Download

NOTEBOOK = "application/x-ipynb+json"


def attachment(download: Download) -> Response:
    """A notebook for the browser to keep; its bytes are sent as they are, never joined."""
    return StreamingResponse(
        _pieces(download.instance),
        media_type=NOTEBOOK,
        headers={
            "Content-Length": str(download.instance.size),
            "Content-Disposition": content_disposition(download.name),
        },
    )


async def _pieces(instance: Instance) -> AsyncIterator[bytes]:
    for segment in instance.segments:
        view = memoryview(segment)
        for at in range(0, len(view), 2**18):
            yield bytes(view[at : at + 2**18])


def content_disposition(name: str) -> str:
    """``attachment`` with a file name in ASCII and in UTF-8 (RFC 6266)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    plain = "".join(c if c.isalnum() or c in " ._-()~+" else "_" for c in plain)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
