"""Everything that can go wrong, in words for the person who meets it.

TemplatingError
├── MalformedRequest          400  the request itself cannot be read
├── Forbidden                 403  not from this site, or not this person's
│   ├── NotSignedIn           403  nobody is signed in
│   └── SignInFailed          403  the identity provider did not let this person in
├── SlowRequest               408  the request stopped arriving
├── UnknownTemplate           404  no template has this path
│   └── BrokenTemplate        404  the template is there and cannot be used
├── NoFreeName                409  every name of the series is taken
├── TooLarge                  413  over a limit of this server
├── Unacceptable              422  readable, and not acceptable
│   ├── UnacceptableParameter 422  one parameter, by name or by value
│   ├── UnacceptableFileName  422  the name or folder of the new notebook
│   └── UnsupportedLanguage   422  no parameter cell for this kernel language
├── IdentityUnavailable       502  the identity provider does not answer
├── StorageUnavailable        503  the place for notebooks does not answer
│   ├── SaveUncertain         503  it stopped answering while it was saving
│   └── StorageBusy           429  it is full or busy, for a while
└── StorageFull               507  no space or no quota left

A message is for the user: what was wrong, which value, what would be right. ``log`` is for the
administrator. Neither holds a token, and ``log`` never holds a parameter's value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class TemplatingError(Exception):
    """The root of all errors that a user may be shown."""

    code: ClassVar[str] = "error"
    """Stable slug; public (docs/reference/errors)."""
    status: ClassVar[int] = 500
    """HTTP status."""
    title: ClassVar[str] = "Something went wrong"
    """The heading of the error page: a short sentence for the user."""
    outcome: ClassVar[str] = "Nothing was created"
    """What has become of the notebook, above the heading."""

    def __init__(self, message: str, *, log: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.log = log if log is not None else self.code

    def details(self) -> dict[str, object]:
        """What a machine may want to know besides code and message."""
        return {}


class MalformedRequest(TemplatingError):
    """The request cannot be read: broken encoding, form or JSON."""

    code = "malformed_request"
    status = 400
    title = "The request could not be read"


class Forbidden(TemplatingError):
    """The request did not come from a page of this server, or is not this person's."""

    code = "forbidden"
    status = 403
    title = "This was not sent from our own page"


class NotSignedIn(Forbidden):
    """Nobody is signed in, and this server has no sign-in page of its own to send them to."""

    code = "not_signed_in"
    title = "You are not signed in"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message
            or "This server does not know who you are. Please sign in first, then reload this page."
        )


class SignInFailed(Forbidden):
    """The identity provider did not let this person in, or not for this service."""

    code = "sign_in_failed"
    title = "You could not be signed in"

    next_path = ""
    """Where the user was going."""


class SlowRequest(TemplatingError):
    """The request began and did not go on."""

    code = "slow_request"
    status = 408
    title = "The request did not arrive completely"


class UnknownTemplate(TemplatingError):
    """No template has this path."""

    code = "unknown_template"
    status = 404
    title = "There is no such template"

    def __init__(self, path: str, *, near: Sequence[str] = (), message: str | None = None) -> None:
        super().__init__(message or f"There is no template “{path}” on this server.")
        self.path = path
        self.near = tuple(near)

    def details(self) -> dict[str, object]:
        return {"template": self.path, "near": list(self.near)}


class BrokenTemplate(UnknownTemplate):
    """The template exists and cannot be used; ``reason`` says why, for its author."""

    code = "broken_template"
    title = "This template cannot be used at the moment"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, message=f"The template “{path}” cannot be used: {reason}")
        self.reason = reason

    def details(self) -> dict[str, object]:
        return {"template": self.path, "reason": self.reason}


class NoFreeName(TemplatingError):
    """The name and all numbered variants of it are taken."""

    code = "no_free_name"
    status = 409
    title = "There is no free name left"


class TooLarge(TemplatingError):
    """Over one of the limits of this server; the message names the limit."""

    code = "too_large"
    status = 413
    title = "This is too large"


class Unacceptable(TemplatingError):
    """The request can be read, and something in it is not acceptable."""

    code = "unacceptable"
    status = 422
    title = "This cannot be put into a notebook"


class UnacceptableParameter(Unacceptable):
    """One parameter is not acceptable; ``parameter`` is its name as sent."""

    code = "unacceptable_parameter"
    title = "A parameter cannot be put into the notebook"

    def __init__(self, parameter: str, message: str, *, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.suggestion = suggestion

    def details(self) -> dict[str, object]:
        found: dict[str, object] = {"parameter": self.parameter}
        return found | ({"suggestion": self.suggestion} if self.suggestion else {})


class UnacceptableFileName(Unacceptable):
    """The name or folder of the new notebook is missing, incomplete or not usable."""

    code = "unacceptable_file_name"
    title = "The notebook needs another name"

    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter

    def details(self) -> dict[str, object]:
        return {"parameter": self.parameter} if self.parameter else {}


class UnsupportedLanguage(Unacceptable):
    """This server cannot write a parameter cell in the template's kernel language."""

    code = "unsupported_language"
    title = "This template's language is not supported"


class IdentityUnavailable(TemplatingError):
    """The identity provider (JupyterHub) does not answer; nothing was created."""

    code = "identity_unavailable"
    status = 502
    title = "Nobody can be signed in at the moment"
    next_path = ""
    """Where the user was going, when it happened while they were signing in."""


class StorageUnavailable(TemplatingError):
    """The place where notebooks are kept does not answer; nothing was created."""

    code = "storage_unavailable"
    status = 503
    title = "Notebooks cannot be saved at the moment"


class SaveUncertain(StorageUnavailable):
    """The place for notebooks stopped answering while it was saving. The same creation again finds
    the notebook if it was saved, and makes no second one."""

    code = "save_uncertain"
    title = "It is not certain that the notebook was saved"
    outcome = "No answer"


class StorageBusy(StorageUnavailable):
    """Too many at once: a hub that is full, or a limit on requests; nothing was created."""

    code = "storage_busy"
    status = 429
    title = "Jupyter is busy at the moment"

    def __init__(self, message: str, *, retry_after: int, log: str | None = None) -> None:
        super().__init__(message, log=log)
        self.retry_after = retry_after
        """Seconds after which the next try makes sense."""

    def details(self) -> dict[str, object]:
        return {"retry_after": self.retry_after}


class StorageFull(TemplatingError):
    """No space or no quota is left; nothing was created."""

    code = "storage_full"
    status = 507
    title = "There is no space left"
