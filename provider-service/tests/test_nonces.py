"""The memory of used nonces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
import pytest
from provider_bench import rows, settings_for

from provider.db import create_pool
from provider.nonces import PRUNE_PAGE, PostgresNonceStore
from shared_signing.nonces import NonceStoreOverloaded

T = TypeVar("T")


def with_store(database_url: str, work: Callable[[PostgresNonceStore], Awaitable[T]]) -> T:
    async def run() -> T:
        async with create_pool(settings_for(database_url, "http://unused")) as pool:
            return await work(PostgresNonceStore(pool))

    return asyncio.run(run())


def test_of_many_claims_at_once_one_succeeds(database_url: str) -> None:
    async def race(store: PostgresNonceStore) -> list[bool]:
        return list(await asyncio.gather(*(store.claim("main", "n" * 16, 1) for _ in range(20))))

    assert sorted(with_store(database_url, race)) == [False] * 19 + [True]


def test_a_nonce_is_remembered_after_a_restart(database_url: str) -> None:
    assert with_store(database_url, lambda store: store.claim("main", "n" * 16, 1)) is True
    assert with_store(database_url, lambda store: store.claim("main", "n" * 16, 1)) is False


def test_a_nonce_counts_for_its_key(database_url: str) -> None:
    async def both(store: PostgresNonceStore) -> tuple[bool, bool]:
        return await store.claim("main", "n" * 16, 1), await store.claim("k2", "n" * 16, 1)

    assert with_store(database_url, both) == (True, True)


def test_pruning_forgets_old_nonces_a_page_at_a_time(database_url: str, owner_url: str) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "insert into provider.nonces select 'main', 'old' || i, clock_timestamp() - interval '301 seconds'"
            " from generate_series(1, %s) as i",
            (PRUNE_PAGE + 5,),
        )
        connection.execute(
            "insert into provider.nonces values ('main', 'young', clock_timestamp() - interval '299 seconds')"
        )

    async def prune(store: PostgresNonceStore) -> list[bool]:
        return [await store.prune() for _ in range(3)]

    assert with_store(database_url, prune) == [True, False, False]
    assert rows(owner_url, "select nonce from provider.nonces") == [{"nonce": "young"}]


def test_a_store_without_a_database_never_says_that_a_nonce_is_new() -> None:
    async def claim() -> bool:
        pool = create_pool(settings_for("postgresql://nobody@127.0.0.1:1/none", "http://unused"))
        await pool.open(wait=False)
        try:
            return await PostgresNonceStore(pool).claim("main", "n" * 16, 1)
        finally:
            await pool.close()

    with pytest.raises(NonceStoreOverloaded):
        asyncio.run(claim())
