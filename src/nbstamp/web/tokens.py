"""What passes through the browser and must come back unchanged: sealed, dated, for one purpose.

Any replica with the same secrets can read a token (DESIGN section 3: no state on the server).
Knows nothing of requests.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nbstamp.core.parameters import Json

SHORTEST_SECRET = 32
"""Characters of a secret that this server accepts."""
LEEWAY = 60.0
"""Seconds by which the clock of another replica may be ahead (facts/security.md D12)."""


class BadToken(Exception):
    """Not a token of ours: foreign, damaged, for another purpose, or its key is gone."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A token that is ours."""

    data: Mapping[str, Json]
    age: float
    """Seconds since it was sealed, never negative."""


class Tokens:
    """Seals and opens tokens with the newest of ``secrets``; older ones are still read."""

    def __init__(self, secrets: Sequence[str], *, clock: Callable[[], float] = time.time) -> None:
        self._secrets = tuple(secrets)
        self._clock = clock
        self._keys: dict[str, MultiFernet] = {}

    def seal(self, purpose: str, data: Mapping[str, Json]) -> str:
        """Return ``data`` as an opaque ASCII token that only opens for the same purpose."""
        payload = json.dumps([self._clock(), data], separators=(",", ":"))
        return self._key(purpose).encrypt(payload.encode("ascii")).decode("ascii")

    def open(self, purpose: str, token: str) -> Opened:
        """Raises :class:`BadToken` when it is not ours, or dated more than a minute ahead."""
        age, data = self._opened(purpose, token)
        if age < -LEEWAY:
            raise BadToken
        return Opened(data, max(age, 0.0))

    def read(self, purpose: str, token: str, longest: float) -> Mapping[str, Json] | None:
        """What was sealed at most ``longest`` seconds ago, or by a replica whose clock is that much
        ahead; None for everything else. For what is not trusted for its date alone.
        """
        try:
            age, data = self._opened(purpose, token)
        except BadToken:
            return None
        return data if abs(age) <= longest else None

    def _opened(self, purpose: str, token: str) -> tuple[float, Mapping[str, Json]]:
        try:
            payload = self._key(purpose).decrypt(token.encode("ascii"))
        except (InvalidToken, UnicodeEncodeError):
            raise BadToken from None
        sealed, data = json.loads(payload)
        return self._clock() - sealed, data

    def _key(self, purpose: str) -> MultiFernet:
        if purpose not in self._keys:
            self._keys[purpose] = MultiFernet(
                [Fernet(_derived(secret, purpose)) for secret in self._secrets]
            )
        return self._keys[purpose]


def _derived(secret: str, purpose: str) -> bytes:
    key = HKDF(SHA256(), length=32, salt=None, info=f"nbstamp {purpose}".encode())
    return base64.urlsafe_b64encode(key.derive(secret.encode("utf-8")))
