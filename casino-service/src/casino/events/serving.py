"""Runs what events need while the casino serves: months made ahead, errors written, sessions folded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Final

import psycopg

from casino.events.error_events import WRITE_SECONDS, ErrorEvents
from casino.events.months import MONTHS_SECONDS, make_months
from casino.settings import Settings
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop

FOLD_SECONDS: Final = 60.0
FOLD_SESSIONS: Final = "select casino.fold_sessions(%s)"


def error_events(settings: Settings, database: Database, count_dropped: Callable[[int], object]) -> ErrorEvents:
    """Builds the queue of errors. `count_dropped` is called with how many errors were lost."""
    return ErrorEvents(database, settings, count_dropped)


def loops(
    settings: Settings, database: Database, errors: ErrorEvents, *, show_missing_months: Callable[[int], object]
) -> list[BackgroundLoop]:
    """The loops of events. `database` is a pool that no bet uses. `show_missing_months(count)` is called each hour."""
    months = partial(make_months, database, show_missing_months)

    async def fold_sessions() -> bool:
        ((more,),) = await database.call(FOLD_SESSIONS, (settings.ledger_id,))
        return bool(more)

    return [
        BackgroundLoop("event_months", months, interval_seconds=MONTHS_SECONDS),
        BackgroundLoop("error_events", errors.write_some, interval_seconds=WRITE_SECONDS),
        BackgroundLoop("session_snapshots", fold_sessions, interval_seconds=FOLD_SECONDS),
    ]


async def close(errors: ErrorEvents) -> None:
    """Write the errors that wait, one batch at most. The database must still be open."""
    with contextlib.suppress(psycopg.Error):
        await errors.write_some()
