"""Keeps the answers to requests with an idempotency key, in the transaction of the change.

What only its receiver may see (codes, PINs, tokens) is sealed under the pepper and the key, which is not stored, and is
null after a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec

from casino.api import pepper
from casino.api.call import Call
from casino.api.errors import Refused

SECRETS: Final = frozenset(
    {"code", "pin", "loginCode", "token", "refreshToken", "secret", "key", "slipToken", "recoveryCodes", "uri"}
)
PURPOSE: Final = "kept answer"
TAKE: Final = "select * from casino.take_kept_answer(%s, %s, %s, %s)"
KEEP: Final = "select casino.keep_answer(%s, %s, %s, %s, %s, %s)"
FORGET: Final = "select casino.forget_kept_answers(%s, %s)"
FORGET_PAGE: Final = 1_000
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Kept:
    """A first answer. With `shows_secrets` it has codes, PINs or tokens, and giving it again is noted."""

    status: int
    body: bytes
    shows_secrets: bool


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """The kept answers of one scope: a caller and a path."""

    call: Call
    scope: str
    key: str

    async def take(self, body_hash: bytes) -> Kept | None:
        """Claim the key and return None, or return its first answer.

        Raises Refused(IDEMPOTENCY_MISMATCH) when the key was used with another body.
        """
        # Under the pepper, because a body may hold a password, and a plain hash of it could be guessed at.
        body_mac = pepper.mac(self.call.settings.pepper, PURPOSE, f"{self.key}\n{body_hash.hex()}")
        row = await self.call.row(TAKE, (self.call.ledger_id, self.scope, self._key_hash(), body_mac))
        claimed, same_body, status, answer, sealed = row
        if claimed:
            return None
        if not same_body:
            raise Refused("IDEMPOTENCY_MISMATCH")
        if status is None:
            raise Refused("BUSY")
        if sealed is None:
            return Kept(status, answer, shows_secrets=False)
        body = pepper.unseal(self.call.settings.pepper, PURPOSE, self.key, sealed)
        return Kept(status, body, shows_secrets=True)

    async def keep(self, status: int, body: bytes) -> None:
        """Store the answer to the claimed key."""
        public, has_secrets = _without_secrets(_decode(body))
        sealed = pepper.seal(self.call.settings.pepper, PURPOSE, self.key, body) if has_secrets else None
        answer = _encode(public) if has_secrets else body
        parameters = (self.call.ledger_id, self.scope, self._key_hash(), status, answer, sealed)
        await self.call.rows(KEEP, parameters)

    def _key_hash(self) -> bytes:
        return sha256(self.key.encode()).digest()


def _without_secrets(value: Any) -> tuple[Any, bool]:
    """The value with null in the place of what only its receiver may see, and whether there was such a thing."""
    if isinstance(value, dict):
        parts = {name: (None, True) if name in SECRETS else _without_secrets(each) for name, each in value.items()}
        return {name: each for name, (each, _) in parts.items()}, any(found for _, found in parts.values())
    if isinstance(value, list):
        items = [_without_secrets(each) for each in value]
        return [each for each, _ in items], any(found for _, found in items)
    return value, False
