"""Passwords: argon2id with 19 MiB, in a process of its own with a bounded queue, the same work for any name."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop
from argon2 import extract_parameters

from casino.api.errors import Refused
from casino.staff.hashing import NICENESS, THREADS, hash_now
from casino.staff.passwords import ANSWER_SECONDS, NOBODYS_HASH, Passwords
from shared_service_testing.waiting import until

PASSWORD = "correct horse battery"


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    passwords = Passwords(work_max=5)
    yield passwords
    await passwords.close()


def shown(pid: int, name: str) -> str:
    """What Linux shows of a process."""
    return Path("/proc", str(pid), name).read_text()


async def process_of(passwords: Passwords) -> int:
    """The process that hashes, started."""
    await passwords.hash(PASSWORD)
    assert passwords._started is not None
    return (await passwords._started).pid


async def test_a_password_matches_its_hash_and_no_other(passwords: Passwords) -> None:
    hashed = await passwords.hash(PASSWORD)
    assert await passwords.matches(hashed, PASSWORD)
    assert not await passwords.matches(hashed, PASSWORD + " ")
    assert not await passwords.matches(None, PASSWORD)
    assert hashed != await passwords.hash(PASSWORD)


async def test_passwords_of_any_characters_are_whole_in_the_other_process(passwords: Passwords) -> None:
    for password in ("\n" * 12, '"\\\0\x7f' * 4, "\U0001f3b0ß" * 64):
        hashed = await passwords.hash(password)
        assert await passwords.matches(hashed, password)
        assert not await passwords.matches(hashed, password[:-1])


def test_all_hashes_cost_the_same() -> None:
    own = extract_parameters(hash_now(PASSWORD))
    assert extract_parameters(NOBODYS_HASH) == own
    assert (own.memory_cost, own.time_cost, own.parallelism, own.type.name) == (19 * 1024, 2, 1, "ID")


async def test_a_name_that_nobody_has_takes_the_same_work(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []
    original = passwords._ask

    async def ask(password: str, password_hash: str | None) -> str | bool:
        asked.append((password, password_hash))
        return await original(password, password_hash)

    monkeypatch.setattr(passwords, "_ask", ask)
    assert not await passwords.matches(None, PASSWORD)
    assert asked == [(PASSWORD, NOBODYS_HASH)]


async def test_a_stored_text_that_is_no_hash_is_an_error_and_no_match(passwords: Passwords) -> None:
    with pytest.raises(RuntimeError):
        await passwords.matches("$argon2id$broken", PASSWORD)
    assert not await passwords.matches(None, PASSWORD), "the next one is answered"


async def test_beyond_its_queue_work_is_refused_at_once_and_what_waits_is_done(passwords: Passwords) -> None:
    pid = await process_of(passwords)
    os.kill(pid, signal.SIGSTOP)
    held = [asyncio.ensure_future(passwords.matches(None, PASSWORD)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(Refused, match="OVERLOADED"):
        await passwords.matches(None, PASSWORD)
    held[-1].cancel()
    await asyncio.gather(held[-1], return_exceptions=True)
    with pytest.raises(Refused, match="OVERLOADED"):
        await passwords.matches(None, PASSWORD)
    os.kill(pid, signal.SIGCONT)
    assert await asyncio.gather(*held[:-1]) == [False] * 4
    await until(lambda: not passwords._asked)
    assert not await passwords.matches(None, PASSWORD), "capacity is given back, also by who went away"


async def test_two_threads_of_low_priority_work_and_know_no_secret(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASINO_PEPPER", "a secret of the service")
    pid = await process_of(passwords)
    await asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(5)))
    assert f"Threads:\t{1 + THREADS}\n" in shown(pid, "status")
    assert THREADS == 2
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
    assert os.getsid(pid) == pid, "its time is not taken from the service's session"
    assert "CASINO" not in shown(pid, "environ")


async def test_a_process_that_died_refuses_what_waits_and_the_next_password_starts_another(
    passwords: Passwords,
) -> None:
    pid = await process_of(passwords)
    os.kill(pid, signal.SIGSTOP)
    waiting = asyncio.ensure_future(passwords.matches(None, PASSWORD))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Refused, match="OVERLOADED"):
        await waiting
    assert not await passwords.matches(None, PASSWORD)
    assert await process_of(passwords) != pid


def test_while_a_process_dies_passwords_are_refused_and_nothing_fails() -> None:
    """uvloop, which serves, closes the pipes one after the other."""

    async def ask_until_it_has_ended() -> set[str]:
        passwords = Passwords(work_max=100_000)
        os.kill(await process_of(passwords), signal.SIGKILL)
        asked, started = [], passwords._started
        while passwords._started is started:
            asked.append(asyncio.ensure_future(passwords.hash(PASSWORD)))
            await asyncio.sleep(0)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        await passwords.close()
        return {repr(each) for each in answers if isinstance(each, Exception)}

    for _ in range(5):
        assert uvloop.run(ask_until_it_has_ended()) == {"Refused('OVERLOADED')"}


async def test_a_process_that_hangs_refuses_what_waits_and_the_next_password_starts_another(
    passwords: Passwords,
) -> None:
    pid = await process_of(passwords)
    passwords._answer_seconds = 0.2
    os.kill(pid, signal.SIGSTOP)
    answers = await asyncio.gather(*(passwords.matches(None, PASSWORD) for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in answers] == ["OVERLOADED"] * 3
    await until(lambda: passwords._started is None)
    passwords._answer_seconds = ANSWER_SECONDS
    assert await process_of(passwords) != pid


async def test_a_process_that_ends_at_once_refuses_all_and_is_not_started_by_each(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    command = ("/bin/sh", "-c", f"echo >> {started}")
    monkeypatch.setattr("casino.staff.passwords.COMMAND", command)
    for _ in range(3):
        answers = await asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(3)), return_exceptions=True)
        assert [str(each) for each in answers] == ["OVERLOADED"] * 3
    assert started.read_text() == "\n"


async def test_the_process_ends_with_the_service_that_asks(passwords: Passwords) -> None:
    await process_of(passwords)
    assert passwords._started is not None
    process = await passwords._started
    assert process.stdin is not None
    process.stdin.close()  # as the kernel does when a service is killed
    assert await process.wait() == 0
