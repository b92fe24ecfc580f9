"""No one signs in: everybody is the same user without a name. For downloads and shared folders."""

from __future__ import annotations

from nbstamp.core.user import NOBODY, User
from nbstamp.identity.base import Caller, Identity


class Nobody(Identity):
    """Everybody may use this server, and no one has a name."""

    has_users = False

    async def user(self, caller: Caller) -> User:
        """Always :data:`~nbstamp.core.user.NOBODY`."""
        return NOBODY
