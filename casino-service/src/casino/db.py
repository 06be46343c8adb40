"""The service's way to Postgres: one pool, one kind of connection, and what an error means.

Owns connections and their time-outs. It must never hold a database transaction open between two calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg
import structlog
from psycopg import sql
from psycopg_pool import PoolTimeout, TooManyRequests

from casino.settings import Settings
from shared_service.postgres import sessions as postgres_session
from shared_service.postgres.connections import SILENCE_MARGIN_SECONDS, Pool, ServerIsReadOnly, WatchedConnection

log = structlog.get_logger()

APP_ROLE: Final = "casino_app"
APPLICATION_NAME: Final = "casino-service"
POOL_QUEUE_MAX: Final = 256
"""Calls that may wait for a connection; above it a call is refused at once."""
IDLE_IN_TRANSACTION_TIMEOUT_MS: Final = 10_000
NO_RESOURCES: Final = "53"
"""The SQLSTATE class of a full disk, no memory, too many connections: the transaction was undone, try again later."""


class Overloaded(Exception):  # noqa: N818 - an outcome, not a defect
    """Refused before any work: no room, or too late to start."""


class OutcomeUnknown(Exception):  # noqa: N818 - an outcome, not a defect
    """What was asked may or may not have been committed. Asking the same again finds out."""


class Database:
    """A pool of connections in autocommit: every call is one statement, one transaction, one round trip."""

    def __init__(self, settings: Settings) -> None:
        session = postgres_session.arguments(
            settings.database_url,
            role=APP_ROLE,
            application_name=APPLICATION_NAME,
            statement_timeout=settings.statement_timeout_ms,
            lock_timeout=settings.lock_timeout_ms,
            idle_in_transaction_session_timeout=IDLE_IN_TRANSACTION_TIMEOUT_MS,
        )
        self._pool = Pool(
            settings.database_url,
            silence_seconds=settings.statement_timeout_ms / 1000 + SILENCE_MARGIN_SECONDS,
            kwargs={"autocommit": True, "prepare_threshold": 0, **session},
            min_size=min(2, settings.pool_size_max),
            max_size=settings.pool_size_max,
            max_waiting=POOL_QUEUE_MAX,
            timeout=settings.pool_wait_seconds,
            name="casino",
            refused_if=sql.SQL("select casino.restore_unfinished({})").format(sql.Literal(settings.ledger_id)),
        )

    async def open(self) -> None:
        """Start connecting; a database that is away does not stop the start, it makes the service not ready."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    def refusal(self) -> str | None:
        """Why the database must not be used, if the newest connection found a reason."""
        return self._pool.refusal

    def connections(self) -> dict[str, int]:
        """How many connections are open and idle, and how many calls wait for one."""
        now = self._pool.get_stats()
        return {
            "open": now.get("pool_size", 0),
            "idle": now.get("pool_available", 0),
            "waited_for": now.get("requests_waiting", 0),
        }

    async def call(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own and return its rows.

        Raises Overloaded when no connection was free in time or the server has no room (nothing was done),
        OutcomeUnknown when the connection broke or the commit may not survive (it may have been committed), and
        psycopg.Error when the database refused it (nothing was committed).
        """
        try:
            connection = await self._pool.getconn()
        except (PoolTimeout, TooManyRequests) as error:
            raise Overloaded(str(error)) from error
        try:
            cursor = await connection.execute(statement, parameters, prepare=True, binary=True)
            return await cursor.fetchall()
        except ServerIsReadOnly as error:
            raise Overloaded(str(error)) from error
        except psycopg.Error as error:
            if _is_broken(connection, error):
                raise OutcomeUnknown(type(error).__name__) from error
            if error.sqlstate is not None and error.sqlstate.startswith(NO_RESOURCES):
                log.error("database_has_no_room", error_type=type(error).__name__)
                raise Overloaded(type(error).__name__) from error
            raise
        finally:
            await self._pool.putconn(connection)


def _is_broken(connection: WatchedConnection, error: psycopg.Error) -> bool:
    """A lost connection leaves the outcome open; an error that the server reported on a live one does not."""
    return connection.broken or isinstance(error, psycopg.InterfaceError) or error.sqlstate is None
