"""Reads amounts: integers in the currency's minor unit. Answers have balances as decimal strings, never floats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from casino.errors import ERRORS, Refused
from casino.peers.entries import AMOUNT_MAX_MINOR

__all__ = ["AMOUNT_MAX_MINOR", "CURRENCY", "decimals_of", "is_amount", "read_amount"]

CURRENCY: Final = re.compile("[A-Z0-9]{3,8}")
_OTHER_DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(), 0),  # noqa: SIM905 - ISO 4217
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    "BTC": 8,
}


def decimals_of(currency: str) -> int:
    """Returns how many decimals a currency's unit has: 2, but for JPY 0, KWD 3, BTC 8 and others like them."""
    return _OTHER_DECIMALS.get(currency, 2)


def is_amount(value: object, *, least: int) -> bool:
    """Returns whether a decoded JSON value is an amount of at least `least`: an integer, not a boolean."""
    return type(value) is int and least <= value <= AMOUNT_MAX_MINOR


def read_amount(content: Mapping[str, Any], *, least: int) -> int:
    """Returns the required member `amount`, in minor units.

    Raises Refused(bad_amount) for a value below `least` or not an amount, Refused(invalid_field) when it is absent.
    """
    if "amount" not in content:
        raise Refused("invalid_field", field="amount")
    value = content["amount"]
    if not is_amount(value, least=least):
        raise Refused("bad_amount", sentence=f"{ERRORS['bad_amount'].sentence}: {least} to {AMOUNT_MAX_MINOR}")
    return int(value)
