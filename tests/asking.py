"""An identity for tests: whoever a header names."""

from __future__ import annotations

from nbstamp.core.user import User
from nbstamp.identity.base import Caller, Identity


class Asking(Identity):
    """Believes the header ``X-Test-User``."""

    async def user(self, caller: Caller) -> User | None:
        name = caller.headers.get("x-test-user")
        return User(name) if name else None
