"""Lets `casino.clock()` tell another time to the sessions of the demo data, and to no other session.

The replaced function names the sessions by their processes. When those have ended, it tells everybody the wall clock,
so a killed run leaves nothing that counts. `casino migrate` puts the function of this release back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql

from casino.sql.schema import SCHEMA

CLOCK_FILE: Final = "functions/wallet/clock.sql"
REPLACE: Final = sql.SQL("""
    create or replace function casino.clock() returns timestamptz language sql volatile parallel safe
    begin atomic
        select coalesce(
            case
                when pg_backend_pid() = any ({pids})
                    then nullif(current_setting('casino.demo_now', true), '')::timestamptz
            end,
            clock_timestamp()
        );
    end
""")
NOTE_FILE: Final = "update casino.applied_sql_files set sha256 = %s where path = %s"
"""`casino migrate` applies all files again when a hash differs from its file's."""
SET_NOW: Final = "select pg_catalog.set_config('casino.demo_now', %s, false)"
"""What a session takes for now, if the replaced function names it."""

Connection = psycopg.Connection[Any]


@contextmanager
def moved_clock(owner: Connection, sessions: Sequence[Connection]) -> Iterator[None]:
    """Context manager: in the block each of these sessions has the time that `set_now` gave it.

    `owner` is in autocommit, in the role of the schema's owner.
    """
    file = next(each for each in SCHEMA.sql_files() if each.path == CLOCK_FILE)
    pids = [each.info.backend_pid for each in sessions]
    with owner.transaction():
        owner.execute(REPLACE.format(pids=sql.Literal(pids)))
        owner.execute(NOTE_FILE, ("replaced by demo-data", CLOCK_FILE))
    try:
        yield
    finally:
        with owner.transaction():
            owner.execute(file.text.encode())
            owner.execute(NOTE_FILE, (file.sha256, CLOCK_FILE))


def set_now(session: Connection, now: datetime) -> None:
    """Move a session's clock. It has an effect inside `moved_clock` alone."""
    session.execute(SET_NOW, (now.isoformat(),))
