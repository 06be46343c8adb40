"""Access tokens as an operator's login would give them out, made by a JWT library, and pieces of such that no library
makes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt

SECRET = "an access token secret that is long enough for every algorithm of the family"


def claims(**changes: Any) -> dict[str, Any]:
    """Claims that hold; None takes one away."""
    now = int(time.time())
    given = {"sub": "1", "aud": "casino-player", "iat": now, "exp": now + 300, **changes}
    return {name: value for name, value in given.items() if value is not None}


def token(
    *, secret: str = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A token of these claims."""
    return jwt.encode(claims(**changes), secret, algorithm=algorithm, headers=headers)


def part(raw: bytes) -> str:
    """One part of a token."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw_token(header: bytes | dict[str, Any], body: bytes | dict[str, Any], *, secret: str = SECRET) -> str:
    """Signed over these very bytes."""
    texts = (each if isinstance(each, bytes) else json.dumps(each).encode() for each in (header, body))
    signed = ".".join(part(text) for text in texts)
    return f"{signed}.{part(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"
