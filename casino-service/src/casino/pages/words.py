"""How pages say amounts, shares and times: the filters of templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from casino.money import decimals_of
from shared_service.pages import amounts


def units(minor: int, currency: str, plus: bool = False) -> str:
    return amounts.shown(minor, decimals_of(currency), plus=plus)


def percent(fraction: str) -> str:
    return f"{Decimal(fraction) * 100:.2f} %"


def basis_points(value: int) -> str:
    """Basis points as a percentage without more decimals than it needs."""
    return f"{Decimal(value) / 100:f} %"


def duration(seconds: int) -> str:
    """A time of play, in minutes from the second one on."""
    hours, minutes = divmod(seconds // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else "less than a minute"


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "decimals": decimals_of,
    "units": units,
    "percent": percent,
    "basis_points": basis_points,
    "duration": duration,
}
