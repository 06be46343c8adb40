"""Verifies the signatures of requests and answers. `Refusal` lists the checks in their order.

Its timing does not show which key ids exist, nor how much of a MAC was right (test_verifier.py).
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final

from shared_signing.canonical import MalformedSignature, SignatureHeader, request_bytes, response_bytes
from shared_signing.keys import Key, KeyRing, KeysNotLoaded
from shared_signing.nonces import NONCE_RETENTION_SECONDS, NonceStore

# Used in place of an unknown key, so that an unknown id takes as much time as a known one.
_NOBODY: Final = Key("nobody", secrets.token_bytes(32))


class Refusal(StrEnum):
    """Why a request is refused, in the order of the checks. The values are the codes of the 401 answers."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    TIMESTAMP_OUT_OF_WINDOW = "timestamp_out_of_window"
    NONCE_REPLAY = "nonce_replay"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is accepted. `key` signed it. `skew_seconds` is how far its `timestamp` is in the past."""

    nonce: str
    key: Key
    skew_seconds: int
    skew_is_worrying: bool
    timestamp: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is refused. With `server_time` (unix seconds) a caller can correct its clock and sign again.

    `nonce` and `key` are set when the MAC was right: the answer to such a refusal is signed. The other fields are for
    the log. `key_id` is set only if a live key has this id, because any other text may be a secret. `skew_seconds` is
    how far a timestamp out of the window is in the past. `canonical_sha256` is the hash, in hex, of the bytes that the
    MAC should cover: the caller can compare it with its own.
    """

    refusal: Refusal
    server_time: int
    nonce: str = ""
    key: Key | None = None
    key_id: str | None = field(default=None, compare=False)
    skew_seconds: int | None = field(default=None, compare=False)
    canonical_sha256: str | None = field(default=None, compare=False)


class Verifier:
    """Verifies the requests of one direction. `clock` returns unix seconds."""

    __slots__ = ("_clock", "_key_ring", "_nonces", "_warn_skew_seconds", "_window_seconds")

    def __init__(
        self,
        key_ring: KeyRing,
        nonces: NonceStore,
        *,
        clock: Callable[[], float] = time.time,
        window_seconds: int = 60,
        warn_skew_seconds: int = 30,
    ) -> None:
        if not 0 < 2 * window_seconds <= NONCE_RETENTION_SECONDS:
            raise ValueError("the window must be positive and at most half of the time for which nonces are kept")
        self._key_ring = key_ring
        self._nonces = nonces
        self._clock = clock
        self._window_seconds = window_seconds
        self._warn_skew_seconds = warn_skew_seconds

    async def verify_request(
        self,
        header_values: Sequence[bytes],
        *,
        method: str,
        target: bytes,
        body: bytes,
        before_nonce: Callable[[Key], None] | None = None,
        claims: bool = True,
    ) -> Accepted | Refused:
        """Check one request in the order of `Refusal`. The first failed check is the refusal.

        `header_values` are all values of the signature header, `target` is the raw path with its raw query, `body` the
        raw bytes as received. The timestamp is compared in whole seconds. `before_nonce(key)` is called after all other
        checks and before the nonce is claimed; if it raises, the nonce stays unused. Without `claims` the last check is
        left to the caller (`claim`, or a handler that claims the nonce with its work). Raises `KeysNotLoaded` before
        the ring has its first keys, and `NonceStoreOverloaded` when the store cannot answer.
        """
        if self._key_ring.awaiting:
            raise KeysNotLoaded
        now = self._clock()
        server_time = int(now)
        authentic = self._authenticate(header_values, now, method=method, target=target, body=body)
        if isinstance(authentic, Refusal):
            if authentic not in (Refusal.BAD_SIGNATURE, Refusal.UNKNOWN_KEY):
                return Refused(authentic, server_time)
            # The same work for both refusals, so that the time does not show which keys exist.
            header = SignatureHeader.parse(header_values[0])
            canonical = sha256(_message(header, method=method, target=target, body=body)).hexdigest()
            key_id = header.key_id if authentic is Refusal.BAD_SIGNATURE else None
            return Refused(authentic, server_time, key_id=key_id, canonical_sha256=canonical)
        header, key = authentic
        skew_seconds = server_time - header.timestamp
        if abs(skew_seconds) > self._window_seconds:
            return Refused(
                Refusal.TIMESTAMP_OUT_OF_WINDOW, server_time, header.nonce, key,
                key_id=key.key_id, skew_seconds=skew_seconds,
            )  # fmt: skip
        if before_nonce is not None:
            before_nonce(key)
        is_worrying = abs(skew_seconds) > self._warn_skew_seconds
        accepted = Accepted(header.nonce, key, skew_seconds, is_worrying, header.timestamp)
        return await self.claim(accepted) if claims else accepted

    async def claim(self, accepted: Accepted) -> Accepted | Refused:
        """Claim the nonce in the store. Returns the refusal of a used one. Raises `NonceStoreOverloaded`."""
        if await self._nonces.claim(accepted.key.key_id, accepted.nonce, accepted.timestamp):
            return accepted
        return self.replay(accepted)

    def replay(self, accepted: Accepted) -> Refused:
        """The refusal of a request whose nonce was used before."""
        key = accepted.key
        return Refused(Refusal.NONCE_REPLAY, int(self._clock()), accepted.nonce, key, key_id=key.key_id)

    def _authenticate(
        self, header_values: Sequence[bytes], now: float, *, method: str, target: bytes, body: bytes
    ) -> tuple[SignatureHeader, Key] | Refusal:
        """The checks up to and including the MAC."""
        if len(header_values) != 1:
            return Refusal.SIGNATURE_MALFORMED if header_values else Refusal.SIGNATURE_MISSING
        try:
            header = SignatureHeader.parse(header_values[0])
        except MalformedSignature:
            return Refusal.SIGNATURE_MALFORMED
        key = self._key_ring.verifying_key(header.key_id, now)
        message = _message(header, method=method, target=target, body=body)
        holds = hmac.compare_digest((key or _NOBODY).mac(message), header.mac)
        if key is None:
            return Refusal.UNKNOWN_KEY
        # With a line break, one MAC would fit two pairs of method and target. HTTP has none there.
        if not holds or "\n" in method or b"\n" in target:
            return Refusal.BAD_SIGNATURE
        return header, key


def _message(header: SignatureHeader, *, method: str, target: bytes, body: bytes) -> bytes:
    return request_bytes(timestamp=header.timestamp, nonce=header.nonce, method=method, target=target, body=body)


def verify_response(
    header_values: Sequence[bytes],
    *,
    nonce: str,
    status: int,
    body: bytes,
    key_ring: KeyRing,
    clock: Callable[[], float] = time.time,
) -> bool:
    """Returns whether a live key signed this answer to the request with this nonce.

    There is no time window: the nonce binds the answer to its request. No header value, or several, are refused.
    """
    if len(header_values) != 1:
        return False
    try:
        header = SignatureHeader.parse(header_values[0])
    except MalformedSignature:
        return False
    key = key_ring.verifying_key(header.key_id, clock())
    message = response_bytes(timestamp=header.timestamp, nonce=nonce, status=status, body=body)
    holds = hmac.compare_digest((key or _NOBODY).mac(message), header.mac)
    return holds and key is not None and header.nonce == nonce
