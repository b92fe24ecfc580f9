"""Who is asking: what the rest may know about the person."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class User:
    """A person as the identity provider names them."""

    name: str
    """The account name, unique at the identity provider; empty when nobody signs in."""
    token: str = field(default="", repr=False)
    """The user's own token at the identity provider, for storages that act for them; empty when
    there is none."""
    groups: frozenset[str] = frozenset()
    """The user's groups, as far as the identity provider tells them."""


NOBODY = User(name="")
"""Everybody, where no one signs in."""
