"""Decides whether a request or an answer was signed by a peer that knows the secret.

This file owns the order of the checks and their refusals. It must never parse a body, never claim a nonce before the
MAC and the window hold, and never tell by its timing which key ids exist or how much of a MAC was right.
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

# Stands in for a key that is not there, so that an unknown id costs as much time as a known one.
_NOBODY: Final = Key("nobody", secrets.token_bytes(32))


class Refusal(StrEnum):
    """Why a request is not believed, in the order of the checks. The values are the codes of the 401 answers."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    TIMESTAMP_OUT_OF_WINDOW = "timestamp_out_of_window"
    NONCE_REPLAY = "nonce_replay"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request holds. `key` is the one it used; `skew_seconds` is how far its timestamp lies in the past."""

    nonce: str
    key: Key
    skew_seconds: int
    skew_is_worrying: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The request does not hold. `server_time` (unix seconds) lets a caller with a wrong clock sign anew.

    `nonce` and `key` are set when the signature itself held: this refusal is answered signed. For a log, `key_id` is
    the id that was named if a live key has it: any other text may be a secret. `skew_seconds` is how far a timestamp
    out of the window lies in the past. `canonical_sha256` is the hash, in hex, of the bytes whose MAC does
    not hold: the caller's own tells whether both mean the same bytes.
    """

    refusal: Refusal
    server_time: int
    nonce: str = ""
    key: Key | None = None
    key_id: str | None = field(default=None, compare=False)
    skew_seconds: int | None = field(default=None, compare=False)
    canonical_sha256: str | None = field(default=None, compare=False)


class Verifier:
    """Verifies the requests of one direction against its keys, its clock and its nonce store."""

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
        before_nonce: Callable[[], None] | None = None,
    ) -> Accepted | Refused:
        """Check one request in the order of the protocol; the first check that fails decides.

        `header_values` are all values of the signature header (none: missing; several: malformed), `target` the raw
        path with its raw query, `body` the raw bytes as received. Times are compared in whole seconds. Raises
        `NonceStoreOverloaded` when all but the nonce holds and the store cannot answer, and `KeysNotLoaded` before the
        ring has its first keys. `before_nonce` is called once all but the nonce holds; what it raises ends the check,
        and the nonce stays unused.
        """
        if self._key_ring.awaiting:
            raise KeysNotLoaded
        now = self._clock()
        server_time = int(now)
        authentic = self._authenticate(header_values, now, method=method, target=target, body=body)
        if isinstance(authentic, Refusal):
            if authentic not in (Refusal.BAD_SIGNATURE, Refusal.UNKNOWN_KEY):
                return Refused(authentic, server_time)
            # The same work for both: its time must not tell which keys there are.
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
            before_nonce()
        if not await self._nonces.claim(header.key_id, header.nonce, header.timestamp):
            return Refused(Refusal.NONCE_REPLAY, server_time, header.nonce, key, key_id=key.key_id)
        return Accepted(header.nonce, key, skew_seconds, abs(skew_seconds) > self._warn_skew_seconds)

    def _authenticate(
        self, header_values: Sequence[bytes], now: float, *, method: str, target: bytes, body: bytes
    ) -> tuple[SignatureHeader, Key] | Refusal:
        """The checks up to the MAC, which need neither the window nor the nonce store."""
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
        # A line break would let one MAC stand for two splits into method and target; HTTP never carries one there.
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
    """Whether an answer was signed, under any live key, for the request that carried `nonce`.

    There is no window: an answer is bound to its request by the nonce. None or several header values are not believed.
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
