"""Untrusted bytes to the fields of a form, strictly.

Knows nothing of what the fields mean.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from nbstamp.core.errors import MalformedRequest
from nbstamp.core.parameters import printable


def read_form(body: bytes, *, fields: int = 100) -> dict[str, str]:
    """Read an ``application/x-www-form-urlencoded`` body or query (WHATWG URL section 5.1), but
    strictly: a malformed escape, a byte that is not UTF-8 or a field given twice is an error
    instead of a guess.

    Raises :class:`MalformedRequest`.
    """
    if not body:
        return {}
    if _BAD_ESCAPE.search(body):
        raise MalformedRequest(
            "The form holds a “%” that is not followed by two hexadecimal digits. "
            "It may have been cut off on its way."
        )
    if body.count(b"&") >= fields:
        raise MalformedRequest(f"The form has more than {fields} fields; “params” is enough.")
    form: dict[str, str] = {}
    for pair in body.split(b"&"):
        if not pair:
            continue
        raw_name, _, raw_value = pair.partition(b"=")
        name, value = _form_text(raw_name, "a field name"), _form_text(raw_value, "a field")
        if name in form:
            raise MalformedRequest(f"The form field “{printable(name)}” was sent twice.")
        form[name] = value
    return form


_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def _form_text(raw: bytes, what: str) -> str:
    decoded = unquote_to_bytes(raw.replace(b"+", b" "))
    try:
        return decoded.decode("utf-8")
    except UnicodeDecodeError as err:
        raise MalformedRequest(
            f"The form holds {what} that is not valid UTF-8 (byte {err.start})."
        ) from None
