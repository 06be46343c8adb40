"""A service that is stopped finishes what it has begun, and is then gone without a trace."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import psycopg
from structlog.typing import EventDict

from casino.sql.schema import APPLICATION_NAME
from casino_testing.edge import bet, serving
from casino_testing.processes import held_transaction, until_waiting
from casino_testing.scrape import until_shown
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from shared_service_testing.backend import turns
from shared_service_testing.waiting import until

SLOW_EVENTS = """
    create function public.slow() returns trigger language plpgsql as
        $$begin perform pg_advisory_xact_lock_shared(0); return new; end$$;
    create trigger slow before insert on casino.ledger_events for each row execute function public.slow();
"""


async def test_bets_in_flight_are_answered_before_the_service_is_gone(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    tenant.sql(SLOW_EVENTS)
    async with AsyncExitStack() as running:
        service = await running.enter_async_context(serving(tenant))
        tokens = {player_id: await service.launch(player_id) for player_id in ("1", "2")}
        contents = [bet(tokens[player_id], userId=player_id) for player_id in ("1", "2", "1")]
        with held_transaction(tenant) as holder:
            holder.execute("select pg_advisory_xact_lock(0)")
            asking = [asyncio.create_task(service.post("debit", content)) for content in contents]
            await until_waiting(tenant)
            await until_shown(service.anybody, len(asking), "casino_queue_length", queue="money")
            stopping = asyncio.create_task(running.aclose())
            await turns()
            assert not any(task.done() for task in (*asking, stopping))
        await stopping
        responses = await asyncio.gather(*asking)
    assert [response.status_code for response in responses] == [200, 200, 200]
    assert (tenant.balance("1"), tenant.balance("2")) == (OPENING_BALANCE_MINOR - 2_000, OPENING_BALANCE_MINOR - 1_000)
    tenant.close()


async def test_after_the_stop_no_connection_is_left(tenant: Tenant, logged: list[EventDict]) -> None:
    async with serving(tenant) as service:
        await service.launch()
        assert connections(tenant) > 0
    await until(lambda: connections(tenant) == 0)
    names = [event["event"] for event in logged]
    assert names.index("live_keys_changed") < names.index("service_started"), "keys are known before anybody is served"
    assert names[-1] == "service_stopped"


def connections(tenant: Tenant) -> int:
    with psycopg.connect(tenant.url) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where application_name = %s and datname = current_database()",
            [APPLICATION_NAME],
        ).fetchone()
    assert row is not None
    return int(row[0])


async def must_be_quick(work: Coroutine[Any, Any, None]) -> None:
    """Asks the clock: a time-out would cancel the work, and what swallows a cancellation would look quick."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=30.0)
    task.cancel()
    assert done, "it takes too long"
    await task


async def test_a_service_that_is_stopped_while_it_starts_stops(tenant: Tenant) -> None:
    async def start_and_stop(count: int) -> None:
        async with serving(tenant):
            for _ in range(count):
                await asyncio.sleep(0.0005)

    for count in range(30):
        await must_be_quick(start_and_stop(count))
