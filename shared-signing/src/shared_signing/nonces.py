"""The nonce store that a verifier needs, and one in memory, for a single process that may forget on restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

NONCE_RETENTION_SECONDS: Final = 300
"""How long a store must remember a nonce: more than twice the timestamp window, so no replay finds it forgotten."""


class NonceStoreOverloaded(Exception):  # noqa: N818 - the word of the contract
    """The store cannot say now whether a nonce is new. Nothing was claimed: the request may be sent again later."""


class NonceStore(Protocol):
    """Remembers used nonces, for all processes of a service and over restarts."""

    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        """Claim a nonce atomically. Returns True for exactly one caller within `NONCE_RETENTION_SECONDS`.

        A claimed nonce is used under every key: a store may record `key_id`, but does not decide by it. `timestamp` is
        the signed one (unix seconds), within the window. Raises `NonceStoreOverloaded` when the store cannot answer.
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
        """See `NonceStore.claim`. Raises `NonceStoreOverloaded` while `nonces_max` nonces are remembered."""
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
