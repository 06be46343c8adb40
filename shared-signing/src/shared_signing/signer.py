"""Signs requests and answers with the newest live key of a ring."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared_signing.canonical import NONCE_PATTERN, request_bytes, response_bytes
from shared_signing.keys import Key, KeyRing

NONCE_BYTES: Final = 16
"""Random bytes of a fresh nonce, written as 32 hex digits."""

CORRECTION_MAX_SECONDS: Final = 600
"""A caller corrects its clock by at most this much to sign a request again. A larger correction is ignored."""

_NONCE: Final = re.compile(NONCE_PATTERN)
_METHOD: Final = re.compile(r"[A-Z][A-Z0-9!#$%&'*+.^_`|~-]*")
_TARGET: Final = re.compile(rb"[!-~\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The header value to send. The signature of the answer covers the same nonce."""

    header: str
    nonce: str


class Signer:
    """Signs with the keys of one direction. `clock` returns unix seconds."""

    __slots__ = ("_clock", "_key_ring")

    def __init__(self, key_ring: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self._key_ring = key_ring
        self._clock = clock

    def sign_request(self, method: str, target: str | bytes, body: bytes, *, nonce: str | None = None) -> SignedRequest:
        """Sign one request with the newest live key, and with a random nonce unless one is given.

        `target` is the raw path with its raw query, as sent. Raises `NoLiveKey`, and `ValueError` for a method that is
        not an upper-case token, for a target with a space or a control character, for a target given as text that is
        not ASCII, and for a malformed nonce.
        """
        raw_target = target.encode("ascii") if isinstance(target, str) else target
        if _METHOD.fullmatch(method) is None or _TARGET.fullmatch(raw_target) is None:
            raise ValueError("method and target must be as HTTP sends them")
        if nonce is None:
            nonce = secrets.token_hex(NONCE_BYTES)
        elif _NONCE.fullmatch(nonce) is None:
            raise ValueError("a nonce is 16 to 64 characters of 0-9 A-Z a-z _ -")
        now = self._clock()
        key = self._key_ring.signing_key(now)
        timestamp = int(now)
        mac = key.mac(request_bytes(timestamp=timestamp, nonce=nonce, method=method, target=raw_target, body=body))
        return SignedRequest(f"t={timestamp},n={nonce},k={key.key_id},v1={mac}", nonce)

    def sign_response(self, *, nonce: str, status: int, body: bytes, key: Key) -> str:
        """Returns the header value for the answer to the request with this nonce. `key` is the request's key.

        If that key has ended or was revoked since, the newest live key of the same peer signs. Raises `NoLiveKey`
        without one.
        """
        now = self._clock()
        timestamp = int(now)
        key = self._key_ring.verifying_key(key.key_id, now) or self._key_ring.signing_key(now, peer=key.peer)
        mac = key.mac(response_bytes(timestamp=timestamp, nonce=nonce, status=status, body=body))
        return f"t={timestamp},n={nonce},k={key.key_id},v1={mac}"


def clock_correction(server_time: object, now: float) -> int:
    """Returns how many seconds the peer's clock is ahead of `now` (unix seconds), by the `serverTime` of its 401.

    Returns 0 for a value that is not an integer or is more than `CORRECTION_MAX_SECONDS` off. Pass only the
    `serverTime` of an answer with a good signature: others can write an unsigned one.
    """
    if not isinstance(server_time, int) or isinstance(server_time, bool):
        return 0
    correction_seconds = server_time - int(now)
    return correction_seconds if abs(correction_seconds) <= CORRECTION_MAX_SECONDS else 0
