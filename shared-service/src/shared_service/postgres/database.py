"""A service's pool of connections to Postgres. Every wait is bounded, and errors say whether anything was committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import psycopg
import structlog
from psycopg.abc import Query
from psycopg.sql import Composed
from psycopg_pool import PoolTimeout, TooManyRequests

from shared_service.postgres import sessions
from shared_service.postgres.connections import SILENCE_MARGIN_SECONDS, Pool, ServerIsReadOnly, WatchedConnection
from shared_service.postgres.schema import Schema

log = structlog.get_logger()

WAITING_MAX: Final = 256
"""Calls that may wait for a connection. Further calls are refused at once."""
KEPT_OPEN: Final = 2
"""Connections that a pool opens at its start and keeps. It opens more when calls wait for one."""
NO_RESOURCES: Final = "53"
"""The SQLSTATE class of a full disk, no memory, too many connections. The transaction was rolled back."""


class Overloaded(Exception):  # noqa: N818 - an outcome, not a defect
    """Refused before any work: no capacity, or the deadline has passed. Nothing was done."""


class OutcomeUnknown(Exception):  # noqa: N818 - an outcome, not a defect
    """The statement may or may not have been committed. Executing the same ids again finds out."""


DATABASE_DOWN: Final = (Overloaded, OutcomeUnknown, psycopg.OperationalError)
"""The errors of a database that does not answer in time. The statement may or may not have been committed."""


class Database:
    """A pool of connections in autocommit.

    async with Database(url, schema=SCHEMA, …) as database:
        rows = await database.call("select …", (1,))

    `open` does not wait for the database. While it is unavailable, the service is not ready.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: Schema,
        application_name: str,
        size_max: int,
        wait_seconds: float,
        statement_timeout_ms: int,
        lock_timeout_ms: int,
        refused_if: Mapping[str, Query] = MappingProxyType({}),
        enter_scope: Composed | None = None,
        role: str | None = None,
    ) -> None:
        """`refused_if`: see `Pool`. `enter_scope`: the statement of `transaction`, with one parameter.

        `role` is the schema's application role unless another one is named.
        """
        role = role or schema.app_role
        session = sessions.arguments(
            url,
            role=role,
            application_name=application_name,
            statement_timeout=statement_timeout_ms,
            lock_timeout=lock_timeout_ms,
            idle_in_transaction_session_timeout=statement_timeout_ms,
        )
        self._enter_scope = enter_scope
        self._pool = Pool(
            url,
            variable=sessions.variable_of(role, schema.name),
            silence_seconds=statement_timeout_ms / 1000 + SILENCE_MARGIN_SECONDS,
            kwargs={"autocommit": True, "prepare_threshold": 0, **session},
            min_size=min(KEPT_OPEN, size_max),
            max_size=size_max,
            max_waiting=WAITING_MAX,
            timeout=wait_seconds,
            name=schema.name,
            refused_if=refused_if,
        )

    async def open(self) -> None:
        """Start to connect, in the background."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        """Open it."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    def refusal(self) -> str | None:
        """Returns the name of what refused the newest connection (`refused_if`), or None."""
        return self._pool.refusal

    def connections(self) -> dict[str, int]:
        """Returns how many connections are open and idle, and how many calls wait for one."""
        now = self._pool.get_stats()
        return {
            "open": now.get("pool_size", 0),
            "idle": now.get("pool_available", 0),
            "waited_for": now.get("requests_waiting", 0),
        }

    async def call(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement in its own transaction and return its rows.

        Raises Overloaded when no connection was free in time or the server has no resources (nothing was done),
        OutcomeUnknown when the connection broke or the commit may not survive a failover (it may have been committed),
        and psycopg.Error when the database refused the statement (nothing was committed).
        """
        connection = await self._connection()
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

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[WatchedConnection]:
        """A connection for several statements. Outside `connection.transaction()` each statement commits by itself.

        Raises Overloaded when no connection was free in time (nothing was done), and the errors of the statements.
        """
        connection = await self._connection()
        try:
            yield connection
        finally:
            await self._pool.putconn(connection)

    @asynccontextmanager
    async def transaction(self, scope: str) -> AsyncIterator[WatchedConnection]:
        """A transaction that sees the rows of one scope and of those below it; none for a scope that is not there.

        Raises as `connection`. Outside of it no row of any scope is seen.
        """
        if self._enter_scope is None:
            raise RuntimeError("this database has no scopes")
        async with self.connection() as connection, connection.transaction():
            await connection.execute(self._enter_scope, (scope,))
            yield connection

    async def _connection(self) -> WatchedConnection:
        try:
            return await self._pool.getconn()
        except (PoolTimeout, TooManyRequests) as error:
            raise Overloaded(str(error)) from error


def _is_broken(connection: WatchedConnection, error: psycopg.Error) -> bool:
    """Returns whether the outcome is unknown: the connection was lost, or the server did not report the error."""
    return connection.broken or isinstance(error, psycopg.InterfaceError) or error.sqlstate is None
