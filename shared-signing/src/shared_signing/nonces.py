"""What a verifier needs from the memory of used nonces, and the simplest such memory.

This file owns the nonce-store protocol. A store for several processes lives with the service that has the database;
nothing here may be used where a second process or a restart must remember too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

NONCE_RETENTION_SECONDS: Final = 300
"""How long a store must remember a nonce. More than twice the timestamp window, so no signature outlives its nonce."""


class NonceStoreOverloaded(Exception):  # noqa: N818 - the word of the contract
    """The store cannot say now whether a nonce is new. Nothing was claimed: the request may be sent again later."""


class NonceStore(Protocol):
    """Remembers which nonces were used, shared by all processes of a service, over restarts."""

    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        """Claim a nonce in one atomic step: true for exactly one caller within `NONCE_RETENTION_SECONDS`.

        It is used up under whichever key it was claimed, so `key_id` changes nothing but what a store writes down.
        `timestamp` is the signed one (unix seconds), already known to be within the window. Raises
        `NonceStoreOverloaded` when the store cannot answer now.
        """
        ...


class InMemoryNonceStore:
    """A nonce store for tests and for services that run as one process and may forget on restart."""

    __slots__ = ("_clock", "_expiries", "_nonces_max", "_retention_seconds")

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        retention_seconds: float = NONCE_RETENTION_SECONDS,
        nonces_max: int = 1_000_000,
    ) -> None:
        self._clock = clock
        self._retention_seconds = retention_seconds
        self._nonces_max = nonces_max
        self._expiries: dict[str, float] = {}  # insertion order is expiry order

    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:  # noqa: ARG002 - see the protocol
        """As `NonceStore.claim`; overloaded when `nonces_max` live nonces are held."""
        now = self._clock()
        self._forget_expired(now)
        if nonce in self._expiries:
            return False
        if len(self._expiries) >= self._nonces_max:
            raise NonceStoreOverloaded(f"{self._nonces_max} nonces are held")
        self._expiries[nonce] = now + self._retention_seconds
        return True

    def _forget_expired(self, now: float) -> None:
        while self._expiries:  # each turn removes one entry
            oldest = next(iter(self._expiries))
            if self._expiries[oldest] > now:
                return
            del self._expiries[oldest]
