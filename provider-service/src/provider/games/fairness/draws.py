"""Draws random numbers that anybody can compute again once the server seed is revealed (docs/fairness.md).

The server seed is the studio's and secret until it is rotated, the client seed is the player's, the counter numbers
the draws of a server seed.
"""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Final, Protocol

SEED_BYTES: Final = 32
WORD_BYTES: Final = 4
WORDS: Final = 2 ** (8 * WORD_BYTES)


class Source(Protocol):
    """A source of random numbers."""

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1, each with the same probability."""


class SeededSource:
    """The numbers that belong to a server seed, a client seed and a counter.

        SeededSource(bytes([0x33]) * 32, "lucky", 0).below(22)  # 12

    Each HMAC gives eight words of 32 bits. Words are used in order, none twice.
    """

    def __init__(self, server_seed: bytes, client_seed: str, counter: int) -> None:
        if len(server_seed) != SEED_BYTES:
            raise ValueError("a server seed has 32 bytes")
        self._words = _words(server_seed, f"{client_seed}:{counter}")

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1. A word is rejected when it would make small numbers more probable."""
        if not 0 < bound <= WORDS:
            raise ValueError("a bound is a positive number of at most 32 bits")
        accepted_below = bound * (WORDS // bound)
        return next(word for word in self._words if word < accepted_below) % bound


def seed_hash(server_seed: bytes) -> str:
    """The SHA-256 of a server seed, which is known before the seed is used."""
    return hashlib.sha256(server_seed).hexdigest()


def commitment(server_seed_hash: str, client_seed: str, counter: int) -> str:
    """What fixes a draw before it is made: a SHA-256 that names the seeds and the counter."""
    return hashlib.sha256(f"{server_seed_hash}:{client_seed}:{counter}".encode("ascii")).hexdigest()


def _words(server_seed: bytes, name: str) -> Iterator[int]:
    block = 0
    while True:
        digest = hmac.digest(server_seed, f"{name}:{block}".encode("ascii"), "sha256")
        for start in range(0, len(digest), WORD_BYTES):
            yield int.from_bytes(digest[start : start + WORD_BYTES], "big")
        block += 1
