"""The player's access token: who is calling, outside demo mode. Owns its verification; it never issues one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import jwt
from jwt.utils import base64url_decode, base64url_encode

from casino import decoding
from casino.errors import Refused
from shared_signing.keys import Key

ALGORITHM: Final = "HS256"
AUDIENCE: Final = "casino-player"
_BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that holds: whose it is, and until when (unix seconds)."""

    player_id: str
    expires_at: int
    token: str = field(repr=False)


def read_access_token(authorization: str | None, keys: Sequence[Key]) -> AccessToken:
    """The valid token in a header. Raises Refused(access_token_missing or access_token_invalid)."""
    if authorization is None or not authorization.lower().startswith(_BEARER):
        raise Refused("access_token_missing")
    if not keys:
        raise Refused("access_token_invalid")  # no secret is configured: nobody can have been given a token
    token = authorization[len(_BEARER) :].strip()
    try:
        claims = jwt.decode(
            token,
            keys[-1].secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["exp", "sub", "aud"]},
        )
        _require_one_spelling(token)
        return AccessToken(decoding.identifier(claims, "sub"), int(claims["exp"]), token)
    except (jwt.InvalidTokenError, Refused):
        raise Refused("access_token_invalid") from None


def _require_one_spelling(token: str) -> None:
    """A token is known again by its text, and its signature could be written in several ways: one of them counts."""
    signature = token.rpartition(".")[2]
    if base64url_encode(base64url_decode(signature)).decode() != signature:
        raise Refused("access_token_invalid")
