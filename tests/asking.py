"""An identity for tests: whoever a header names."""

from __future__ import annotations

from collections.abc import Mapping

from nbstamp.core.user import User
from nbstamp.identity.base import Identity


class Asking(Identity):
    """Believes the header ``X-Test-User``."""

    async def user(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> User | None:
        name = headers.get("x-test-user")
        return User(name) if name else None
