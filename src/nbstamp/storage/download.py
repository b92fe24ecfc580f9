"""The storage that keeps nothing: the notebook goes to the browser, with its data files if any."""

from __future__ import annotations

from typing import ClassVar

from nbstamp.core.instance import Instance
from nbstamp.core.naming import Target
from nbstamp.core.user import User
from nbstamp.storage.base import Download, Storage


class DownloadStorage(Storage):
    """Hands notebooks to the browser."""

    saves: ClassVar[bool] = False
    keeps_files: ClassVar[bool] = True

    async def save(self, user: User, target: Target, instance: Instance) -> Download:
        return Download(target.name, instance)
