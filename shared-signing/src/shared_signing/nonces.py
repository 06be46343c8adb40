"""The nonce store that a verifier needs, one in memory, and a nonce that a handler claims itself.

The store in memory is for a single process that may forget on restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto
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


class NonceState(Enum):
    """What the handler of a request knows about its nonce."""

    OPEN = auto()
    """Not claimed. Before an error answer the middleware claims it in the store; a success is not sent."""
    CLAIMED = auto()
    """This request claimed it."""
    USED = auto()
    """Another request used it. The handler changed nothing, and the answer is `nonce_replay`."""
    UNKNOWN = auto()
    """Perhaps claimed, together with the handler's work. Only an error answer is sent."""


class HandlersNonce:
    """A nonce that the handler claims in the database transaction of its work. The handler sets `state`."""

    __slots__ = ("nonce", "state", "timestamp")

    def __init__(self, nonce: str, timestamp: int) -> None:
        self.nonce = nonce
        self.timestamp = timestamp
        self.state = NonceState.OPEN


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
