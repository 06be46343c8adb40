"""The players of the demo data: how often they come, how high and how long they play."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from casino.api import codes
from casino.ops.demo_data.games import GAMES, MIN_STAKE_MINOR, Game
from casino.ops.demo_data.world import Agent

STAKES_MINOR: Final = (
    10, 20, 25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 7_500,
    10_000, 15_000, 20_000,
)  # fmt: skip
TILTING: Final = 0.04
"""How many chase their losses: fast, and with higher stakes."""


@dataclass(frozen=True, slots=True)
class Habit:
    """`often`: the weight with which somebody comes; `stays_days`: after how many days half of them are gone."""

    name: str
    share: float
    often: float
    stays_days: float
    spins: tuple[int, int]
    stake_minor: tuple[int, int]
    voucher_minor: tuple[int, ...]
    deposit_minor: tuple[int, ...]
    pays_again: float


HABITS: Final = (
    Habit("casual", 0.70, 1.0, 6.0, (35, 85), (10, 200), (2_000, 3_000, 5_000), (2_000, 3_000, 5_000), 0.35),
    Habit("regular", 0.26, 2.5, 30.0, (50, 110), (50, 1_000), (5_000, 10_000), (5_000, 10_000, 20_000), 0.6),
    Habit("whale", 0.04, 3.0, 60.0, (60, 120), (500, 5_000), (20_000,), (100_000, 200_000, 400_000), 0.8),
)


@dataclass(slots=True)
class Person:
    """A player. `left_on`: the day after which this one does not come back."""

    player_id: str
    login_code: str
    pin: str
    address: str
    agent: Agent
    habit: Habit
    games: tuple[Game, ...]
    tilts: bool
    joined_on: int
    left_on: float
    is_member: bool = False
    """Redeemed a voucher, so there is an account."""
    is_closed: bool = False
    balance_minor: int = 0
    visits: int = 0
    excluded_until_day: float = -1.0
    wish: tuple[str, int] | None = None
    """A higher limit that waits for its confirmation, and from which day on."""
    sessions: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The open game session of each game: its id and its token."""

    def may_come(self, day: int) -> bool:
        """Whether this player comes to play on a day, numbered from the first."""
        return not self.is_closed and self.joined_on <= day <= self.left_on and day >= self.excluded_until_day

    def stake(self, numbers: random.Random) -> int:
        """Returns a stake that fits the habit and the balance."""
        least, most = self.habit.stake_minor
        wanted = min(most, max(least, self.balance_minor // numbers.randint(25, 90)))
        return max((each for each in STAKES_MINOR if each <= wanted), default=MIN_STAKE_MINOR)


def make_people(numbers: random.Random, agents: Sequence[Agent], count: int, days: int) -> list[Person]:
    """Returns the players of an operator. A third of them joins in the first three days."""
    return [_person(numbers, agents, place, count, days) for place in range(count)]


def _person(numbers: random.Random, agents: Sequence[Agent], place: int, count: int, days: int) -> Person:
    habit = HABITS[-1] if place % 50 == 1 else numbers.choices(HABITS, [each.share for each in HABITS])[0]
    liked = [each for each in GAMES if habit.name != "whale" or each.is_steady()]
    joined_on = numbers.randrange(3) if place * 3 < count else numbers.randrange(days)
    return Person(
        player_id=f"demo-{numbers.getrandbits(64):016x}",
        login_code="".join(numbers.choice(codes.ALPHABET) for _ in range(codes.LOGIN_CODE_CHARACTERS)),
        pin=f"{numbers.randrange(10**codes.PIN_DIGITS):0{codes.PIN_DIGITS}}",
        address=f"198.{18 + numbers.randrange(2)}.{numbers.randrange(256)}.{numbers.randrange(1, 255)}",
        agent=numbers.choice(agents),
        habit=habit,
        games=tuple(dict.fromkeys(numbers.choices(liked, [each.popularity for each in liked], k=4))),
        tilts=numbers.random() < TILTING,
        joined_on=joined_on,
        left_on=joined_on + numbers.expovariate(0.69 / habit.stays_days),
    )
