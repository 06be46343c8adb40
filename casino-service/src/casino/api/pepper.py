"""Keyed hashes and seals under the pepper, so that a copy of the database shows no code, PIN or key."""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

SEAL_BYTES: Final = 32


class SealBroken(Exception):  # noqa: N818 - a state
    """A seal cannot be opened with this pepper and this key."""


def mac(pepper: bytes, purpose: str, text: str) -> bytes:
    """Returns the HMAC-SHA256 of a text for one purpose. 32 bytes."""
    return hmac.digest(pepper, f"{purpose}\n{text}".encode(), sha256)


def seal(pepper: bytes, purpose: str, key: str, content: bytes) -> bytes:
    """Encrypts and authenticates. Whoever opens it needs the pepper and `key`, which the database does not hold."""
    return _fernet(pepper, purpose, key).encrypt(content)


def unseal(pepper: bytes, purpose: str, key: str, sealed: bytes) -> bytes:
    """Opens what `seal` made. Raises SealBroken."""
    try:
        return _fernet(pepper, purpose, key).decrypt(sealed)
    except InvalidToken:
        raise SealBroken from None


def _fernet(pepper: bytes, purpose: str, key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(mac(pepper, f"seal of {purpose}", key)[:SEAL_BYTES]))
