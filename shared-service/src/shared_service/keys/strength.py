"""Which secrets are good enough outside demo mode. No sentence shows a secret."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from typing import Final

from shared_signing.canonical import DEFAULT_KEY_ID
from shared_signing.keys import Key, hmac_equivalent

SECRET_MIN_BYTES: Final = 32
UNKNOWN_PART_MIN_BYTES: Final = 16
"""What a secret must have besides well-known ones."""
PERIOD_MAX_BYTES: Final = 16
ENTROPY_MIN_BITS: Final = 64
"""A random secret of 32 hex digits has about 110; one letter and a few others far less."""

# The published secrets of demo mode are the name of a service and `-secret`.
_WELL_KNOWN: Final = re.compile(rb"(?:[a-z]{1,16}-)?secret|change-?me|password|test")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")

NamedSecret = tuple[str, bytes]
"""The setting that holds a secret, and the secret."""


def secret_problems(secrets: Iterable[NamedSecret], *, strict: bool = True) -> list[str]:
    """What is wrong with the secrets of one service, as sentences that name the settings; empty when all is well.

    Every secret has one purpose: two that HMAC takes for the same are refused in demo mode (not `strict`), too.
    """
    named = list(secrets)
    problems = [f"{name} {why}" for name, secret in named if strict and (why := weakness(secret)) is not None]
    return problems + [
        f"{one} and {other} must differ: every secret has one purpose"
        for (one, secret), (other, same) in combinations(named, 2)
        if hmac_equivalent(secret) == hmac_equivalent(same)
    ]


def weakness(secret: str | bytes) -> str | None:
    """Why a secret is too weak, to follow its name in a sentence; None for one that is not."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    rest = _WELL_KNOWN.sub(b"", raw.lower())
    if not raw.strip():
        return "is blank"
    if not rest:
        return "is a well-known secret"
    if len(raw) < SECRET_MIN_BYTES:
        return f"is shorter than {SECRET_MIN_BYTES} bytes"
    if _CONTROL.search(raw) is not None:
        return "has a line end, a NUL or another control character in it"
    if len(rest) < UNKNOWN_PART_MIN_BYTES:
        return "consists of well-known secrets"
    return "repeats a few characters" if _repeats(raw) else None


def named_keys(side: str, keys: Iterable[Key], *, file: bool = False) -> list[NamedSecret]:
    """The secrets of one ring under the settings that hold them: `<side>_SECRET`, `<side>_KEYS` or its file."""
    source = f"{side}_KEYS_FILE" if file else f"{side}_KEYS"
    return [
        (f"{side}_SECRET" if key.key_id == DEFAULT_KEY_ID else f"{source}, key {key.key_id},", key.secret)
        for key in keys
    ]


def _repeats(raw: bytes) -> bool:
    """Whether it is a short text again and again, or has so few different characters that it can be guessed."""
    if any(raw[period:] == raw[:-period] for period in range(1, PERIOD_MAX_BYTES + 1)):
        return True
    size = len(raw)
    return sum(count * math.log2(size / count) for count in Counter(raw).values()) < ENTROPY_MIN_BITS
