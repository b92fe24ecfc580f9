"""Who is asking. One required method; a sign-in flow is an optional protocol."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from traitlets.config import Configurable

from nbstamp.core.parameters import Json
from nbstamp.core.user import User


class Seals(Protocol):
    """Seals what passes through the browser; see :class:`nbstamp.web.tokens.Tokens`."""

    def seal(self, purpose: str, data: Mapping[str, Json]) -> str:
        """``data`` as an opaque token for one purpose."""

    def read(self, purpose: str, token: str, longest: float) -> Mapping[str, Json] | None:
        """What was sealed at most ``longest`` seconds ago; None for everything else."""


class Identity(Configurable):
    """A way to know the user of a request. Its traits are options of the configuration."""

    signs_in: ClassVar[bool] = True
    """False when there are no users, so that pages do not speak of accounts."""

    def __init__(self, *, seals: Seals | None = None, base_url: str = "/", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seals = seals
        self.base_url = base_url

    @abstractmethod
    async def user(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> User | None:
        """The user of a request with these headers and cookies, or None when nobody is signed
        in."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to be set: for this server alone, not for scripts, ``SameSite=Lax``."""

    name: str
    value: str
    seconds: int
    """How long it is kept; 0 removes it."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where the browser goes next, and what it is given on the way."""

    location: str
    cookies: Sequence[Cookie] = ()


@runtime_checkable
class SigningIn(Protocol):
    """An identity whose users sign in on pages of somebody else (OAuth)."""

    @property
    def secure(self) -> bool:
        """True when browsers come by https, so that cookies are for https alone."""

    def begin(self, next_path: str) -> Step:
        """Send the user to sign in; ``next_path`` is a page of this server to come back to."""

    async def finish(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> Step:
        """The user came back with an answer in ``query``.

        Raises :class:`~nbstamp.core.errors.SignInFailed` or
        :class:`~nbstamp.core.errors.IdentityUnavailable`.
        """

    def leave(self) -> Step:
        """Sign the user out."""
