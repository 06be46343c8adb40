"""Makes the demo data: thirty days of two operators, through the functions that the services call.

The operators live each day side by side, each in a session of its own. Then the loops of the service have their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from casino.ops.demo_data.books import Books
from casino.ops.demo_data.clock import moved_clock
from casino.ops.demo_data.days import Days
from casino.ops.demo_data.plan import DAYS, first_day, hours_of, quotas
from casino.ops.demo_data.world import OPERATOR, OWNER, SECOND_TIMEZONE, TIMEZONE, make_world
from casino.settings import Settings
from casino.sql.schema import OVERSIGHT_ROLE, SCHEMA
from shared_service.postgres import sessions

NAME: Final = "casino-demo-data"
"""The application name of the sessions."""
SEED: Final = "demo-data"
SPARE: Final = 1.01
"""Some bets are refused or taken back."""
PAGE_ROWS: Final = 500
FIRST_DAYS: Final = 2
STATISTICS_SECONDS: Final = 2.0
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
BEGUN, DONE = "demo-data.begun", "demo-data.loaded"
FOUND: Final = (
    "select action, after from casino.audit_trail where ledger_id = %s and action in (%s, %s) order by audit_id"
)
NOTE: Final = "select casino.note_audit(%s, %s, 'system', null, null, %s, %s, 'DONE', null, %s, 'demo-data', null)"
TAKE: Final = "select pg_try_advisory_lock(hashtextextended('casino.demo-data', 0))"
SERVED: Final = """
    select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'casino' and usename = any (%s)
"""


class NotMade(RuntimeError):  # noqa: N818 - a decision, not a defect
    """The demo data cannot be made here. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Made:
    """What there is now. `is_new`: this run made it. `logins`: some players' login codes and PINs."""

    is_new: bool
    bets: int
    first: str
    last: str
    logins: tuple[tuple[str, str], ...] = ()


def make_demo_data(settings: Settings, bets: int, note_bets: Callable[[int], None]) -> Made:
    """Make the demo data, at least so many bets. A second call does nothing. Raises NotMade."""
    if not settings.demo:
        raise NotMade("the demo data is for demo mode only: set CASINO_DEMO=1")
    if settings.owner_database_url is None or settings.oversight_database_url is None:
        raise NotMade("CASINO_OWNER_DATABASE_URL and CASINO_OVERSIGHT_DATABASE_URL are needed: see docs/operations.md")
    with ExitStack() as opened:
        owner = opened.enter_context(_session(settings.owner_database_url, SCHEMA.owner_role))
        _require_alone(owner, settings)
        if (made := _found(owner, settings)) is not None:
            return made
        if (
            not owner.execute(OWNER, (settings.ledger_id,)).fetchall()
            or not owner.execute(OPERATOR, (settings.ledger_id, settings.tenant_id)).fetchall()
        ):
            raise NotMade("the demo has no staff yet: run `casino seed-demo` in demo mode first")
        app = [opened.enter_context(_session(settings.database_url, SCHEMA.app_role)) for _ in range(3)]
        overseer = opened.enter_context(_session(settings.oversight_database_url, OVERSIGHT_ROLE))
        _note(owner, settings, BEGUN, {"bets": bets})
        opened.enter_context(moved_clock(owner, [overseer, *app]))
        books = [Books(each, settings.ledger_id, seed=f"{SEED} {place}") for place, each in enumerate([overseer, *app])]
        made = _Run(settings, owner, books, note_bets).live(bets)
    with _session(settings.owner_database_url, SCHEMA.owner_role) as owner:
        _note(owner, settings, DONE, {"bets": made.bets, "from": made.first, "to": made.last})
        owner.execute("analyze")
    return made


@contextmanager
def _session(url: str, role: str) -> Iterator[psycopg.Connection[Any]]:
    with sessions.connect(url, role=role, application_name=NAME, migrated=True, statement_timeout=0) as connection:
        yield connection


