"""Finds secrets that are too weak for use outside demo mode. No text shows a secret."""

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
"""The least length of a secret without the well-known secrets in it."""
PERIOD_MAX_BYTES: Final = 16
ENTROPY_MIN_BITS: Final = 64
"""A random secret of 32 hex digits has about 110 bits; a repeated letter with a few others has far fewer."""

# The published secrets of demo mode are the name of a service and `-secret`.
_WELL_KNOWN: Final = re.compile(rb"(?:[a-z]{1,16}-)?secret|change-?me|password|test")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")

NamedSecret = tuple[str, bytes]
"""The setting that holds a secret, and the secret."""


def secret_problems(secrets: Iterable[NamedSecret], *, strict: bool = True) -> list[str]:
    """Returns the problems of a service's secrets, as sentences that name the settings.

    Weak secrets are problems only if `strict`, that is outside demo mode. Two secrets that are the same for HMAC are
    always a problem.
    """
    named = list(secrets)
    problems = [f"{name} {why}" for name, secret in named if strict and (why := weakness(secret)) is not None]
    same: dict[bytes, list[str]] = {}
    for name, secret in named:
        same.setdefault(hmac_equivalent(secret), []).append(name)
    return problems + [
        f"{one} and {other} must differ: every secret has one purpose"
        for names in same.values()
        for one, other in combinations(names, 2)
    ]


def weakness(secret: str | bytes) -> str | None:
    """Returns why a secret is too weak, in words that follow its name in a sentence, or None."""
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
    """Returns the secrets of one ring, each with the name of its setting: `<side>_SECRET`, `<side>_KEYS[_FILE]`."""
    source = f"{side}_KEYS_FILE" if file else f"{side}_KEYS"
    return [
        (f"{side}_SECRET" if key.key_id == DEFAULT_KEY_ID else f"{source}, key {key.key_id},", key.secret)
        for key in keys
    ]


def _repeats(raw: bytes) -> bool:
    """Returns whether a short text repeats, or there are so few different characters that it can be guessed."""
    if any(raw[period:] == raw[:-period] for period in range(1, PERIOD_MAX_BYTES + 1)):
        return True
    size = len(raw)
    return sum(count * math.log2(size / count) for count in Counter(raw).values()) < ENTROPY_MIN_BITS
