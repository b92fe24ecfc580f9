"""Who is asking. One required method; a sign-in flow is an optional protocol."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request says about who sends it."""

    headers: Mapping[str, str]
    """By name in lower case; the values of a header that came twice are joined with a comma."""
    cookies: Mapping[str, str] = field(default_factory=dict)
    """Empty for a program, which has none."""
    address: str = ""
    """IP address of the other end of the connection, which may be a proxy's."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an identity may know about the server that it is part of."""

    seals: Seals
    base_url: str = "/"
    """Path below which this server is; starts and ends with a slash."""
    public_origin: str = ""
    """``https://jupyter.example`` as browsers see it; empty when that is not configured."""


class Identity(Configurable):
    """A way to know the user of a request. Its traits are options of the configuration.

    Making one raises :class:`ValueError` when an option is missing or wrong.
    """

    has_users: ClassVar[bool] = True
    """False when everybody is the same, so that pages do not speak of accounts."""

    def __init__(self, around: Surroundings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.around = around

    @abstractmethod
    async def user(self, caller: Caller) -> User | None:
        """The user who sends a request, or None when nobody is signed in.

        Raises :class:`~nbstamp.core.errors.Forbidden` for a request that must not be answered at
        all, and :class:`~nbstamp.core.errors.IdentityUnavailable`.
        """


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

    async def user(self, caller: Caller) -> User | None:
        """As in :class:`Identity`."""

    @property
    def secure(self) -> bool:
        """True when browsers come by https, so that cookies are for https alone."""

    def begin(self, next_path: str, cookies: Mapping[str, str]) -> Step:
        """Send the user to sign in; ``next_path`` is a page of this server to come back to."""

    async def finish(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> Step:
        """The user came back with an answer in ``query``.

        Raises :class:`~nbstamp.core.errors.SignInFailed` or
        :class:`~nbstamp.core.errors.IdentityUnavailable`, both with ``next_path`` if it is known.
        """

    def leave(self) -> Step:
        """Sign the user out."""
