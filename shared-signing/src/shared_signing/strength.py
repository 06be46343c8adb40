"""Which secrets are good enough for real money.

This file owns the rules that hold outside demo mode, at start-up and for keys that come at run time alike. It must
never show a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared_signing.keys import Key, KeyConfigurationError, hmac_equivalent

SECRET_MIN_BYTES: Final = 32
WELL_KNOWN_SECRETS: Final = frozenset(
    {"casino-secret", "provider-secret", "change-me", "changeme", "secret", "password", "test"}
)


def weakness(secret: str | bytes) -> str | None:
    """Why a secret is too weak, to follow its name in a sentence; None for one that is not."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    if raw in {known.encode() for known in WELL_KNOWN_SECRETS}:
        return "is a well-known secret"
    return f"is shorter than {SECRET_MIN_BYTES} bytes" if len(raw) < SECRET_MIN_BYTES else None


def share_a_secret(some: Iterable[Key], others: Iterable[Key]) -> bool:
    """Whether a secret of one direction serves the other too: then one side could speak for the other."""
    return not {hmac_equivalent(key.secret) for key in some}.isdisjoint(hmac_equivalent(key.secret) for key in others)


def require_strong(keys: Iterable[Key]) -> None:
    """Raises `KeyConfigurationError` for the first key whose secret is too weak."""
    for key in keys:
        if (why := weakness(key.secret)) is not None:
            raise KeyConfigurationError(f"key {key.key_id} {why}")
