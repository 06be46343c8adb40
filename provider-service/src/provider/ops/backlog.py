"""Reads the numbers of pending transactions and of open differences for /metrics.

A number is None when the database does not answer within `READ_SECONDS_MAX`.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import structlog

from shared_service.postgres.database import Database, Overloaded

log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 5.0
"""How long the numbers are reused, however often somebody scrapes."""
READ_SECONDS_MAX: Final = 2.0
KINDS: Final = ("debit", "credit", "rollback")

# A partial index covers the pending rows. They are few: a session with a pending bet takes no new one.
_BACKLOG: Final = """
    select kind, count(*), extract(epoch from provider.clock() - min(created_at))::double precision,
        count(*) filter (where in_doubt_at is not null)
    from provider.wallet_transactions
    where state = 'pending'
    group by kind
"""
# Ignores times in the future, which would keep the age at 0. Without any time the age counts from 1970.
_RECONCILED: Final = """
    select provider.open_differences(), extract(epoch from now.at - coalesce(
        (
            select ended_at from provider.reconciliation_runs
            where exit_status < 2 and ended_at <= now.at order by run_id desc limit 1
        ),
        (select installed_at from provider.reconciliation_schedule where installed_at <= now.at),
        'epoch'
    ))::double precision
    from provider.clock() as now (at)
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Transactions without a known outcome. `pending`: per kind, their number and the oldest one's age in seconds."""

    pending: Mapping[str, tuple[int, float]]
    debits_in_doubt: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The open differences of the last complete run, and the seconds since it ended."""

    differences: int
    age_seconds: float


class BacklogReader:
    """Holds the latest numbers; None before the first read and while the database does not answer."""

    def __init__(self, pool: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._monotonic = monotonic
        self._read_at: float | None = None
        self._reading = asyncio.Lock()
        self.backlog: Backlog | None = None
        self.reconciled: Reconciled | None = None

    async def refresh(self) -> None:
        """Read the numbers again, unless they are younger than `FRESH_SECONDS`."""
        async with self._reading:
            if self._read_at is not None and self._monotonic() - self._read_at < FRESH_SECONDS:
                return
            self.backlog = _backlog_of(await self._rows(_BACKLOG))
            self.reconciled = None if self.backlog is None else _reconciled_of(await self._rows(_RECONCILED))
            self._read_at = self._monotonic()

    async def _rows(self, statement: str) -> list[tuple[Any, ...]] | None:
        try:
            async with asyncio.timeout(READ_SECONDS_MAX), self._pool.connection() as connection:
                return await (await connection.execute(statement)).fetchall()
        except (psycopg.Error, Overloaded, TimeoutError) as error:
            log.warning("backlog_not_read", error_type=type(error).__name__)
            return None


def _backlog_of(rows: list[tuple[Any, ...]] | None) -> Backlog | None:
    if rows is None:
        return None
    found = {kind: (int(count), max(float(age_seconds), 0.0)) for kind, count, age_seconds, _ in rows}
    return Backlog({kind: found.get(kind, (0, 0.0)) for kind in KINDS}, sum(int(row[3]) for row in rows))


def _reconciled_of(rows: list[tuple[Any, ...]] | None) -> Reconciled | None:
    if not rows:
        return None
    differences, age_seconds = rows[0]
    return Reconciled(int(differences), max(float(age_seconds), 0.0))
