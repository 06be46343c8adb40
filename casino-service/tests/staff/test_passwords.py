"""Passwords: argon2id with 19 MiB, in two threads with a bounded queue, the same work for a name that nobody has."""

from __future__ import annotations

import asyncio
import threading

import pytest
from argon2 import extract_parameters

from casino.api.errors import Refused
from casino.staff import passwords as module
from casino.staff.passwords import NOBODYS_HASH, THREADS, Passwords, hash_now

PASSWORD = "correct horse battery"


@pytest.fixture
def passwords() -> Passwords:
    return Passwords()


async def test_a_password_matches_its_hash_and_no_other(passwords: Passwords) -> None:
    hashed = await passwords.hash(PASSWORD)
    assert await passwords.matches(hashed, PASSWORD)
    assert not await passwords.matches(hashed, PASSWORD + " ")
    assert not await passwords.matches(None, PASSWORD)
    assert hashed != await passwords.hash(PASSWORD)


def test_all_hashes_cost_the_same() -> None:
    own = extract_parameters(hash_now(PASSWORD))
    assert extract_parameters(NOBODYS_HASH) == own
    assert (own.memory_cost, own.time_cost, own.parallelism, own.type.name) == (19 * 1024, 2, 1, "ID")


async def test_a_name_that_nobody_has_takes_the_same_work(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    original = module._verify

    def verify(password_hash: str, password: str) -> bool:
        verified.append(password_hash)
        return original(password_hash, password)

    monkeypatch.setattr(module, "_verify", verify)
    assert not await passwords.matches(None, PASSWORD)
    assert verified == [NOBODYS_HASH]


async def test_beyond_its_queue_work_is_refused_at_once_and_what_waits_is_done() -> None:
    passwords = Passwords(work_max=5)
    go = threading.Event()
    held = [asyncio.ensure_future(passwords._run(go.wait)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(Refused, match="OVERLOADED"):
        await passwords.matches(None, PASSWORD)
    held[-1].cancel()
    go.set()
    await asyncio.gather(*held, return_exceptions=True)
    assert not await passwords.matches(None, PASSWORD), "capacity is given back, also by who went away"
    passwords.close()


async def test_two_threads_work_at_a_time() -> None:
    passwords = Passwords()
    started, go = threading.Semaphore(0), threading.Event()
    running: list[int] = []

    def work() -> None:
        running.append(threading.get_ident())
        started.release()
        go.wait()

    tasks = [asyncio.ensure_future(passwords._run(work)) for _ in range(6)]
    for _ in range(THREADS):
        await asyncio.to_thread(started.acquire)
    assert len(running) == THREADS == 2
    go.set()
    await asyncio.gather(*tasks)
    assert len(set(running)) == THREADS
    passwords.close()
