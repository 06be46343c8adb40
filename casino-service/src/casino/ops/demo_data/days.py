"""The days of one operator in the demo data: opens the desks, lets players come in waves, closes the desks."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from psycopg.types.json import Jsonb

from casino.ops.demo_data.books import Books
from casino.ops.demo_data.desk import Desk
from casino.ops.demo_data.people import Person, make_people
from casino.ops.demo_data.plan import BETS_WORTH_A_WAVE, DAYS, Hours, starts
from casino.ops.demo_data.play import Floor
from casino.ops.demo_data.wishes import Wishes
from casino.ops.demo_data.world import Operator

BETS_OF_A_PERSON: Final = 600
PEOPLE_MIN: Final = 12
PEOPLE_IN_A_WAVE_MAX: Final = 30
LAST_WAVE: Final = timedelta(minutes=25)
FAILURES: Final = (
    ("/casino/credit", "timeout"),
    ("/api/v1/bet/spin", "internal_error"),
    ("/casino/launchGame", "provider_unavailable"),
)
FAILURES_A_DAY: Final = 2
BAD_DAY: Final = DAYS - 4
"""A day with many failures, for the reports to find."""


class Days:
    """One operator's thirty days. `note_bets` is told how many bets were booked."""

    def __init__(
        self, books: Books, operator: Operator, *, pepper: bytes, bets: int, note_bets: Callable[[int], None]
    ) -> None:
        books.tenant_id = operator.tenant_id
        self.operator = operator
        self._books = books
        self._desk = Desk(books, operator, pepper)
        self._floor = Floor(books, self._desk)
        self._wishes = Wishes(books)
        self._people = make_people(books.random, operator.agents, max(PEOPLE_MIN, bets // BETS_OF_A_PERSON), DAYS)
        self._owed = 0
        self._note_bets = note_bets

    def live(self, hours: Hours, bets: int, *, is_last: bool) -> None:
        """Live one day. Bets that a day does not bring are owed to the next one; the last one brings all."""
        books = self._books
        self._owed += bets
        self._desk.open(hours)
        begins = starts(books.random, hours, self._owed)
        waves = len(begins)
        for place, begin in enumerate(begins):
            books.at(max(begin, books.now))
            if books.now <= hours.closes - LAST_WAVE:
                self._wave(hours.number, self._owed // (waves - place))
        while is_last and self._owed > 0 and books.now <= hours.closes:
            self._wave(hours.number, max(self._owed, BETS_WORTH_A_WAVE))
        self._fail(hours)
        self._desk.close(hours)

    @property
    def booked(self) -> int:
        """How many bets were booked, and not taken back."""
        return self._floor.bets

    def some_players(self, count: int) -> list[Person]:
        """Returns players who can log in, the newest first."""
        return [each for each in reversed(self._people) if each.is_member and not each.is_closed][:count]

    def _wave(self, day: int, bets: int) -> None:
        people = self._who_comes(day, bets)
        quick = [each for each in people if each.tilts]
        before = self._floor.bets
        self._floor.wave([each for each in people if not each.tilts])
        for person in quick:
            self._floor.wave([person], fast=True)
        with self._books.transaction():
            for person in people:
                self._wishes.after_visit(person, day)
        booked = self._floor.bets - before
        self._owed -= booked
        self._note_bets(booked)

    def _who_comes(self, day: int, bets: int) -> list[Person]:
        """Choose players until about as many bets are expected. Newcomers come first."""
        numbers = self._books.random
        there = [each for each in self._people if each.may_come(day)]
        weights = [each.habit.often * numbers.random() * (20 if not each.is_member else 1) for each in there]
        ranked = [each for _, each in sorted(zip(weights, there, strict=True), key=lambda pair: -pair[0])]
        chosen: list[Person] = []
        expected = 0
        for person in ranked[:PEOPLE_IN_A_WAVE_MAX]:
            if expected >= bets:
                break
            chosen.append(person)
            expected += sum(person.habit.spins) // 2
        if not chosen:
            chosen.append(self._somebody_new(day))
        return chosen

    def _somebody_new(self, day: int) -> Person:
        (person,) = make_people(self._books.random, self.operator.agents, 1, 1)
        person.joined_on, person.left_on = day, float(day)
        self._people.append(person)
        return person

    def _fail(self, hours: Hours) -> None:
        """Tell of a few requests that failed."""
        books = self._books
        books.at(max(hours.closes, books.now))
        count = books.random.randrange(FAILURES_A_DAY + 1) + (40 if hours.number == BAD_DAY else 0)
        errors = []
        for _ in range(count):
            route, code = books.random.choice(FAILURES)
            identity = str(uuid.UUID(int=books.random.getrandbits(128), version=4))
            errors.append({"id": identity, "age": books.random.uniform(0, 3_500), "code": code, "route": route})
        books.call("tell_errors", self.operator.tenant_id, books.now, Jsonb(errors))
