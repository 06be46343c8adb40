"""The memory of used nonces: once and never again, for every process, over restarts, and never forgotten too early."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.typing import EventDict

from casino.callbacks.nonces import DatabaseNonceStore
from casino.sql.schema import database_for
from casino_testing.processes import Wire
from casino_testing.service import settings_of
from casino_testing.tenant import SET_CLOCK, Tenant
from shared_service_testing.waiting import until
from shared_signing.nonces import NonceStoreOverloaded

NOW = 1_763_690_000
PARTITION_SECONDS = 360
WINDOW_SECONDS = 60
RETENTION_SECONDS = 300
AHEAD_MAX_SECONDS = 120
BEHIND_MAX_SECONDS = 360
BATCH = 64


def fresh_nonce() -> str:
    return secrets.token_hex(16)


@asynccontextmanager
async def stores(tenant: Tenant, count: int = 1, **changes: Any) -> AsyncIterator[list[DatabaseNonceStore]]:
    """Nonce stores of as many processes."""
    tenant.make_clock_settable()
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(count):
            database = database_for(settings_of(tenant, **changes))
            await database.open()
            stack.push_async_callback(database.close)
            store = DatabaseNonceStore(database, batch_max=BATCH, lanes=2, queue_max=4_096, budget_seconds=60.0)
            stack.push_async_callback(store.close)
            if "database_url" not in changes:  # a database that can be reached
                await set_clock(store, NOW)
            opened.append(store)
        yield opened


async def test_a_nonce_is_claimed_once(tenant: Tenant) -> None:
    async with stores(tenant) as (store,):
        nonce = fresh_nonce()
        assert [await store.claim("main", nonce, NOW) for _ in range(3)] == [True, False, False]
        assert await store.claim("main", fresh_nonce(), NOW)


async def test_nonces_that_arrive_together_are_all_claimed(tenant: Tenant) -> None:
    async with stores(tenant) as (store,):
        nonces = [fresh_nonce() for _ in range(3 * BATCH)]
        assert all(await asyncio.gather(*(store.claim("main", nonce, NOW) for nonce in nonces)))
        assert not any(await asyncio.gather(*(store.claim("main", nonce, NOW) for nonce in nonces)))


@pytest.mark.parametrize("copies", [2, 3, 20])
async def test_of_copies_at_the_same_moment_one_is_accepted(tenant: Tenant, copies: int) -> None:
    async with stores(tenant) as (store,):
        for _ in range(20):
            nonce = fresh_nonce()
            assert sum(await asyncio.gather(*(store.claim("main", nonce, NOW) for _ in range(copies)))) == 1


async def test_of_copies_at_the_same_moment_in_two_processes_one_is_accepted(tenant: Tenant) -> None:
    async with stores(tenant, 2) as (one, other):
        for _ in range(200):
            nonce = fresh_nonce()
            assert sum(await asyncio.gather(one.claim("main", nonce, NOW), other.claim("main", nonce, NOW))) == 1


async def test_two_processes_claiming_the_same_nonces_in_opposing_order_never_wait_in_a_ring(tenant: Tenant) -> None:
    async with stores(tenant, 2) as (one, other):
        for _ in range(30):
            nonces = [fresh_nonce() for _ in range(BATCH)]
            first, second = await asyncio.gather(
                asyncio.gather(*(one.claim("main", nonce, NOW) for nonce in nonces)),
                asyncio.gather(*(other.claim("main", nonce, NOW) for nonce in nonces[::-1])),
            )
            assert [a + b for a, b in zip(first, second[::-1], strict=True)] == [1] * BATCH


@pytest.mark.parametrize("later_seconds", [1, 59, 120, PARTITION_SECONDS, 2 * PARTITION_SECONDS, -PARTITION_SECONDS])
async def test_a_nonce_under_another_timestamp_is_still_used(tenant: Tenant, later_seconds: int) -> None:
    async with stores(tenant) as (store,):
        nonce = fresh_nonce()
        assert await store.claim("main", nonce, NOW)
        assert not await store.claim("main", nonce, NOW + later_seconds)


async def test_a_nonce_under_another_key_is_still_used(tenant: Tenant) -> None:
    """Row E1."""
    async with stores(tenant) as (store,):
        nonce = fresh_nonce()
        assert await store.claim("main", nonce, NOW)
        assert not await store.claim("k2", nonce, NOW)


async def test_nonces_that_differ_only_in_case_are_two(tenant: Tenant) -> None:
    async with stores(tenant) as (store,):
        nonce = "abcdefABCDEF-_" + fresh_nonce()
        assert await store.claim("main", nonce, NOW)
        assert await store.claim("main", nonce.swapcase(), NOW)


async def test_a_used_nonce_is_known_after_a_restart(tenant: Tenant) -> None:
    """Row E1."""
    nonce = fresh_nonce()
    async with stores(tenant) as (store,):
        assert await store.claim("main", nonce, NOW)
    async with stores(tenant) as (restarted,):
        assert not await restarted.claim("main", nonce, NOW)


@asynccontextmanager
async def unanswered_claim(
    tenant: Tenant,
) -> AsyncIterator[tuple[Wire, DatabaseNonceStore, str, asyncio.Task[bool]]]:
    """A claim that is committed and whose answer is lost: cutting the wire tells the store so."""
    async with Wire.to(tenant.url) as wire, stores(tenant, database_url=wire.url, pool_size_max=1) as (store,):
        assert await store.claim("main", fresh_nonce(), int(time.time())), "a connection is open"
        wire.loses_answers = True
        nonce = fresh_nonce()
        claim = asyncio.create_task(store.claim("main", nonce, int(time.time())))
        await until(lambda: tenant.sql("select 1 from casino.nonces where nonce = %s", nonce))
        yield wire, store, nonce, claim


async def test_a_claim_in_doubt_is_made_again_and_knows_its_own_nonce(tenant: Tenant, logged: list[EventDict]) -> None:
    """The nonce is this very request's, however many copies were refused meanwhile."""
    async with unanswered_claim(tenant) as (wire, store, nonce, claim):
        wire.cut()
        await until(lambda: any(event["event"] == "batch_outcome_unknown" for event in logged))
        copies = [asyncio.create_task(store.claim("main", nonce, int(time.time()))) for _ in range(3)]
        await until(copies[2].done)
        wire.loses_answers = False
        wire.cut()
        assert await claim
        assert await asyncio.gather(*copies) == [False] * 3