def _require_alone(owner: psycopg.Connection[Any], settings: Settings) -> None:
    """Refuse while a service or another run is there: both would see times that are not theirs."""
    urls = (settings.database_url, settings.oversight_database_url or "")
    logins = [psycopg.conninfo.conninfo_to_dict(url).get("user") for url in urls]
    if owner.execute(SERVED, (logins,)).fetchone() != (0,):
        raise NotMade("the casino runs on this database: stop it first")
    if owner.execute(TAKE).fetchone() != (True,):
        raise NotMade("another run makes the demo data in this database")


def _found(owner: psycopg.Connection[Any], settings: Settings) -> Made | None:
    found = dict(owner.execute(FOUND, (settings.ledger_id, BEGUN, DONE)).fetchall())
    if BEGUN in found and DONE not in found:
        raise NotMade("an earlier run was broken off and left a part of the demo data: begin with a new database")
    told = found.get(DONE)
    return None if told is None else Made(False, told["bets"], told["from"], told["to"])


def _note(owner: psycopg.Connection[Any], settings: Settings, action: str, after: dict[str, Any]) -> None:
    owner.execute(NOTE, (settings.ledger_id, settings.tenant_id, action, settings.tenant_id, Jsonb(after)))


class _Run:
    def __init__(
        self, settings: Settings, owner: psycopg.Connection[Any], books: list[Books], note_bets: Callable[[int], None]
    ) -> None:
        self._settings = settings
        self._owner = owner
        self._overseer, self._loops, *self._of_operators = books
        self._note_bets = note_bets

    def live(self, bets: int) -> Made:
        (zone,) = self._owner.execute(TIMEZONE, (self._settings.tenant_id,)).fetchone() or ("UTC",)
        first = first_day(datetime.now(UTC), [zone, SECOND_TIMEZONE])
        began = min(hours_of(first, 0, each).opens for each in (zone, SECOND_TIMEZONE)) - timedelta(hours=3)
        self._make_months(began)
        for each in (self._overseer, self._loops):
            each.at(began)
        operators = make_world(self._overseer, self._loops, self._settings.tenant_id)
        share = round(bets * SPARE / len(operators))
        everybody = [
            Days(books, operator, pepper=self._settings.pepper, bets=share, note_bets=self._note_bets)
            for books, operator in zip(self._of_operators, operators, strict=True)
        ]
        with ThreadPoolExecutor(len(everybody)) as pool:
            try:
                for number, quota in enumerate(quotas(first, share)):
                    self._live_day(pool, everybody, first, number, quota)
            except BaseException:
                for books in self._of_operators:
                    books.is_stopped = True
                raise
        self._owner.execute("select casino.rebuild_session_snapshots(%s)", (self._settings.ledger_id,))
        logins = [(each.login_code, each.pin) for days in everybody for each in days.some_players(2)]
        booked = sum(each.booked for each in everybody)
        return Made(True, booked, str(first), str(first + timedelta(days=DAYS - 1)), tuple(logins))

    def _live_day(self, pool: ThreadPoolExecutor, everybody: list[Days], first: date, number: int, bets: int) -> None:
        lived = []
        for each in everybody:
            hours = hours_of(first, number, each.operator.timezone)
            lived.append(pool.submit(each.live, hours, bets, is_last=number == DAYS - 1))
        while number < FIRST_DAYS and wait(lived, STATISTICS_SECONDS).not_done:
            self._owner.execute("analyze")  # statements were planned while the tables were empty
        for future in lived:
            future.result()
        self._clean_up()

    def _make_months(self, began: datetime) -> None:
        """Make the partitions of the events to come."""
        for at in (began, began + timedelta(days=DAYS)):
            self._owner.execute("select casino.make_event_month(%s)", (at,))

    def _clean_up(self) -> None:
        """What the service's loops do meanwhile: expire vouchers, close game sessions, end play sessions."""
        books = self._loops
        books.at(max(each.now for each in self._of_operators) + timedelta(minutes=5))
        while books.call("expire_vouchers", PAGE_ROWS)[0] >= PAGE_ROWS:
            pass
        for function in ("close_expired_sessions", "end_play_sessions"):
            place: tuple[Any, Any] = (NEVER, UUID(int=0))
            looked_at = PAGE_ROWS
            while looked_at >= PAGE_ROWS:
                row = books.call(function, *place, PAGE_ROWS)
                looked_at, place = row[-3], (row[-2], row[-1])
