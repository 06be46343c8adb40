"""Unit tests of the nonce store in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared_signing.nonces import NONCE_RETENTION_SECONDS, InMemoryNonceStore, NonceStoreOverloaded


async def claims(store: InMemoryNonceStore, *pairs: tuple[str, str]) -> list[bool]:
    return [await store.claim(key_id, nonce, 0) for key_id, nonce in pairs]


async def test_a_nonce_is_claimed_once_under_whichever_key(clock: Any) -> None:
    store = InMemoryNonceStore(clock=clock)
    assert await claims(store, ("main", "a"), ("main", "a"), ("k2", "a"), ("main", "b")) == [True, False, False, True]


async def test_of_many_claims_in_flight_exactly_one_succeeds(clock: Any) -> None:
    store = InMemoryNonceStore(clock=clock)

    result = await asyncio.gather(*(store.claim("main", "a", 0) for _ in range(50)))
    assert sum(result) == 1


async def test_a_nonce_is_remembered_for_five_minutes(clock: Any) -> None:
    store = InMemoryNonceStore(clock=clock)
    assert NONCE_RETENTION_SECONDS == 300
    assert await claims(store, ("main", "a")) == [True]
    clock.now += 299.9
    assert await claims(store, ("main", "a")) == [False]
    clock.now += 0.1
    assert await claims(store, ("main", "a")) == [True]


async def test_a_clock_that_steps_back_forgets_nothing_early(clock: Any) -> None:
    store = InMemoryNonceStore(clock=clock)
    assert await claims(store, ("main", "a")) == [True]
    clock.now -= 100
    assert await claims(store, ("main", "b")) == [True]
    clock.now += 399
    assert await claims(store, ("main", "a")) == [False]


async def test_a_full_store_is_overloaded_until_its_nonces_expire(clock: Any) -> None:
    store = InMemoryNonceStore(clock=clock, nonces_max=2)
    assert await claims(store, ("main", "a"), ("main", "b")) == [True, True]
    with pytest.raises(NonceStoreOverloaded):
        await claims(store, ("main", "c"))
    assert await claims(store, ("main", "a")) == [False]
    clock.now += 300
    assert await claims(store, ("main", "c")) == [True]