async def test_a_caller_that_goes_away_before_its_claim_is_in_doubt_leaves_nothing_behind(tenant: Tenant) -> None:
    async with unanswered_claim(tenant) as (wire, store, _, claim):
        claim.cancel()
        with pytest.raises(asyncio.CancelledError):
            await claim
        wire.loses_answers = False
        wire.cut()
        await until(lambda: store.size == 0)
        assert not [kept for kept in vars(store).values() if isinstance(kept, set | dict | list) and kept]


async def test_a_store_that_cannot_ask_says_so_and_claims_nothing(tenant: Tenant, logged: list[EventDict]) -> None:
    async with Wire.to(tenant.url) as wire:
        nobody_listens = wire.url
    async with stores(tenant, database_url=nobody_listens, pool_wait_seconds=0.05) as (store,):
        with pytest.raises(NonceStoreOverloaded):
            await store.claim("main", fresh_nonce(), NOW)
    assert [event["error_type"] for event in logged if event["event"] == "nonce_not_claimed"] == ["Overloaded"]


async def set_clock(store: DatabaseNonceStore, seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC).isoformat()
    await store._database.call(SET_CLOCK, [moment])


async def test_nothing_younger_than_five_minutes_is_lost_and_nothing_stays_for_ever(own_database: str) -> None:
    """Two rounds through the three partitions, step by step, with timestamps from all over the window."""
    tenant = Tenant.demo(own_database)
    start, step_seconds = NOW // PARTITION_SECONDS * PARTITION_SECONDS, 15
    claimed: list[tuple[int, int, str]] = []
    emptied = []
    async with stores(tenant) as (store,):
        for now in range(start, start + 6 * PARTITION_SECONDS + 1, step_seconds):
            await set_clock(store, now)
            partition = await store.empty_old_partition()
            if partition is not None:
                emptied.append((now - start, partition))
            young = [entry for entry in claimed if entry[0] >= now - RETENTION_SECONDS]
            again = await asyncio.gather(*(store.claim("main", nonce, at) for _, at, nonce in young))
            assert not any(again), "a nonce was forgotten within five minutes"
            new = [(now, now + skew, fresh_nonce()) for skew in (-WINDOW_SECONDS, 0, WINDOW_SECONDS)]
            assert all(await asyncio.gather(*(store.claim("main", nonce, at) for _, at, nonce in new)))
            claimed += new
    assert len(emptied) >= 4
    assert {partition for _, partition in emptied} == {0, 1, 2}
    assert all(at % PARTITION_SECONDS < PARTITION_SECONDS - AHEAD_MAX_SECONDS for at, _ in emptied)
    kept = tenant.sql("select count(*) as nonces from casino.nonces")[0]["nonces"]
    tenant.close()
    assert kept <= 3 * (3 * PARTITION_SECONDS + 2 * WINDOW_SECONDS) / step_seconds
    assert kept < len(claimed)


