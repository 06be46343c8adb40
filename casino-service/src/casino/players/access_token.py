"""The player's access token: who is calling, outside demo mode. Owns its verification; it never issues one."""

from __future__ import annotations

from typing import Final

import jwt

from casino import decoding
from casino.errors import Refused

ALGORITHM: Final = "HS256"
AUDIENCE: Final = "casino-player"
_BEARER: Final = "bearer "


def player_of(authorization: str | None, secret: str | None) -> str:
    """The player id (`sub`) of a valid token. Raises Refused(access_token_missing or access_token_invalid)."""
    if authorization is None or not authorization.lower().startswith(_BEARER):
        raise Refused("access_token_missing")
    if secret is None:
        raise Refused("access_token_invalid")  # no secret is configured: nobody can have been given a token
    try:
        claims = jwt.decode(
            authorization[len(_BEARER) :].strip(),
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["exp", "sub", "aud"]},
        )
    except jwt.InvalidTokenError:
        raise Refused("access_token_invalid") from None
    try:
        return decoding.identifier(claims, "sub")
    except Refused:
        raise Refused("access_token_invalid") from None
