"""Verifies a player's access token, which identifies the player outside demo mode.

A token is a JWT (RFC 7519) with the algorithm HS256 in one strict form. Other forms that JWT libraries accept are
refused: times as floats, repeated members, padding. The header only chooses the key, by its id.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from casino.errors import Refused
from shared_service.http import decoding
from shared_signing.canonical import DEFAULT_KEY_ID
from shared_signing.keys import Key

ALGORITHM: Final = "HS256"
AUDIENCE: Final = "casino-player"
HEADER_MAX_CHARACTERS: Final = 4_096
LIFE_MAX_SECONDS: Final = 86_400
CLOCK_TOLERANCE_SECONDS: Final = 60
"""How far an issuer's clock may be off. The same as for a signer's clock."""
LATEST_SECONDS: Final = 4_102_444_800
"""The year 2100. Later times are a mistake, and Postgres cannot store all of them."""

_SCHEME: Final = re.compile(r"bearer(?: |$)", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"bearer +([0-9a-z_-]+)\.([0-9a-z_-]+)\.([0-9a-z_-]{43})", re.IGNORECASE | re.ASCII)
_CHANGES_MEANING: Final = frozenset({"crit", "b64", "cty", "zip", "enc"})


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A valid token. Times are in unix seconds."""

    player_id: str
    issued_at: int
    """Revocations are compared with it: `revocable_at`, the database's time in the platform's tokens, else `iat`."""
    expires_at: int
    token: str = field(repr=False)
    family: str | None = None
    """The claim `fam`: the login that a staff member's token comes from."""


class _Unfit(Exception):  # noqa: N818 - a decision, not a defect
    """The token is invalid. The text is a fixed word for the log."""


def read_access_token(
    authorization: str | None,
    keys: Sequence[Key],
    *,
    audience: str = AUDIENCE,
    clock: Callable[[], float] = time.time,
) -> AccessToken:
    """The valid token in an authorization header. Raises Refused(access_token_missing or access_token_invalid)."""
    if authorization is None or _SCHEME.match(authorization) is None:
        raise Refused("access_token_missing")
    try:
        return _verified(authorization, keys, audience, now=clock())
    except _Unfit as unfit:
        raise Refused("access_token_invalid", why=str(unfit)) from None


def _verified(authorization: str, keys: Sequence[Key], audience: str, *, now: float) -> AccessToken:
    if len(authorization) > HEADER_MAX_CHARACTERS:
        raise _Unfit("too_long")
    parts = _CREDENTIALS.fullmatch(authorization)
    if parts is None:
        raise _Unfit("malformed")
    header, claims, signature = parts.groups()
    key = _key_of(_json(header), keys, now)
    # The encoded texts are compared: the same signature in another encoding is refused.
    expected = base64.urlsafe_b64encode(bytes.fromhex(key.mac(f"{header}.{claims}".encode()))).rstrip(b"=")
    if not hmac.compare_digest(expected, signature.encode()):
        raise _Unfit("bad_signature")
    return _judged(_json(claims), audience, f"{header}.{claims}.{signature}", now=int(now))


def _key_of(header: dict[str, Any], keys: Sequence[Key], now: float) -> Key:
    """Returns the live key that the header names. Raises _Unfit."""
    if header.get("alg") != ALGORITHM:
        raise _Unfit("other_algorithm")
    if not _CHANGES_MEANING.isdisjoint(header):
        raise _Unfit("extension")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.upper() != "JWT":
        raise _Unfit("other_type")
    key_id = header.get("kid", DEFAULT_KEY_ID)
    for key in keys:
        if key.key_id == key_id and key.is_live(now):
            return key
    raise _Unfit("unknown_key")


def _judged(claims: dict[str, Any], wanted: str, token: str, *, now: int) -> AccessToken:
    """Returns the token with these claims, whose signature is verified. Raises _Unfit."""
    audience = claims.get("aud")
    if audience != wanted and not (isinstance(audience, list) and wanted in audience):
        raise _Unfit("other_audience")
    issued_at, ends_at, begins_at = (_moment(claims, name) for name in ("iat", "exp", "nbf"))
    revocable_at = _moment(claims, "revocable_at")
    if issued_at is None or ends_at is None:
        raise _Unfit("time_missing")
    if not 0 < ends_at - issued_at <= LIFE_MAX_SECONDS:
        raise _Unfit("lives_too_long" if ends_at > issued_at else "ends_before_it_begins")
    if now - ends_at > CLOCK_TOLERANCE_SECONDS:
        raise _Unfit("expired")
    if max(issued_at, begins_at or 0) - now > CLOCK_TOLERANCE_SECONDS:
        raise _Unfit("not_valid_yet")
    player_id = claims.get("sub")
    if not isinstance(player_id, str):
        raise _Unfit("player")
    try:
        player_id = decoding.identifier(claims, "sub")
        family = decoding.optional_identifier(claims, "fam")
    except Refused:
        raise _Unfit("player") from None
    return AccessToken(player_id, issued_at if revocable_at is None else revocable_at, ends_at, token, family)


def _moment(claims: dict[str, Any], name: str) -> int | None:
    """A time in whole unix seconds; None when it is absent. True, 1e9 and "1700000000" are refused."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is not int or not 0 <= value <= LATEST_SECONDS:
        raise _Unfit("time")
    return value


def _json(part: str) -> dict[str, Any]:
    """Decodes a part of the token. Raises _Unfit."""
    try:
        return decoding.decode_object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, Refused):
        raise _Unfit("malformed") from None
