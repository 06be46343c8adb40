"""Detaches the months of casino.ledger_events that need not be kept. Runs as the schema's owner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, cast

import psycopg
from psycopg import sql
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

Connection = psycopg.Connection[Any]

TABLE_LOCK_WAIT_MS: Final = 1_000
"""A bet waits behind a command that waits for the table; the command gives up, so that the bet goes on."""
TRIES: Final = 30
IN_USE: Final = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
THIS_MONTH: Final = "select date_trunc('month', casino.clock(), 'UTC')"
MONTHS: Final = """
    select relname, o_from, o_to from casino.event_months() join pg_class on pg_class.oid = o_partition
    where o_to <= %s order by o_from
"""
DETACH: Final = sql.SQL("alter table casino.ledger_events detach partition {}")
RENAME: Final = sql.SQL("alter table {} rename to {}")
NOTE: Final = "update casino.ledgers set events_since = greatest(events_since, %s)"
HAS_REST: Final = "select exists (select from casino.ledger_events_default where at < %s)"
MAKE_REST: Final = sql.SQL("create table {} (like casino.ledger_events including all)")
SECURE_REST: Final = "select casino.copy_row_security('casino.ledger_events', %s::regclass)"
MOVE_REST: Final = sql.SQL(
    "with moved as (delete from casino.ledger_events_default where at < %s returning *)"
    " insert into {} select * from moved"
)


def present_month(connection: Connection) -> datetime:
    """The first instant of the present month, by the database's clock."""
    ((month,),) = connection.execute(THIS_MONTH).fetchall()
    return cast("datetime", month)


def detach_before(connection: Connection, month: datetime) -> Iterator[str]:
    """Detach every month that ended by `month`, the oldest first. Yields the name of each table that was detached.

    Each is a transaction of its own. Raises LockNotAvailable (psycopg) when the table was in use all the time.
    """
    connection.execute("select set_config('lock_timeout', %s, false)", (str(TABLE_LOCK_WAIT_MS),))
    for name, _, ends in connection.execute(MONTHS, (month,)).fetchall():
        yield _retried(lambda name=name, ends=ends: _detach(connection, name, ends))
    row = connection.execute(HAS_REST, (month,)).fetchone()
    if row is not None and row[0]:
        yield _retried(lambda: _detach_rest(connection, month))


def _retried(step: Any) -> str:
    retrying = Retrying(
        stop=stop_after_attempt(TRIES), wait=wait_random(0.5, 1.5), retry=retry_if_exception_type(IN_USE), reraise=True
    )
    return str(retrying(step))


def _detach(connection: Connection, name: str, ends: datetime) -> str:
    detached = name.replace("ledger_events", "detached_events")
    with connection.transaction():
        connection.execute(DETACH.format(sql.Identifier("casino", name)))
        connection.execute(RENAME.format(sql.Identifier("casino", name), sql.Identifier(detached)))
        connection.execute(NOTE, (ends,))
    return f"casino.{detached}"


def _detach_rest(connection: Connection, month: datetime) -> str:
    """Move older events of the default partition to a table of their own."""
    detached = f"detached_events_rest_before_{month:%Y_%m}"
    with connection.transaction():
        connection.execute(MAKE_REST.format(sql.Identifier("casino", detached)))
        connection.execute(SECURE_REST, (f"casino.{detached}",))
        connection.execute(MOVE_REST.format(sql.Identifier("casino", detached)), (month,))
        connection.execute(NOTE, (month,))
    return f"casino.{detached}"
