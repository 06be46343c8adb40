"""Database connections that reject a former primary or a read-only standby, and a pool of them.

They detect six cases that the driver does not, without a further round trip for a request:

- The server closed a connection while it was idle. The pool does not hand it out, so a restart of Postgres causes no
  failed request.
- The server does not answer at all, because its machine is frozen or gone. The client stops waiting a little after the
  server's own time-out; the outcome is unknown.
- The commit's wait for the synchronous standby was cancelled. Postgres reports success with a warning, but the commit
  may not survive a failover; the outcome is unknown.
- The server became read-only, as a demoted primary is. The connection is closed; the next one looks for the new
  primary.
- The server is on an older timeline than one seen before: a former primary that does not know that it was replaced.
- The service refuses the database by its own statement (`refused_if`), for example after a restore.
"""

from __future__ import annotations

import select
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.abc import PQGen, Query
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from shared_service.postgres.outage import Outage, why_away
from shared_service.postgres.sessions import DatabaseUnfit, unfit_server

RV = TypeVar("RV")

CONNECT_TIMEOUT_SECONDS: Final = 2
RECONNECT_SECONDS: Final = 0.5
"""How soon the pool asks for a connection again after a failure. Whether it then tries, `Outage` decides."""
SILENCE_MARGIN_SECONDS: Final = 1.0
"""How much longer than the server's statement time-out the client waits for an answer."""
DEAD_PEER: Final = {
    # A machine that is gone, for example after a failover, is noticed within about ten seconds.
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
"""The source file of the warning in Postgres. Its text may be translated, and its SQLSTATE is not specific."""


class CommitNotReplicated(psycopg.OperationalError):
    """The commit is perhaps only on this server, because its wait for the standby was cancelled."""


class ServerIsReadOnly(psycopg.OperationalError):
    """This server is a standby or a demoted primary. Nothing was done."""


class StalePrimary(psycopg.OperationalError):
    """This server is a former primary: another one was promoted since."""


class DatabaseRefused(psycopg.OperationalError):
    """The service must not use this database now. The text says why."""


class WatchedConnection(AsyncConnection[Any]):
    """A connection with a bound on every wait, and with the checks of this module."""

    silence_seconds: float = 4.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._not_replicated = False
        self.add_notice_handler(self._note)
        self._socket = select.poll()  # kept, because making one costs as much as polling
        self._socket.register(self.pgconn.socket, WATCHED)

    def is_closed_by_server(self) -> bool:
        """Returns whether an idle connection has unread bytes or an error: the server has closed it."""
        return bool(self._socket.poll(0))

    async def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """As the driver's, with a bound in seconds. Raises CommitNotReplicated and ServerIsReadOnly besides."""
        self._not_replicated = False
        try:
            answer = await super().wait(gen, interval, self.silence_seconds if timeout is None else timeout)
        except psycopg.errors.ReadOnlySqlTransaction as error:
            self.pgconn.finish()
            raise ServerIsReadOnly("the server is read-only") from error
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # a late answer must not be read as the next one's
            raise
        if self._not_replicated:
            raise CommitNotReplicated("the wait for the standby was cancelled")
        return answer

    def _note(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.source_file == SYNC_WAIT:
            self._not_replicated = True


class Pool(AsyncConnectionPool[WatchedConnection]):
    """A pool of working connections to the newest primary.

    `refused_if` has statements by name, which return null or why this database must not be used. Each new connection
    runs them.
    `variable` holds the address, for the log.
    """

    def __init__(
        self,
        url: str,
        *,
        variable: str,
        silence_seconds: float,
        kwargs: dict[str, Any],
        refused_if: Mapping[str, Query] = MappingProxyType({}),
        **options: Any,
    ) -> None:
        self._silence_seconds = silence_seconds
        self._outage = Outage(variable)
        self._newest_timeline = 0
        self._refused_if = refused_if
        self.refusal: str | None = None
        """The name of the statement that refused the newest connection, or None."""
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
        """As the pool's, without connections that the server has closed: those are dropped."""
        for _ in range(self.max_size):
            connection = await super().getconn(timeout)
            if not connection.is_closed_by_server():
                return connection
            await connection.close()
            await self.putconn(connection)
        return await super().getconn(timeout)

    async def _connect(self, timeout: float | None = None) -> WatchedConnection:
        """As the pool's, with a pause after failures. Raises NotTried besides."""
        self._outage.begin_attempt()
        try:
            connection = await super()._connect(timeout)
        except psycopg.Error as error:
            is_own = isinstance(error, DatabaseUnfit | StalePrimary | DatabaseRefused)
            self._outage.failed(str(error) if is_own else why_away(str(error)) or type(error).__name__)
            raise
        self._outage.ended()
        return connection

    async def _admit(self, connection: WatchedConnection) -> None:
        connection.silence_seconds = self._silence_seconds
        try:
            why = unfit_server(connection.info)
            if why is not None:
                raise DatabaseUnfit(why)
            await self._refuse_a_former_primary(connection)
            await self._refuse_as_asked(connection)
        except BaseException:
            connection.pgconn.finish()  # the pool drops a refused connection without closing it
            raise

    async def _refuse_a_former_primary(self, connection: WatchedConnection) -> None:
        """Raise StalePrimary for a timeline older than the newest one seen: every promotion starts a new timeline."""
        try:
            row = await (await connection.execute(TIMELINE)).fetchone()
        except (psycopg.errors.FeatureNotSupported, psycopg.errors.InsufficientPrivilege):
            return  # a managed Postgres that hides its WAL keeps former primaries away itself
        timeline = int(row[0]) if row else 0
        if timeline < self._newest_timeline:
            raise StalePrimary(f"timeline {timeline} was left for {self._newest_timeline}")
        self._newest_timeline = timeline

    async def _refuse_as_asked(self, connection: WatchedConnection) -> None:
        for name, statement in self._refused_if.items():
            try:
                row = await (await connection.execute(statement)).fetchone()
            except (
                psycopg.errors.UndefinedFunction,
                psycopg.errors.InvalidSchemaName,
                psycopg.errors.InsufficientPrivilege,
            ):
                continue  # not migrated yet; readiness reports it
            if row is not None and row[0] is not None:
                self.refusal = name
                raise DatabaseRefused(row[0])
        self.refusal = None