async def test_a_partition_is_emptied_only_while_no_claim_can_use_it(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    start = NOW // PARTITION_SECONDS * PARTITION_SECONDS
    async with stores(tenant) as (store,):
        await set_clock(store, start - 2 * PARTITION_SECONDS)
        assert await store.claim("main", fresh_nonce(), start - 2 * PARTITION_SECONDS)
        for late in (PARTITION_SECONDS - AHEAD_MAX_SECONDS, PARTITION_SECONDS - 1):
            await set_clock(store, start + late)
            assert await store.empty_old_partition() is None
        await set_clock(store, start + PARTITION_SECONDS - AHEAD_MAX_SECONDS - 1)
        assert await store.empty_old_partition() == (start // PARTITION_SECONDS - 2) % 3
        assert await store.empty_old_partition() is None, "it is empty now"
    tenant.close()


@pytest.mark.parametrize(
    ("off_seconds", "fresh"),
    [
        (-BEHIND_MAX_SECONDS, True),
        (-BEHIND_MAX_SECONDS - 1, False),
        (AHEAD_MAX_SECONDS, True),
        (AHEAD_MAX_SECONDS + 1, False),
    ],
)
async def test_a_timestamp_far_from_the_databases_clock_is_never_fresh(
    tenant: Tenant, off_seconds: int, fresh: bool
) -> None:
    """Row C2. The clock of a service may be anywhere; that of the database decides what can still be remembered."""
    async with stores(tenant) as (store,):
        assert await store.claim("main", fresh_nonce(), NOW + off_seconds) is fresh


async def test_no_nonce_is_accepted_twice_wherever_the_clock_of_the_service_steps(own_database: str) -> None:
    """Row C2. Every timestamp that can be claimed is tried again at every later moment, partitions emptied between."""
    tenant = Tenant.demo(own_database)
    start, step_seconds = NOW // PARTITION_SECONDS * PARTITION_SECONDS, 20
    accepted: list[tuple[int, str]] = []
    async with stores(tenant) as (store,):
        for now in range(start, start + 4 * PARTITION_SECONDS, step_seconds):
            await set_clock(store, now)
            await store.empty_old_partition()
            again = await asyncio.gather(*(store.claim("main", nonce, at) for at, nonce in accepted))
            assert not any(again), "a recorded request was accepted again"
            offs = (-BEHIND_MAX_SECONDS, -200, -WINDOW_SECONDS, 0, WINDOW_SECONDS, 90, AHEAD_MAX_SECONDS)
            new = [(now + off, fresh_nonce()) for off in offs]
            assert all(await asyncio.gather(*(store.claim("main", nonce, at) for at, nonce in new)))
            accepted += new
    tenant.close()
