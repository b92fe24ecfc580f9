"""No one signs in: everybody is the same user without a name. For downloads and shared folders."""

from __future__ import annotations

from collections.abc import Mapping

from nbstamp.core.user import NOBODY, User
from nbstamp.identity.base import Identity


class Nobody(Identity):
    """Everybody may use this server, and no one has a name."""

    signs_in = False

    async def user(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> User:
        """Always :data:`~nbstamp.core.user.NOBODY`."""
        return NOBODY
