"""What a connection notices by itself: a server that went away, is silent, has no room, or must not be written to."""

from __future__ import annotations

import asyncio

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from structlog.typing import EventDict

from casino.sql.schema import APPLICATION_NAME
from casino_testing.processes import WAIT_SECONDS_MAX, Wire, databases, held_transaction, until_waiting
from casino_testing.service import login_url
from casino_testing.tenant import Tenant
from shared_service.postgres.connections import SILENCE_MARGIN_SECONDS
from shared_service.postgres.database import OutcomeUnknown, Overloaded
from shared_service_testing.waiting import until

pytestmark = pytest.mark.usefixtures("kept_connections")

WAIT_FOR_THE_HOLDER = "select 1 from pg_catalog.pg_advisory_xact_lock_shared(0)"
OF_THE_SERVICE = (
    f"select pid from pg_stat_activity where application_name = '{APPLICATION_NAME}' and datname = current_database()"
)
KILL_THE_SERVICE = f"select pg_terminate_backend(pid) from ({OF_THE_SERVICE}) as service"


async def test_connections_that_died_while_they_were_idle_cost_no_call_an_error(tenant: Tenant) -> None:
    async with databases(tenant, 1, pool_size_max=4) as (database,):
        with held_transaction(tenant) as holder:
            holder.execute("select pg_advisory_xact_lock(0)")
            calls = [asyncio.create_task(database.call(WAIT_FOR_THE_HOLDER)) for _ in range(4)]
            await until_waiting(tenant, 4)
        await asyncio.gather(*calls)
        await end_connections(tenant)
        assert [await database.call("select 1") for _ in range(8)] == [[(1,)]] * 8


async def test_a_server_that_says_nothing_is_given_up_and_the_outcome_is_open(tenant: Tenant) -> None:
    """Row A11. The server's own statement time-out cannot be heard from a machine that stands still."""
    async with (
        Wire.to(tenant.url) as wire,
        databases(tenant, 1, database_url=wire.url, statement_timeout_ms=60_000) as (database,),
    ):
        async with database._pool.connection() as connection:
            assert connection.silence_seconds == 60 + SILENCE_MARGIN_SECONDS
            connection.silence_seconds = 0.5  # for this test; a new connection has all of it again
        wire.loses_answers = True
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            with pytest.raises(OutcomeUnknown):
                await database.call("select 1")
        wire.loses_answers = False
        assert await database.call("select 1") == [(1,)]


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "53300"])
async def test_a_server_without_room_has_done_nothing_and_its_caller_may_come_again(
    tenant: Tenant, sqlstate: str, logged: list[EventDict]
) -> None:
    """Row A9."""
    async with databases(tenant, 1) as (database,):
        with pytest.raises(Overloaded):
            await database.call(f"do $$ begin raise exception 'full' using errcode = '{sqlstate}'; end $$")
        assert await database.call("select 1") == [(1,)]
    (told,) = [event for event in logged if event["event"] == "database_has_no_room"]
    assert told["error_type"] in {"DiskFull", "OutOfMemory", "TooManyConnections"}


async def test_a_server_that_became_read_only_is_left_for_another_connection(tenant: Tenant) -> None:
    """Row A5. A demoted primary: nothing was done there, and the next connection looks for the new one."""
    async with databases(tenant, 1, pool_size_max=1) as (database,):
        before = await database.call(
            "select pg_catalog.pg_backend_pid(), pg_catalog.set_config('default_transaction_read_only', 'on', false)"
        )
        with pytest.raises(Overloaded):
            await database.call("select casino.claim_nonces(array['n'], array[0::bigint])")
        assert await database.call("select pg_catalog.pg_backend_pid()") != [(before[0][0],)]


async def test_a_list_of_hosts_is_gone_through_until_one_takes_writes(tenant: Tenant) -> None:
    parts = conninfo_to_dict(login_url(tenant.url))
    parts |= {"host": "127.0.0.1,127.0.0.1", "port": f"1,{parts['port']}"}
    async with databases(tenant, 1, database_url=make_conninfo(**parts)) as (database,):
        assert await database.call("select 1") == [(1,)]


async def end_connections(tenant: Tenant) -> None:
    """End them, and wait until the server has: one that is about to end is not yet recognisable."""
    tenant.sql(KILL_THE_SERVICE)
    await until(lambda: not tenant.sql(OF_THE_SERVICE))
