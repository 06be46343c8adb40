"""Prepares a restored database: `casino after-restore`, and the check before a start.

See the SQL function casino.move_feed_ahead. It runs as the schema's owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg.sql import Composed

from casino.peers.games import TAKE_GAMES_AT_START, games_of
from casino.settings import Settings
from casino.sql.schema import SCHEMA, reasons_not_to_serve
from shared_service.postgres import sessions as postgres_session

CONNECT_TIMEOUT_SECONDS: Final = 5
LOCK_TIMEOUT_SECONDS: Final = 60
MOVE_FEED_AHEAD: Final = """
    select ledger.ledger_id, moved.o_moved, moved.o_newest_position, moved.o_first_position
    from (select ledger_id from casino.ledgers order by ledger_id) as ledger
    cross join lateral casino.move_feed_ahead(ledger.ledger_id) as moved
"""


class NotDone(Exception):  # noqa: N818 - an outcome, not a defect
    """Nothing was changed. The text tells the operator why, without the database's address."""


def move_feeds_ahead(owner_url: str) -> Iterator[str]:
    """Move the feed of every ledger ahead, in one transaction. Yields a sentence for each. Raises NotDone."""
    try:
        with postgres_session.connect(
            owner_url,
            role=SCHEMA.owner_role,
            application_name="casino-after-restore",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            migrated=True,
            statement_timeout=0,
            lock_timeout=f"{LOCK_TIMEOUT_SECONDS}s",
        ) as connection:
            moves = connection.execute(MOVE_FEED_AHEAD).fetchall()
    except psycopg.errors.LockNotAvailable:
        raise NotDone(f"somebody held casino.transactions for {LOCK_TIMEOUT_SECONDS} s: run it again") from None
    except psycopg.Error as error:
        raise NotDone(postgres_session.sentence(error, service="casino")) from None
    for ledger_id, moved, newest, first in moves:
        done = "moved ahead" if moved else "nothing to do, it was moved ahead since this server started"
        yield f"ledger {ledger_id}: {done}; newest feed position {newest}, new rows begin at {first}"


def why_not_to_start(settings: Settings) -> str | None:
    """Returns why the service must not start with this database, or None. Also None if it does not answer.

    Takes over the games of the file of providers: one that names a game of another provider must not start either.
    """
    reasons = reasons_not_to_serve(settings)
    try:
        # As the login itself: one that may not take the application's role may still be one that must not.
        with _connected(settings, postgres_session.NO_ROLE) as connection:
            if (reason := _first_reason(connection, [reasons.pop("login")])) is not None:
                return reason
        with _connected(settings, SCHEMA.app_role) as connection:
            reason = _first_reason(connection, reasons.values())
            if reason is not None or not settings.providers:
                return reason
            wanted = {
                "tenant": settings.tenant_id, "ledger": settings.ledger_id, "games": games_of(settings.providers),
            }  # fmt: skip
            refused = connection.execute(TAKE_GAMES_AT_START, wanted).fetchone()
            return f"CASINO_PROVIDERS_FILE is not usable: {refused[0]}" if refused and refused[0] else None
    except postgres_session.DatabaseUnfit as error:
        return str(error)
    except psycopg.Error:
        return None


def _connected(settings: Settings, role: str) -> Any:
    return postgres_session.connect(
        settings.database_url,
        role=role,
        application_name="casino-start",
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        statement_timeout=settings.statement_timeout_ms,
    )


def _first_reason(connection: psycopg.Connection[tuple[str | None]], statements: Iterable[Composed]) -> str | None:
    for statement in statements:
        with suppress(psycopg.errors.UndefinedFunction, psycopg.errors.InsufficientPrivilege):  # not migrated yet
            row = connection.execute(statement).fetchone()
            if row is not None and row[0] is not None:
                return row[0]
    return None
