"""Imports events of another system, and mends imported history. Runs as the schema's owner, beside running bets.

A file is copied into casino.import_lines, and compared with all events there: the memory does not grow with the file.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final

import psycopg

from casino.events.lines import BadLine, numbered_lines, read_event

Connection = psycopg.Connection[Any]

LOCK: Final = "select pg_advisory_lock(hashtextextended('casino.import_lines', 0))"
CURRENCIES: Final = "select tenant_id, currency from casino.tenants where ledger_id = %s"
COPY: Final = """
    copy casino.import_lines (
        line_no, tenant, event_type, action_id, at, player_id, session_id, round_id, game_key, provider_id, region,
        agent_id, cashier_id, amount_minor, currency, code, route
    ) from stdin
"""
# What follows compares events without their time, and keeps the earliest.
KEEP_THE_EARLIEST: Final = """
    delete from casino.import_lines where line_no in (
        select line_no from (
            select line_no, row_number() over (partition by tenant, action_id, event_type order by at, line_no) as place
            from casino.import_lines
        ) as same where place > 1
    )
"""
SAME: Final = """
    event.ledger_id = %(ledger)s and event.tenant_id = line.tenant and event.action_id = line.action_id
    and event.event_type = line.event_type
"""
NOTE_KNOWN: Final = f"""
    update casino.import_lines as line set is_known = true from casino.ledger_events as event where {SAME}
"""  # noqa: S608 - names of this file
MONTHS: Final = "select distinct date_trunc('month', at, 'UTC') from casino.import_lines order by 1"
MAKE_MONTH: Final = """
    select casino.make_event_month(%(month)s)
    where %(month)s between '2000-01-01' and casino.clock() + interval '1 year'
"""
MONTH_TRIES: Final = 10
FORGET_LATER: Final = f"""
    delete from casino.ledger_events as event using casino.import_lines as line
    where line.is_known and event.imported and event.at > line.at and {SAME}
"""  # noqa: S608 - as above
INSERT: Final = f"""
    insert into casino.ledger_events (
        ledger_id, tenant_id, event_type, action_id, at, player_id, session_id, round_id, game_key, provider_id, region,
        agent_id, cashier_id, amount_minor, currency, code, route, imported
    )
    select
        %(ledger)s, tenant, event_type, action_id, at, player_id, session_id, round_id, game_key, provider_id, region,
        agent_id, cashier_id, amount_minor, currency, code, route, true
    from casino.import_lines as line
    where not is_known or not exists (select from casino.ledger_events as event where {SAME})
"""  # noqa: S608 - as above
COUNT_NEW: Final = "select count(*) from casino.import_lines where not is_known"
EMPTY: Final = "truncate casino.import_lines"
DEDUPE: Final = """
    delete from casino.ledger_events as event
    where event.ledger_id = %(ledger)s and event.imported and exists (
        select from casino.ledger_events as other
        where other.ledger_id = %(ledger)s and other.tenant_id = event.tenant_id and other.action_id = event.action_id
            and other.event_type = event.event_type and (not other.imported or other.at < event.at)
    )
"""
REBUILD: Final = "select casino.rebuild_session_snapshots(%s)"


@dataclass(slots=True)
class Imported:
    """How many events were new, how many were there or twice in the file, and how many lines were bad."""

    imported: int = 0
    known: int = 0
    skipped: int = 0


def import_events(
    connection: Connection, ledger_id: int, file: IO[bytes], say_skipped: Callable[[int, str], object]
) -> Imported:
    """Import the events of a file; `connection` is in autocommit. All good lines are written, or none.

    `say_skipped` gets the number of each bad line, and why. An event of the ledger itself is never replaced; of
    imported ones the earliest stays.
    """
    connection.execute(LOCK)
    connection.execute(EMPTY)
    try:
        done, good = Imported(), _copy(connection, ledger_id, file, say_skipped)
        done.skipped = good.skipped
        for (month,) in connection.execute(MONTHS).fetchall():
            _make_month(connection, month)
        values = {"ledger": ledger_id}
        with connection.transaction():
            connection.execute(KEEP_THE_EARLIEST)
            connection.execute(NOTE_KNOWN, values)
            row = connection.execute(COUNT_NEW).fetchone()
            connection.execute(FORGET_LATER, values)
            connection.execute(INSERT, values)
        done.imported = row[0] if row else 0
        done.known = good.imported - done.imported
        return done
    finally:
        if not connection.broken:
            connection.execute(EMPTY)


def dedupe(connection: Connection, ledger_id: int) -> int:
    """Delete imported events that are there twice. Returns how many."""
    return connection.execute(DEDUPE, {"ledger": ledger_id}).rowcount


def rebuild_snapshots(connection: Connection, ledger_id: int) -> int:
    """Make the snapshots of sessions anew from all events. Returns how many there are."""
    row = connection.execute(REBUILD, (ledger_id,)).fetchone()
    return int(row[0]) if row else 0


def _copy(
    connection: Connection, ledger_id: int, file: IO[bytes], say_skipped: Callable[[int, str], object]
) -> Imported:
    """Copy the good lines. Returns how many were good (`imported`) and bad (`skipped`)."""
    currencies = dict(connection.execute(CURRENCIES, (ledger_id,)).fetchall())
    seen = Imported()
    with connection.transaction(), connection.cursor().copy(COPY) as copy:
        for number, text in numbered_lines(file):
            try:
                values = read_event(text, currencies)
            except BadLine as error:
                seen.skipped += 1
                say_skipped(number, str(error))
            else:
                copy.write_row((number, *values))
                seen.imported += 1
    return seen


def _make_month(connection: Connection, month: datetime) -> None:
    """Make a month. When events are read all the time, it stays unmade and the default partition takes its events."""
    for _ in range(MONTH_TRIES):
        try:
            connection.execute(MAKE_MONTH, {"month": month})
        except psycopg.errors.LockNotAvailable:
            time.sleep(1)
        else:
            return
