"""Money on the wire: integers in the currency's minor unit come in, decimal strings go out. No float touches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from casino.errors import ERRORS, Refused

AMOUNT_MAX_MINOR: Final = 9_007_199_254_740_991
"""The largest integer that every JSON implementation holds exactly (2^53 - 1)."""


def is_amount(value: object, *, least: int) -> bool:
    """Whether a decoded JSON value is an amount from `least` on: an integer, and not one of Python's booleans."""
    return type(value) is int and least <= value <= AMOUNT_MAX_MINOR


def read_amount(content: Mapping[str, Any], *, least: int) -> int:
    """The required member `amount` in minor units, from `least` on.

    Raises Refused(bad_amount), or Refused(invalid_field) when it is absent.
    """
    if "amount" not in content:
        raise Refused("invalid_field", field="amount")
    value = content["amount"]
    if not is_amount(value, least=least):
        raise Refused("bad_amount", sentence=f"{ERRORS['bad_amount'].sentence}: {least} to {AMOUNT_MAX_MINOR}")
    return int(value)
