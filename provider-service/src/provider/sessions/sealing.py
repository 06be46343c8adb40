"""Seals session tokens, so that none stands in clear in a table.

Owns the keys and the encryption. It must never log or return a key, and never store what it opened.
"""

import base64
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
PURPOSE: Final = b"provider: session tokens, 1"


class SealBroken(Exception):  # noqa: N818 - a state, named as the others are
    """What was sealed cannot be opened: it was sealed with a secret that is configured no more, or altered."""


class Sealer:
    """Seals with the newest secret and opens with every one."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._fernet = MultiFernet([_fernet(secret) for secret in reversed(secrets)])

    def seal(self, token: str) -> bytes:
        """The token, encrypted and authenticated."""
        return self._fernet.encrypt(token.encode())

    def open(self, sealed: bytes) -> str:
        """The token. Raises `SealBroken`."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise SealBroken from None


def _fernet(secret: bytes) -> Fernet:
    # A key of its own for this purpose: the same bytes never both sign and encrypt.
    key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=PURPOSE).derive(secret)
    return Fernet(base64.urlsafe_b64encode(key))
