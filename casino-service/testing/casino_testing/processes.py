"""Several processes of the service at once, each reduced to its connections; and what may happen to a connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from casino.sql.schema import APPLICATION_NAME, database_for
from casino.wallet.commands import Ledger, WalletCommand, WalletOutcome
from casino.wallet.serving import TURNS_MAX
from casino_testing.service import login_url, settings_of
from casino_testing.tenant import Tenant
from shared_service.postgres.database import Database
from shared_service.postgres.group_commit import GroupCommit
from shared_service_testing.waiting import until

WAIT_SECONDS_MAX: Final = 60.0
CHUNK_BYTES: Final = 65_536

WAITING_FOR_LOCKS: Final = f"""
    select pid from pg_stat_activity
    where wait_event_type = 'Lock' and application_name = '{APPLICATION_NAME}' and datname = current_database()
"""

HeldTransaction = psycopg.Connection[tuple[Any, ...]]


@asynccontextmanager
async def databases(tenant: Tenant, count: int, **changes: Any) -> AsyncIterator[list[Database]]:
    """Pools of their own, as so many processes would have them."""
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(count):
            database = database_for(settings_of(tenant, **changes))
            await database.open()
            stack.push_async_callback(database.close)
            opened.append(database)
        yield opened


@asynccontextmanager
async def ledgers(tenant: Tenant, count: int, **changes: Any) -> AsyncIterator[list[Ledger]]:
    """The ledger behind pools of their own."""
    async with databases(tenant, count, **changes) as opened:
        yield [Ledger(database, tenant.ledger_id) for database in opened]


@asynccontextmanager
async def group_commit(ledger: Ledger) -> AsyncIterator[GroupCommit[WalletCommand, WalletOutcome]]:
    """A group commit over the connections of one process. It is drained at the end."""
    commands: GroupCommit[WalletCommand, WalletOutcome] = GroupCommit(
        ledger.execute, batch_max=64, lanes=2, queue_max=4_096, key_queue_max=256, turns_max=TURNS_MAX
    )
    try:
        yield commands
    finally:
        await commands.close()


async def until_answered(ledger: Ledger, command: WalletCommand) -> WalletOutcome:
    """Execute one command again and again while another process holds its wallet."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while True:
            (outcome,) = await ledger.execute([command])
            if outcome is not None:
                return outcome
            await asyncio.sleep(0)


@contextmanager
def held_transaction(tenant: Tenant) -> Iterator[HeldTransaction]:
    """A database transaction that stays open until the test commits it; at the end it is rolled back."""
    with contextlib.closing(psycopg.connect(tenant.url)) as connection:
        try:
            yield connection
        finally:
            connection.rollback()  # closing would give the locks back only a moment later


def book_in(connection: HeldTransaction, tenant: Tenant, commands: Sequence[WalletCommand]) -> None:
    """Book commands in an open database transaction, as a process that is slow to commit would."""
    rows = connection.execute(
        "select o_outcome from casino.execute_wallet_commands(%s, %s::jsonb)",
        [tenant.ledger_id, msgspec.json.encode(commands).decode()],
    ).fetchall()
    assert [row[0] for row in rows] == ["committed"] * len(commands)


class Wire:
    """A TCP hop in front of Postgres that can lose the answers and be cut."""

    def __init__(self, url: str) -> None:
        self._target = conninfo_to_dict(login_url(url))
        self._writers: set[asyncio.StreamWriter] = set()
        self._hops: set[asyncio.Task[None]] = set()
        self.url = ""
        self.loses_answers = False

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator[Wire]:
        """A wire to the database behind a superuser's URL; the service's login connects to `wire.url`."""
        wire = cls(url)
        server = await asyncio.start_server(wire._connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        wire.url = make_conninfo(**{**wire._target, "host": "127.0.0.1", "port": port})
        try:
            yield wire
        finally:
            server.close()
            wire.cut()
            await asyncio.gather(*wire._hops, return_exceptions=True)

    def cut(self) -> None:
        """End every connection at once; new ones are let through."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = int(str(self._target["port"]))
        far_reader, far_writer = await asyncio.open_connection(str(self._target["host"]), port)
        self._writers |= {writer, far_writer}
        for source, sink, answers in ((reader, far_writer, False), (far_reader, writer, True)):
            hop = asyncio.create_task(self._carry(source, sink, answers))
            self._hops.add(hop)
            hop.add_done_callback(self._hops.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(CHUNK_BYTES):
                if not (answers and self.loses_answers):
                    sink.write(chunk)
                    await sink.drain()
        sink.close()


async def until_connected(database: Database) -> None:
    """Wait until a pool has a connection to give: short patience is not meant for the time that connecting takes."""
    await until(lambda: database.connections()["idle"])


async def until_waiting(tenant: Tenant, count: int = 1) -> None:
    """Wait until so many statements of the service wait for a lock: what a test holds has stopped them."""
    await until(lambda: len(tenant.sql(WAITING_FOR_LOCKS)) >= count)
