"""What a restored database needs before the casino may serve it: `casino after-restore`, and the look before the start.

Owns how the feed is moved ahead, as the schema's owner. What moving means is in casino.move_feed_ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import psycopg
from psycopg import sql

from casino.settings import Settings
from casino.wallet.queries import RESTORE_UNFINISHED

OWNER_ROLE: Final = "casino_owner"
CONNECT_TIMEOUT_SECONDS: Final = 5
LOCK_TIMEOUT_SECONDS: Final = 60
NOT_MIGRATED: Final = (
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
)
MOVE_FEED_AHEAD: Final = """
    select ledger.ledger_id, moved.o_moved, moved.o_newest_position, moved.o_first_position
    from (select ledger_id from casino.ledgers order by ledger_id) as ledger
    cross join lateral casino.move_feed_ahead(ledger.ledger_id) as moved
"""


class NotDone(Exception):  # noqa: N818 - an outcome, told to a person
    """Nothing was changed. The text is a sentence for the operator, without the database's address."""


def move_feeds_ahead(owner_url: str) -> Iterator[str]:
    """Move the feed of every ledger ahead, in one transaction; yields a sentence for each. Raises NotDone."""
    try:
        with psycopg.connect(
            owner_url, application_name="casino-after-restore", connect_timeout=CONNECT_TIMEOUT_SECONDS
        ) as connection:
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER_ROLE)))
            connection.execute(f"set lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
            moves = connection.execute(MOVE_FEED_AHEAD).fetchall()
    except NOT_MIGRATED:
        raise NotDone("the schema is older than this program: run `casino migrate` first") from None
    except psycopg.errors.LockNotAvailable:
        raise NotDone(f"somebody held casino.transactions for {LOCK_TIMEOUT_SECONDS} s: run it again") from None
    except psycopg.Error as error:
        raise NotDone(
            f"the database refused ({type(error).__name__}); CASINO_OWNER_DATABASE_URL names a login that may become"
            f" {OWNER_ROLE}"
        ) from None
    for ledger_id, moved, newest, first in moves:
        done = "moved ahead" if moved else "nothing to do, it was moved ahead since this server started"
        yield f"ledger {ledger_id}: {done}; newest feed position {newest}, new rows begin at {first}"


def why_not_to_start(settings: Settings) -> str | None:
    """Why this database must not be served, or None: also when it cannot be asked, which readiness will tell."""
    try:
        with psycopg.connect(
            settings.database_url,
            application_name="casino-start",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            options="-c role=casino_app -c search_path=pg_catalog",
        ) as connection:
            row = connection.execute(RESTORE_UNFINISHED, [settings.ledger_id]).fetchone()
    except psycopg.Error:
        return None
    return row[0] if row else None
