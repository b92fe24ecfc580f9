"""Who is asking. One required method; sign-in flows are added by those identities that have one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from traitlets.config import Configurable

from nbstamp.core.user import User


class Identity(Configurable):
    """A way to know the user of a request."""

    signs_in: ClassVar[bool] = True
    """False when there are no users, so that pages do not speak of accounts."""

    @abstractmethod
    async def user(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> User | None:
        """The user of a request with these headers and cookies, or None when nobody is signed
        in."""
