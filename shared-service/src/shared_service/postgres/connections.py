"""One kind of database connection: what it notices by itself, so that nobody believes a server that cannot be believed.

Owns six observations that the driver leaves to its user. It must never cost the hot path a round trip.

- A connection that died while it was idle: the server's farewell lies unread in the socket. Such a one is not handed
  out, so a restart of Postgres costs no request an error.
- A server that says nothing at all: a frozen or vanished machine. Its own time-outs do not help then, so the client's
  patience ends a little after them, and the outcome is unknown.
- A commit whose wait for the synchronous standby was cancelled: Postgres reports success with a warning, although the
  commit may not survive a failover. The outcome is unknown.
- A server that became read-only, which is what a demoted primary is: the connection is dropped, the next one looks
  for the new primary.
- A server on an older timeline than one seen before: the former primary is back and does not know that it was replaced.
- A database that the service itself refuses, by a statement of its own (`refused_if`): one that was restored.
"""

from __future__ import annotations

import select
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.abc import PQGen, Query
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from shared_service.postgres.sessions import DatabaseUnfit, unfit_server

RV = TypeVar("RV")

CONNECT_TIMEOUT_SECONDS: Final = 2
RECONNECT_SECONDS: Final = 0.5
"""The pool doubles its pause between attempts up to this long: a database that is back must be noticed at once."""
SILENCE_MARGIN_SECONDS: Final = 1.0
"""How much longer than the server's own statement time-out a client waits for it."""
DEAD_PEER: Final = {
    # Postgres moved to another machine, and the old one does not even refuse: noticed in about ten seconds.
    "keepalives": 1,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 4_000,
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "target_session_attrs": "read-write",
}
WATCHED: Final = select.POLLIN | select.POLLHUP | select.POLLERR
TIMELINE: Final = """
    select ('x' || pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8))::bit(32)::int
"""
SYNC_WAIT: Final = "syncrep.c"
"""Where in Postgres the warning comes from; its text is translated, its SQLSTATE says nothing."""


class CommitNotReplicated(psycopg.OperationalError):
    """The commit is on this server and perhaps nowhere else: its wait for the standby was cancelled."""


class ServerIsReadOnly(psycopg.OperationalError):
    """This server is a standby or a demoted primary. Nothing was done."""


class StalePrimary(psycopg.OperationalError):
    """This server was the primary once, and another one has been promoted since."""


class DatabaseRefused(psycopg.OperationalError):
    """The service must not use this database as it is. The text says why."""


class WatchedConnection(AsyncConnection[Any]):
    """A connection that knows how long it may be silent and what its server's warnings mean."""

    silence_seconds: float = 4.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._not_replicated = False
        self.add_notice_handler(self._note)
        self._socket = select.poll()  # kept: a new one for each question would cost as much again as the question
        self._socket.register(self.pgconn.socket, WATCHED)

    def hung_up(self) -> bool:
        """Whether the server has said something since the last answer: on an idle connection, that is goodbye."""
        return bool(self._socket.poll(0))

    async def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """As the driver's, with an end, and with a second look at what the server called a success."""
        self._not_replicated = False
        try:
            answer = await super().wait(gen, interval, self.silence_seconds if timeout is None else timeout)
        except psycopg.errors.ReadOnlySqlTransaction as error:
            self.pgconn.finish()
            raise ServerIsReadOnly("the server is read-only") from error
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # no answer in time: what still comes must not be taken for the next one's
            raise
        if self._not_replicated:
            raise CommitNotReplicated("the wait for the standby was cancelled")
        return answer

    def _note(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.source_file == SYNC_WAIT:
            self._not_replicated = True


class Pool(AsyncConnectionPool[WatchedConnection]):
    """A pool that hands out living connections to the newest primary only.

    `refused_if` is a statement that answers null, or why this database must not be used. Each new connection asks it.
    """

    def __init__(
        self,
        url: str,
        *,
        silence_seconds: float,
        kwargs: dict[str, Any],
        refused_if: Query | None = None,
        **options: Any,
    ) -> None:
        self._silence_seconds = silence_seconds
        self._newest_timeline = 0
        self._refused_if = refused_if
        self.refusal: str | None = None
        super().__init__(
            url,
            connection_class=WatchedConnection,
            kwargs=DEAD_PEER | kwargs,
            configure=self._admit,
            reconnect_timeout=RECONNECT_SECONDS,
            open=False,
            **options,
        )

    async def getconn(self, timeout: float | None = None) -> WatchedConnection:
        """As the pool's; connections that died while they were idle are thrown away, all at once if need be."""
        for _ in range(self.max_size):
            connection = await super().getconn(timeout)
            if not connection.hung_up():
                return connection
            await connection.close()
            await self.putconn(connection)
        return await super().getconn(timeout)

    async def _admit(self, connection: WatchedConnection) -> None:
        connection.silence_seconds = self._silence_seconds
        try:
            why = unfit_server(connection.info)
            if why is not None:
                raise DatabaseUnfit(why)
            await self._refuse_a_former_primary(connection)
            await self._refuse_as_asked(connection)
        except BaseException:
            connection.pgconn.finish()  # the pool forgets what it may not have, without closing it
            raise

    async def _refuse_a_former_primary(self, connection: WatchedConnection) -> None:
        """Every promotion starts a new timeline, and this process remembers the newest that it has seen."""
        try:
            row = await (await connection.execute(TIMELINE)).fetchone()
        except (psycopg.errors.FeatureNotSupported, psycopg.errors.InsufficientPrivilege):
            return  # a managed Postgres that hides its WAL fences its primaries itself
        timeline = int(row[0]) if row else 0
        if timeline < self._newest_timeline:
            raise StalePrimary(f"timeline {timeline} was left for {self._newest_timeline}")
        self._newest_timeline = timeline

    async def _refuse_as_asked(self, connection: WatchedConnection) -> None:
        if self._refused_if is None:
            return
        try:
            row = await (await connection.execute(self._refused_if)).fetchone()
        except (
            psycopg.errors.UndefinedFunction,
            psycopg.errors.InvalidSchemaName,
            psycopg.errors.InsufficientPrivilege,
        ):
            return  # not migrated yet, which readiness says
        self.refusal = row[0] if row else None
        if self.refusal is not None:
            raise DatabaseRefused(self.refusal)
