"""Shows and reads amounts: an integer of the smallest units as a decimal number, exact for every integer.

shown(123456, 2)  # "1,234.56"
read("1,234.5", 2)  # 123450
"""

from __future__ import annotations

import re
from typing import Final

MINUS: Final = "\u2212"
"""A real minus sign: as wide as a digit, and not broken from its number."""
DIGITS_MAX: Final = 30
_NUMBER: Final = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?", re.ASCII)


def shown(units: int, decimals: int, *, plus: bool = False) -> str:
    """Returns the text of an amount. With `plus` one above 0 has a sign, too."""
    digits = str(abs(units)).rjust(decimals + 1, "0")
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    sign = MINUS if units < 0 else "+" if plus and units > 0 else ""
    return f"{sign}{int(whole):,}{'.' if part else ''}{part}"


def read(text: str, decimals: int) -> int | None:
    """Returns the smallest units that somebody typed, or None for what is no amount or has too many decimals."""
    found = _NUMBER.fullmatch(text.strip()) if len(text) <= DIGITS_MAX else None
    if found is None:
        return None
    whole, part = found[1].replace(",", ""), found[2] or ""
    if len(part) > decimals:
        return None
    return int(whole + part.ljust(decimals, "0"))
