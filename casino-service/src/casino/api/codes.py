"""Codes and PINs that people type: how they are made, read, and stored as HMACs under the pepper."""

from __future__ import annotations

import secrets
from typing import Final

from casino.api.pepper import mac

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32."""
LOGIN_CODE_CHARACTERS: Final = 10
PIN_DIGITS: Final = 6
TYPED_MAX_CHARACTERS: Final = 64
"""Longer input is no code and no PIN."""
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def new_code(characters: int) -> str:
    """Returns a random code of the alphabet."""
    return "".join(secrets.choice(ALPHABET) for _ in range(characters))


def new_pin() -> str:
    """Returns a random PIN of six digits."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"


def read_code(typed: str) -> str:
    """Returns a code as it was made: case, hyphens and spaces do not matter, nor letters that look like digits."""
    return typed.upper().translate(_READ_AS)


def login_code_mac(pepper: bytes, typed: str) -> bytes:
    """Returns what casino.players has as login_code_mac."""
    return mac(pepper, "login code", read_code(typed))


def player_pin_mac(pepper: bytes, typed_code: str, pin: str) -> bytes:
    """Returns what casino.players has as pin_mac: of the PIN with its login code."""
    return mac(pepper, "player pin", f"{read_code(typed_code)} {pin}")
