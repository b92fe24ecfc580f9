"""Whose home is where: a user's name to identity and home folder on this machine.

Knows the accounts of the operating system (files, LDAP, …) and the rules of the site; writes
nothing. Looking an account up may wait for another machine.
"""

from __future__ import annotations

import os
import pwd
from typing import NamedTuple

from nbstamp.core.errors import StorageUnavailable
from nbstamp.core.naming import safe_component

USERNAME = "{username}"


class Account(NamedTuple):
    """Who writes, and where."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class Accounts(NamedTuple):
    """The rules by which a site's accounts are found."""

    home: str = ""
    """Path of the home with ``{username}``; empty for the one that the account has."""
    uid: int | None = None
    """One user for all homes; None for the accounts' own."""
    gid: int | None = None
    minimum_uid: int = 1000

    def find(self, username: str) -> Account:
        """The account of a user, whose name :func:`check_name` has taken.

        Raises :class:`~nbstamp.core.errors.StorageUnavailable` when there is none that may be
        used.
        """
        if self.uid is not None and self.gid is not None:
            found = Account(self.uid, self.gid, (), self._home(username, ""))
        else:
            found = self._own(username)
        if found.uid < max(1, self.minimum_uid):
            raise _unusable(f"its uid {found.uid} is below {self.minimum_uid}")
        if found.gid == 0:
            raise _unusable("its group is root's")
        if not os.path.isabs(found.home):
            raise _unusable("it has no home folder")
        return found

    def _own(self, username: str) -> Account:
        try:
            entry = pwd.getpwnam(username)
        except KeyError:
            raise _unusable("there is no such account on this machine") from None
        if entry.pw_name != username:
            raise _unusable("the machine's account is spelt differently")
        groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
        home = self._home(username, entry.pw_dir)
        return Account(entry.pw_uid, entry.pw_gid, tuple(sorted(set(groups))), home)

    def _home(self, username: str, own: str) -> str:
        path = self.home.replace(USERNAME, username) if self.home else own
        # with a slash at its end, a link would be followed
        return path.rstrip("/")


def check_name(username: str) -> None:
    """Raise :class:`~nbstamp.core.errors.StorageUnavailable` unless a user's name is a plain one.
    Made so, it could be somebody else's."""
    if not username or safe_component(username) != username:
        raise _unusable("its name cannot be part of a path")


def _unusable(reason: str) -> StorageUnavailable:
    return StorageUnavailable(
        f"Notebooks cannot be saved for your account: {reason}. Please ask the administrator of "
        "this server. Nothing was created.",
        log=f"the account cannot be used: {reason}",
    )
