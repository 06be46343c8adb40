"""The session token: 32 random bytes in hex. Given to the client and the provider, stored only as a hash."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Final

SESSION_TOKEN_BYTES: Final = 32


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_hex(SESSION_TOKEN_BYTES)


def token_hash(session_token: str) -> str:
    """How a token is stored and looked up: the hex SHA-256 of its characters."""
    return sha256(session_token.encode()).hexdigest()
