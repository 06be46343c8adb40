"""Group commit with random arrivals and random failures: every item gets one true outcome, in the order of its key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_service.batches import unknown
from shared_service.postgres import group_commit
from shared_service.postgres.database import OutcomeUnknown, Overloaded
from shared_service.postgres.group_commit import GroupCommit, KeyBusy
from shared_service_testing.backend import WAIT_SECONDS_MAX, Backend, BadCommand, Command, Effect, soon

KEYS = ("a", "b", "c", "d")

effects = st.lists(st.sampled_from([Effect.BOOK, Effect.BOOK, *Effect]), max_size=30)
arrivals = st.lists(
    st.tuples(st.sampled_from(KEYS), st.integers(0, 3), st.sampled_from(["stays", "stays", "stays", "leaves"])),
    max_size=25,
)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortest possible pauses: the test is about order, not duration."""
    monkeypatch.setattr(group_commit, "BUSY_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(unknown, "RECONNECT_FIRST_SECONDS", 0.000_01)
    monkeypatch.setattr(unknown, "RECONNECT_MOST_SECONDS", 0.000_1)


async def play(backend: Backend, plan: list[tuple[str, int, str]], limits: dict[str, int]) -> dict[Command, Any]:
    group: GroupCommit[Command, Command] = GroupCommit(backend.execute, **limits)  # type: ignore[arg-type]
    told: dict[Command, Any] = {}
    waiting: dict[Command, asyncio.Future[Command]] = {}
    for number, (key, pause_turns, manner) in enumerate(plan):
        command = (key, number)
        try:
            waiting[command] = group.submit(command, key=key, deadline=soon())
        except (Overloaded, KeyBusy) as error:
            told[command] = error
        for _ in range(pause_turns):
            await asyncio.sleep(0)
        if manner == "leaves" and command in waiting:
            waiting[command].cancel()
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        outcomes = await asyncio.gather(*waiting.values(), return_exceptions=True)
        await group.close()
    assert group.size == 0
    return {**told, **dict(zip(waiting, outcomes, strict=True))}


@given(
    plan=arrivals,
    effects=effects,
    poison=st.frozensets(st.tuples(st.sampled_from(KEYS), st.integers(0, 24)), max_size=3),
    limits=st.fixed_dictionaries(
        {
            "batch_max": st.integers(1, 5),
            "lanes": st.integers(1, 3),
            "queue_max": st.integers(1, 30),
            "key_queue_max": st.integers(1, 10),
            "turns_max": st.integers(1, 4),
        }
    ),
)
async def test_everybody_is_told_once_and_truly_whatever_arrives_and_whatever_breaks(
    plan: list[tuple[str, int, str]], effects: list[Effect], poison: frozenset[Command], limits: dict[str, int]
) -> None:
    backend = Backend(effects, poison=poison, in_turns=limits["turns_max"] > 1)
    told = await play(backend, plan, limits)
    assert set(told) == {(key, number) for number, (key, _, _) in enumerate(plan)}
    for command, outcome in told.items():
        if isinstance(outcome, Overloaded | KeyBusy):
            assert command not in backend.booked, "said to be refused, and yet booked"
        elif not isinstance(outcome, OutcomeUnknown | BadCommand | asyncio.CancelledError):
            assert outcome == command
            assert command in backend.booked
    for key in KEYS:
        numbers = [number for booked, number in backend.booked if booked == key]
        assert numbers == sorted(numbers), "out of order"
    assert len(backend.booked) == len(set(backend.booked))
    assert backend.most_in_flight <= limits["lanes"]
    assert max(map(len, backend.batches), default=0) <= limits["batch_max"]
    for batch in backend.batches:
        assert len(batch) == len({key for key, _ in batch}) or len(batch) <= limits["turns_max"]
