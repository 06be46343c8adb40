"""What players of the demo data ask for themselves: limits, higher ones after a day, and exclusions."""

from __future__ import annotations

from typing import Final

from casino.ops.demo_data.books import Books
from casino.ops.demo_data.people import Person

SETS_A_LIMIT: Final = 0.18
RAISES_IT: Final = 0.25
EXCLUDES: Final = 0.006
PERIODS: Final = (("P7D", 7), ("P7D", 7), ("P1M", 31), ("P6M", 184))
MINUTES: Final = (45, 60, 90, 120)


class Wishes:
    """The wishes of one operator's players, told after a visit."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def after_visit(self, person: Person, day: int) -> None:
        """Let a player ask for something. Most do not."""
        numbers = self._books.random
        if person.is_closed or not person.is_member:
            return
        if person.visits == 1 and numbers.random() < SETS_A_LIMIT:
            self._set_limit(person, day)
        elif person.wish is not None and day >= person.wish[1]:
            self._books.call("confirm_limit", person.player_id, person.wish[0])
            person.wish = None
        elif numbers.random() < EXCLUDES:
            period, days = numbers.choice(PERIODS)
            self._books.must("exclude_player", person.player_id, period, None, "player", person.player_id)
            person.excluded_until_day = day + days
        elif numbers.random() < EXCLUDES:
            self._lower_by_staff(person)

    def _set_limit(self, person: Person, day: int) -> None:
        """Set a limit; some find it too low at once, and wait a day for a higher one."""
        numbers = self._books.random
        kind, period = numbers.choice(
            (("loss", "day"), ("loss", "day"), ("loss", "week"), ("deposit", "day"), ("time", "day"))
        )
        typical = numbers.choice(person.habit.deposit_minor)
        value = numbers.choice(MINUTES) if kind == "time" else typical * numbers.randint(1, 3)
        self._ask(person, kind, period, value)
        if numbers.random() < RAISES_IT:
            limit_id = self._ask(person, kind, period, value * 2)
            person.wish = None if limit_id is None else (limit_id, day + 2)

    def _lower_by_staff(self, person: Person) -> None:
        """Staff is worried, and sets a limit of a day's loss."""
        staff_id, name = person.agent.staff
        value = min(person.habit.deposit_minor)
        reason = "Plays too high"
        code, *_ = self._books.call(
            "set_limit", person.player_id, "loss", "day", value, True, "staff", staff_id, reason
        )  # fmt: skip
        if code is None:
            told = {"kind": "loss", "period": "day", "value": value, "reason": reason}
            self._books.audit((staff_id, name), "player.limit_set", person.player_id, person.agent.tenant_id, **told)

    def _ask(self, person: Person, kind: str, period: str, value: int) -> str | None:
        code, limit_id, *_ = self._books.call(
            "set_limit", person.player_id, kind, period, value, False, "player", person.player_id
        )  # fmt: skip
        return None if code is not None else str(limit_id)
