"""Codes and PINs that people type: makes them, reads them in any spelling, and hashes them for the database."""

from __future__ import annotations

import secrets
from typing import Final

from casino.api.pepper import mac

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no I, L, O and U."""
VOUCHER_CODE_CHARACTERS: Final = 16
LOGIN_CODE_CHARACTERS: Final = 10
PIN_DIGITS: Final = 6
VOUCHER: Final = "voucher"
LOGIN: Final = "player login"
_GROUP: Final = 4
_SPELLINGS: Final = str.maketrans("OIL", "011", "- ")


def new_code(characters: int) -> str:
    """Returns a code without hyphens."""
    return "".join(secrets.choice(ALPHABET) for _ in range(characters))


def new_pin() -> str:
    """Returns six digits."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"


def shown(code: str) -> str:
    """Returns a code in groups of four, as people read it: `ABCD-2345-…`."""
    return "-".join(code[place : place + _GROUP] for place in range(0, len(code), _GROUP))


def plain(code: str) -> str:
    """Returns a code as it was made, whatever case, hyphens and look-alikes somebody typed."""
    return code.strip().upper().translate(_SPELLINGS)


def code_mac(pepper: bytes, purpose: str, code: str) -> bytes:
    """Returns the HMAC by which a code is found. `purpose` is VOUCHER or LOGIN."""
    return mac(pepper, f"{purpose} code", plain(code))


def pin_mac(pepper: bytes, purpose: str, code: str, pin: str) -> bytes:
    """Returns the HMAC of a PIN, which is bound to its code."""
    return mac(pepper, f"{purpose} pin", f"{plain(code)}\n{pin}")
