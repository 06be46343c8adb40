"""The games of this studio and their stakes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Game:
    """One game, with its smallest and largest stake in minor units."""

    code: str
    bet_min_minor: int
    bet_max_minor: int


GAMES: Final[Mapping[str, Game]] = MappingProxyType(
    {
        code: Game(code, bet_min_minor=1000, bet_max_minor=100_000)
        for code in ("SLOTS_001", "SLOTS_002", "CRASH_001", "CRASH_002")
    }
)
