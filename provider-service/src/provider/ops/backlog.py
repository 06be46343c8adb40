"""Reads each casino's numbers of pending transactions and of open differences for /metrics.

A number is None when the database does not answer within `READ_SECONDS_MAX`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import structlog

from provider.casinos.registry import Casino
from shared_service.postgres.database import Database, Overloaded

log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 5.0
"""How long the numbers are reused, however often somebody scrapes."""
READ_SECONDS_MAX: Final = 2.0
KINDS: Final = ("debit", "credit", "rollback")

# A partial index covers the pending rows. They are few: a session with a pending bet takes no new one.
_BACKLOG: Final = """
    select s.casino_code, t.kind, count(*), extract(epoch from provider.clock() - min(t.created_at))::double precision,
        count(*) filter (where t.in_doubt_at is not null)
    from provider.wallet_transactions as t
    join provider.game_sessions as s on s.provider_session_id = t.provider_session_id
    where t.state = 'pending'
    group by s.casino_code, t.kind
"""
# Ignores times in the future, which would keep the age at 0. Without any time the age counts from 1970. A run without a
# casino is one of the release before.
_RECONCILED: Final = """
    select casino.code, coalesce(run.open_count, 0), extract(epoch from now.at - coalesce(
        run.ended_at,
        (select known_since from provider.casinos where casino_code = casino.code and known_since <= now.at),
        (select installed_at from provider.reconciliation_schedule where installed_at <= now.at),
        'epoch'
    ))::double precision
    from provider.clock() as now (at)
    cross join unnest(%s::text[]) as casino (code)
    left join lateral (
        select r.found - r.healed as open_count, r.ended_at
        from provider.reconciliation_runs as r
        where r.exit_status < 2 and r.ended_at <= now.at and coalesce(r.casino_code, casino.code) = casino.code
        order by r.run_id desc
        limit 1
    ) as run on true
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """A casino's transactions without a known outcome.

    `pending`: per kind, their number and the oldest one's age in seconds.
    """

    pending: Mapping[str, tuple[int, float]]
    debits_in_doubt: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The open differences of a casino's last complete run, and the seconds since it ended."""

    differences: int
    age_seconds: float


class BacklogReader:
    """Holds the latest numbers by casino; None before the first read and while the database does not answer.

    Casinos that are not called any more have numbers only while they have pending transactions.
    """

    def __init__(
        self, pool: Database, called: Callable[[], Sequence[Casino]], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._called = called
        self._monotonic = monotonic
        self._read_at: float | None = None
        self._reading = asyncio.Lock()
        self.backlog: dict[str, Backlog] | None = None
        self.reconciled: dict[str, Reconciled] | None = None

    async def refresh(self) -> None:
        """Read the numbers again, unless they are younger than `FRESH_SECONDS`."""
        async with self._reading:
            if self._read_at is not None and self._monotonic() - self._read_at < FRESH_SECONDS:
                return
            codes = [casino.code for casino in self._called()]
            self.backlog = _backlog_of(codes, await self._rows(_BACKLOG))
            self.reconciled = None if self.backlog is None else _reconciled_of(await self._rows(_RECONCILED, codes))
            self._read_at = self._monotonic()

    async def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]] | None:
        try:
            async with asyncio.timeout(READ_SECONDS_MAX), self._pool.connection() as connection:
                return await (await connection.execute(statement, values)).fetchall()
        except (psycopg.Error, Overloaded, TimeoutError) as error:
            log.warning("backlog_not_read", error_type=type(error).__name__)
            return None


def _backlog_of(codes: Sequence[str], rows: list[tuple[Any, ...]] | None) -> dict[str, Backlog] | None:
    if rows is None:
        return None
    found: dict[str, dict[str, tuple[int, float]]] = {code: dict.fromkeys(KINDS, (0, 0.0)) for code in codes}
    in_doubt: Counter[str] = Counter()
    for code, kind, count, age_seconds, doubtful in rows:
        found.setdefault(code, dict.fromkeys(KINDS, (0, 0.0)))[kind] = (int(count), max(float(age_seconds), 0.0))
        in_doubt[code] += int(doubtful)
    return {code: Backlog(pending, in_doubt[code]) for code, pending in found.items()}


def _reconciled_of(rows: list[tuple[Any, ...]] | None) -> dict[str, Reconciled] | None:
    if rows is None:
        return None
    return {code: Reconciled(int(differences), max(float(age), 0.0)) for code, differences, age in rows}
