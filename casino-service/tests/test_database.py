"""The way to Postgres: what a connection is set to, and what an error on it means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from casino_testing.processes import databases, until_connected
from casino_testing.tenant import Tenant
from shared_service.postgres.database import Database, OutcomeUnknown, Overloaded
from shared_service_testing.waiting import until

pytestmark = pytest.mark.usefixtures("kept_connections")

Rows = list[tuple[Any, ...]]


@pytest.fixture
async def database(tenant: Tenant) -> AsyncIterator[Database]:
    """A pool with one connection."""
    async with databases(tenant, 1) as (one,):
        yield one


@asynccontextmanager
async def asleep(tenant: Tenant, database: Database, seconds: float) -> AsyncIterator[tuple[asyncio.Task[Rows], int]]:
    """A call that sleeps on the pool's one connection, and the process of the server that sleeps."""
    ((pid,),) = await database.call("select pg_catalog.pg_backend_pid()")
    sleeping = asyncio.create_task(database.call("select pg_catalog.pg_sleep(%s)", [seconds]))
    await until(lambda: tenant.sql("select pid from pg_stat_activity where pid = %s and wait_event = 'PgSleep'", pid))
    try:
        yield sleeping, pid
    finally:
        sleeping.cancel()
        await asyncio.wait({sleeping})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("role", "casino_app"),
        ("search_path", "pg_catalog,pg_temp"),
        ("TimeZone", "UTC"),
        ("synchronous_commit", "on"),
        ("transaction_isolation", "read committed"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "20s"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("application_name", "casino"),
    ],
)
async def test_a_connection_is_set_to_what_money_needs(database: Database, name: str, value: str) -> None:
    assert await database.call("select pg_catalog.current_setting(%s)", [name]) == [(value,)]


async def test_every_call_is_a_transaction_of_its_own(database: Database) -> None:
    first, second = [await database.call("select pg_catalog.pg_current_xact_id()::text") for _ in range(2)]
    assert first != second


async def test_what_the_database_refuses_is_an_error_and_the_connection_lives_on(database: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await database.call("select 1 / 0")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await database.call("delete from casino.wallets")
    assert await database.call("select 1") == [(1,)]


async def test_a_statement_that_takes_too_long_is_ended_and_has_done_nothing(database: Database) -> None:
    await database.call("select pg_catalog.set_config('statement_timeout', '1s', false)")
    with pytest.raises(psycopg.errors.QueryCanceled):
        await database.call("select pg_catalog.pg_sleep(60)")
    assert await database.call("select 1") == [(1,)]


async def test_a_call_that_finds_no_free_connection_is_refused_before_any_work(tenant: Tenant) -> None:
    async with databases(tenant, 1, pool_wait_seconds=0.5, statement_timeout_ms=60_000) as (database,):
        await until_connected(database)
        async with asleep(tenant, database, 60):
            with pytest.raises(Overloaded):
                await database.call("select 1")


async def test_a_connection_that_dies_in_a_call_leaves_the_outcome_open(tenant: Tenant) -> None:
    async with databases(tenant, 1) as (database,), asleep(tenant, database, 60) as (sleeping, pid):
        tenant.sql("select pg_terminate_backend(%s)", pid)
        with pytest.raises(OutcomeUnknown):
            await sleeping
        assert await database.call("select 1") == [(1,)]


async def test_a_caller_that_gives_up_does_not_take_the_connection_with_it(tenant: Tenant, database: Database) -> None:
    async with asleep(tenant, database, 60) as (sleeping, _):
        sleeping.cancel()
        await asyncio.wait({sleeping})
        assert await database.call("select 1") == [(1,)]
