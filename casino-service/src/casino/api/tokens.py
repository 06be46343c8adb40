"""Gives out and reads access tokens: JWTs with HS256, for staff and for players."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from casino.client.access_token import ALGORITHM, AUDIENCE, AccessToken, read_access_token
from casino.errors import Refused as RefusedByClientEdge
from shared_service.http.errors import Refused
from shared_signing.keys import Key

PLAYERS: Final = AUDIENCE
STAFF: Final = "casino-staff"
STAFF_LIFE_SECONDS: Final = 15 * 60
PLAYER_LIFE_SECONDS: Final = 12 * 3600
_encode = msgspec.json.Encoder().encode


def issue(
    keys: Sequence[Key], audience: str, subject: str, *, revocable_at: int | None = None, family: str | None = None
) -> str:
    """Returns a token of the newest live key, issued now.

    `revocable_at`: the database's time in unix seconds, which revocations of a player's tokens are compared with. Only
    the token's end is judged by this process's clock.
    """
    now = int(time.time())
    life_seconds = STAFF_LIFE_SECONDS if audience == STAFF else PLAYER_LIFE_SECONDS
    key = [key for key in keys if key.is_live(time.time())][-1]
    claims: dict[str, Any] = {"aud": audience, "sub": subject, "iat": now, "exp": now + life_seconds}
    if family is not None:
        claims["fam"] = family
    if revocable_at is not None:
        claims["revocable_at"] = revocable_at
    signed = ".".join(_part(_encode(each)) for each in ({"alg": ALGORITHM, "typ": "JWT", "kid": key.key_id}, claims))
    return f"{signed}.{_part(bytes.fromhex(key.mac(signed.encode())))}"


def read(authorization: str | None, keys: Sequence[Key], audience: str) -> AccessToken:
    """The valid token in an authorization header. Raises Refused: TOKEN_MISSING or TOKEN_INVALID."""
    try:
        return read_access_token(authorization, keys, audience=audience)
    except RefusedByClientEdge as refused:
        missing = refused.code == "access_token_missing"
        raise Refused("TOKEN_MISSING" if missing else "TOKEN_INVALID", why=refused.why) from None


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
