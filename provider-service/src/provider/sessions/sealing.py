"""Seals session tokens, so that none stands in clear in a table.

Owns the keys and the encryption. It must never log or return a key, never store what it opened, and never forget a
secret while it runs: a token that was sealed with one must open for as long as its round may need it.
"""

import base64
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared_signing.keys import Key

KEY_BYTES: Final = 32
PURPOSE: Final = b"provider: session tokens, 1"
SECRETS_MAX: Final = 256
"""Most secrets that are remembered; the ones that were learned first and are configured no more go first."""


class SealBroken(Exception):  # noqa: N818 - a state, named as the others are
    """What was sealed cannot be opened: it was sealed with a secret that is configured no more, or altered."""


def sealing_order(keys: Sequence[Key], sealing_key: str | None, *, now: float) -> tuple[bytes, ...]:
    """The secrets from which seals are made; the last one seals: the sealing key, or else the oldest live key.

    Not the newest key: while it is rolled out, a process that does not have it yet could not open what another sealed.
    """
    newest_first = keys[::-1]
    ended = [key.secret for key in newest_first if not key.is_live(now)]
    live = [key.secret for key in newest_first if key.is_live(now)]
    return (*ended, *live, *([sealing_key.encode()] if sealing_key else []))


class Sealer:
    """Seals with the last secret that it learned and opens with every one."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._known: dict[bytes, Fernet] = {}
        self.learn(secrets)

    def learn(self, secrets: Sequence[bytes]) -> None:
        """Seal with the last of these from now on, and open with all of them as well as with what was known before."""
        for secret in secrets:
            known = self._known.pop(secret) if secret in self._known else _fernet(secret)
            self._known[secret] = known  # the last one now
        for forgotten in list(self._known)[: max(0, len(self._known) - SECRETS_MAX)]:
            del self._known[forgotten]
        self._fernet = MultiFernet(list(reversed(self._known.values())))

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
