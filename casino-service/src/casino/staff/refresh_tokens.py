"""Refresh tokens of staff: an HMAC of a family and a number, so that a successor can be answered again unstored."""

from __future__ import annotations

import base64
import hmac
import re
from typing import Final

from casino.api.pepper import mac

_PURPOSE: Final = "refresh token of staff"
_FORM: Final = re.compile(r"rt_([0-9a-f-]{36})\.([1-9][0-9]{0,8})\.([0-9A-Za-z_-]{43})", re.ASCII)


def refresh_token(pepper: bytes, family_id: str, number: int) -> str:
    """Returns the token with this number."""
    return f"rt_{family_id}.{number}.{_signature(pepper, family_id, number)}"


def read(pepper: bytes, token: str) -> tuple[str, int] | None:
    """Returns the family and the number of a token that this pepper made, or None."""
    parts = _FORM.fullmatch(token)
    if parts is None:
        return None
    family_id, number = parts[1], int(parts[2])
    return (family_id, number) if hmac.compare_digest(parts[3], _signature(pepper, family_id, number)) else None


def _signature(pepper: bytes, family_id: str, number: int) -> str:
    return base64.urlsafe_b64encode(mac(pepper, _PURPOSE, f"{family_id}.{number}")).rstrip(b"=").decode()
