"""Answers that are not pages."""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import AsyncIterator
from io import BytesIO
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from nbstamp.core.instance import Instance
from nbstamp.core.naming import SUFFIX
from nbstamp.service import Download

NOTEBOOK = "application/x-ipynb+json"


def attachment(download: Download) -> Response:
    """A notebook for the browser to keep; its bytes are sent as they are, never joined. With its
    data files it is a ZIP archive, the same bytes each time."""
    if download.instance.files:
        name = download.name.removesuffix(SUFFIX) + ".zip"
        return Response(
            _archive(download),
            media_type="application/zip",
            headers={"Content-Disposition": content_disposition(name)},
        )
    return StreamingResponse(
        _pieces(download.instance),
        media_type=NOTEBOOK,
        headers={
            "Content-Length": str(download.instance.size),
            "Content-Disposition": content_disposition(download.name),
        },
    )


def _archive(download: Download) -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        # the date of a ZipInfo is fixed
        with made.open(zipfile.ZipInfo(download.name), "w") as notebook:
            for segment in download.instance.segments:
                notebook.write(segment)
        for file in download.instance.files:
            made.writestr(zipfile.ZipInfo(file.name), file.data, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


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
