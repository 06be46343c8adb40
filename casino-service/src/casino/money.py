"""Money on the wire: integers in the currency's minor unit come in, decimal strings go out. No float touches it."""

from __future__ import annotations

from typing import Final

AMOUNT_MAX_MINOR: Final = 9_007_199_254_740_991
"""The largest integer that every JSON implementation holds exactly (2^53 - 1)."""


def is_amount(value: object, *, least: int) -> bool:
    """Whether a decoded JSON value is an amount from `least` on: an integer, and not one of Python's booleans."""
    return type(value) is int and least <= value <= AMOUNT_MAX_MINOR
