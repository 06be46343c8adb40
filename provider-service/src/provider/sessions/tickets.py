"""One-time launch codes and play tokens: 43 characters that this studio made, which it knows without a database.

A ticket is 16 random bytes and a MAC that names its purpose. Tables hold its SHA-256.
"""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

from provider.settings import Settings

LAUNCH_CODE: Final = b"launch code"
PLAY_TOKEN: Final = b"play token"
DEMO_TOKEN: Final = b"demo token"
CHANNEL: Final = b"channel"
RANDOM_BYTES: Final = 16
TICKET: Final = re.compile(r"[0-9A-Za-z_-]{43}")
_PURPOSE: Final = b"provider: tickets, 1"


class Tickets:
    """Makes and recognises tickets."""

    def __init__(self, settings: Settings) -> None:
        self._key = hmac.digest(settings.seeds_key, _PURPOSE, "sha256")

    def make(self, purpose: bytes) -> str:
        """A new ticket."""
        random = secrets.token_bytes(RANDOM_BYTES)
        return _text(random + self._mac(purpose, random))

    def is_ours(self, purpose: bytes, ticket: str) -> bool:
        """Whether this studio made the ticket for this purpose. A forged one costs no look into the database."""
        if TICKET.fullmatch(ticket) is None:
            return False
        content = base64.urlsafe_b64decode(ticket + "=")
        return hmac.compare_digest(content[RANDOM_BYTES:], self._mac(purpose, content[:RANDOM_BYTES]))

    def channel_of(self, *parts: str) -> str:
        """The id that all tabs of these parts share. It tells nothing about them."""
        return _text(hmac.digest(self._key, CHANNEL + "\n".join(parts).encode(), "sha256"))

    def _mac(self, purpose: bytes, random: bytes) -> bytes:
        return hmac.digest(self._key, purpose + random, "sha256")[:RANDOM_BYTES]


def ticket_hash(ticket: str) -> str:
    """What a table holds of a ticket."""
    return hashlib.sha256(ticket.encode()).hexdigest()


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
