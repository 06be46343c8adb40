"""The nonce store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
import pytest

from provider.ops.nonces import (
    CLOCK_OFF_MAX_SECONDS,
    KEEP_SECONDS,
    PRUNE_PAGE,
    PostgresNonceStore,
)
from provider.sql.schema import database_for
from provider_testing.service import rows, settings_for
from shared_signing.nonces import NonceStoreOverloaded

T = TypeVar("T")
SLOW_SECONDS = 60
"""How late a machine may come to a bound that time is moving towards."""


def now() -> int:
    return int(time.time())


async def with_store(database_url: str, work: Callable[[PostgresNonceStore], Awaitable[T]]) -> T:
    async with database_for(settings_for(database_url, "http://unused")) as pool:
        return await work(PostgresNonceStore(pool))


async def test_a_nonce_is_remembered_after_a_restart_under_whichever_key(database_url: str) -> None:
    """Row E1."""
    assert await with_store(database_url, lambda store: store.claim("main", "n" * 16, now())) is True
    for key in ("main", "k2"):
        assert await with_store(database_url, lambda store, key=key: store.claim(key, "n" * 16, now())) is False


async def test_of_claims_at_once_under_one_key_or_two_one_succeeds(database_url: str) -> None:
    async def race(store: PostgresNonceStore) -> list[bool]:
        return list(await asyncio.gather(*(store.claim(key, "n" * 16, now()) for key in ("main", "k2") * 8)))

    assert sorted(await with_store(database_url, race)) == [False] * 15 + [True]


async def test_claims_at_once_share_a_commit_and_each_gets_its_own_answer(database_url: str, owner_url: str) -> None:
    used = [f"{n:016}" for n in range(0, 20, 3)]

    async def claims(store: PostgresNonceStore) -> list[bool]:
        for nonce in used:
            assert await store.claim("main", nonce, now())
        return list(await asyncio.gather(*(store.claim("main", f"{n:016}", now()) for n in range(20))))

    fresh = await with_store(database_url, claims)
    assert fresh == [f"{n:016}" not in used for n in range(20)]
    written = rows(owner_url, "select xmin::text from provider.nonces where nonce <> all (%s)", used)
    assert len({row["xmin"] for row in written}) == 1


async def test_a_nonce_that_an_earlier_release_claimed_is_used_up(database_url: str, owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("insert into provider.nonces values ('main', %s, now())", ("n" * 16,))
    assert await with_store(database_url, lambda store: store.claim("main", "n" * 16, now())) is False


async def test_pruning_forgets_old_nonces_a_page_at_a_time(database_url: str, owner_url: str) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "insert into provider.nonces select 'main', 'old' || i, clock_timestamp() - make_interval(secs => %s)"
            " from generate_series(1, %s) as i",
            (KEEP_SECONDS + 1, PRUNE_PAGE + 5),
        )
        connection.execute(
            "insert into provider.nonces values ('main', 'young', clock_timestamp() - make_interval(secs => %s))",
            (KEEP_SECONDS - SLOW_SECONDS,),
        )

    async def prune(store: PostgresNonceStore) -> list[bool]:
        return [await store.prune() for _ in range(3)]

    assert await with_store(database_url, prune) == [True, False, False]
    assert rows(owner_url, "select nonce from provider.nonces") == [{"nonce": "young"}]


@pytest.mark.usefixtures("own_patience")
async def test_a_store_without_a_database_never_says_that_a_nonce_is_new() -> None:
    async def claim() -> bool:
        pool = database_for(settings_for("postgresql://nobody@127.0.0.1:1/none", "http://unused"))
        await pool.open()
        try:
            return await PostgresNonceStore(pool).claim("main", "n" * 16, now())
        finally:
            await pool.close()

    with pytest.raises(NonceStoreOverloaded):
        await claim()


async def test_a_timestamp_far_from_the_databases_clock_is_never_new(database_url: str) -> None:
    """Row C2. The clock of the process may be anywhere; that of the database decides what can still be remembered."""
    cases = [
        (-CLOCK_OFF_MAX_SECONDS + SLOW_SECONDS, True),
        (-CLOCK_OFF_MAX_SECONDS - 1, False),
        (CLOCK_OFF_MAX_SECONDS - 1, True),
        (CLOCK_OFF_MAX_SECONDS + SLOW_SECONDS, False),
    ]

    async def claims(store: PostgresNonceStore) -> list[bool]:
        return [await store.claim("main", f"{n:016}", now() + off) for n, (off, _) in enumerate(cases)]

    assert await with_store(database_url, claims) == [fresh for _, fresh in cases]


def test_a_nonce_is_kept_for_longer_than_it_can_be_claimed() -> None:
    """Row C2. First claimed as early as possible, it is still there when it could be claimed for the last time."""
    assert KEEP_SECONDS > 2 * CLOCK_OFF_MAX_SECONDS
    assert KEEP_SECONDS > 300, "what protocol.md promises"
