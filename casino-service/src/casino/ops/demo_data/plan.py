"""When the demo data plays: thirty days, more at weekends and in the evening, a little more from day to day."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = 30
BETS_IN_A_WAVE: Final = 1_100
BETS_WORTH_A_WAVE: Final = 25
OPENS_AT: Final = time(11, 0)
CLOSES_AFTER: Final = timedelta(hours=15, minutes=30)
"""After OPENS_AT: at half past two in the night."""
BY_WEEKDAY: Final = (0.75, 0.75, 0.85, 0.95, 1.35, 1.6, 1.25)
BY_HOUR: Final = (0.6, 0.8, 1.0, 1.0, 1.0, 1.4, 2.0, 3.0, 4.5, 6.0, 6.0, 5.0, 3.0, 1.2)
"""From 11:00 on; the last one begins at midnight."""


@dataclass(frozen=True, slots=True)
class Hours:
    """A day of an operator: when its desks open and close, in UTC."""

    number: int
    opens: datetime
    closes: datetime


def hours_of(first: date, number: int, timezone: str) -> Hours:
    """Returns a day's hours, in the operator's time zone. Days are numbered from 0."""
    local = datetime.combine(first + timedelta(days=number), OPENS_AT, ZoneInfo(timezone))
    opens = local.astimezone(UTC)
    return Hours(number, opens, opens + CLOSES_AFTER)


def first_day(now: datetime, timezones: list[str]) -> date:
    """Returns the first of DAYS days, of which the last one is over everywhere."""
    over = min((now.astimezone(ZoneInfo(zone)) - timedelta(hours=4)).date() for zone in timezones)
    return over - timedelta(days=DAYS)


def quotas(first: date, bets: int) -> list[int]:
    """Returns how many bets each day brings."""
    weights = [
        BY_WEEKDAY[(first + timedelta(days=number)).weekday()] * (0.85 + 0.3 * number / DAYS) for number in range(DAYS)
    ]
    return [round(bets * weight / sum(weights)) for weight in weights]


def starts(numbers: random.Random, hours: Hours, bets: int) -> list[datetime]:
    """Returns when the waves of a day begin: groups of players who play at one time."""
    if bets < BETS_WORTH_A_WAVE:
        return []
    count = max(1, round(bets / BETS_IN_A_WAVE))
    hour = numbers.choices(range(len(BY_HOUR)), BY_HOUR, k=count)
    return sorted(hours.opens + timedelta(hours=each, seconds=numbers.randrange(120, 3_500)) for each in hour)
