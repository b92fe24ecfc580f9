"""Who is asking: what the rest of the program may know about the person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """A person as the identity provider names them."""

    name: str
    """The account name, unique at the identity provider; empty when nobody signs in."""


NOBODY = User(name="")
"""Everybody, where no one signs in."""
