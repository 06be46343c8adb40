"""The games of the demo data, of two studios that no service calls: how often they pay, and how much.

One of them pays less than its studio says, so that a report has something to find.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

MIN_STAKE_MINOR: Final = 10
MAX_STAKE_MINOR: Final = 50_000
STEADY_X100: Final = 5_000
MAX_WIN_MINOR: Final = 20_000_000
STUDIOS: Final = ("northstar", "lagoon")


@dataclass(frozen=True, slots=True)
class Game:
    """`pays` are the multiples of the stake (x100) and how often each comes in a million rounds."""

    studio: str
    code: str
    name: str
    stated_rtp: Decimal
    popularity: int
    pays: tuple[tuple[int, int], ...]

    def rtp(self) -> float:
        """What comes back of each stake in the long run."""
        return sum(x100 * often for x100, often in self.pays) / 100 / 1_000_000

    def is_steady(self) -> bool:
        """Whether its wins are rather small."""
        return self.pays[-1][0] <= STEADY_X100

    def draw(self, numbers: random.Random, stake_minor: int) -> int:
        """Returns what one round pays."""
        drawn = numbers.randrange(1_000_000)
        for x100, often in self.pays:
            if drawn < often:
                return stake_minor * x100 // 100
            drawn -= often
        return 0


GAMES: Final = (
    Game("northstar", "ORCHARD", "Orchard", Decimal("0.955"), 34, (
        (50, 170_000), (100, 150_000), (200, 110_000), (400, 50_000), (1_000, 18_000), (2_000, 6_000),
    )),
    Game("northstar", "DEEP_TREASURE", "Deep treasure", Decimal("0.945"), 20, (
        (40, 100_000), (100, 70_000), (300, 50_000), (1_000, 18_000), (4_000, 3_500), (25_000, 1_460),
    )),
    Game("northstar", "COIN_RUSH", "Coin rush", Decimal("0.96"), 24, (
        (100, 200_000), (200, 120_000), (500, 50_000), (2_000, 8_000), (5_000, 2_200),
    )),
    Game("lagoon", "ROCKET_RUN", "Rocket run", Decimal("0.97"), 14, ((200, 485_000),)),
    Game("lagoon", "HARBOR_GOLD", "Harbor gold", Decimal("0.96"), 8, (
        (100, 180_000), (200, 110_000), (500, 40_000), (2_000, 7_000), (10_000, 1_000),
    )),
)  # fmt: skip


def games_of(studio: str) -> list[dict[str, Any]]:
    """A studio's games as the file of providers has them (casino.take_games)."""
    return [
        {
            "providerId": studio, "gameId": game.code, "gameCode": game.code, "name": game.name,
            "minBet": MIN_STAKE_MINOR, "maxBet": MAX_STAKE_MINOR, "maxWin": MAX_WIN_MINOR, "twoParty": False,
        }
        for game in GAMES
        if game.studio == studio
    ]  # fmt: skip


def stated_by(studio: str) -> list[dict[str, Any]]:
    """What a studio says of its games (casino.note_provider_games)."""
    return [
        {"gameCode": game.code, "name": game.name, "expectedRtp": float(game.stated_rtp), "maxWinMinor": MAX_WIN_MINOR}
        for game in GAMES
        if game.studio == studio
    ]
