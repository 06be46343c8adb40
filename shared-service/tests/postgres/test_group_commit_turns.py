"""Group commit in turns: which items of one key share a batch, and in which order they are executed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from shared_service.postgres.group_commit import GroupCommit, KeyBusy
from shared_service_testing.backend import Backend, BadCommand, Clock, Command, Effect, soon, turns

Group = GroupCommit[Command, Command]
TURNS_MAX = 4


def group_over(backend: Backend, *, batch_max: int = 64, turns_max: int = TURNS_MAX) -> Group:
    return GroupCommit(
        backend.execute, batch_max=batch_max, lanes=1, queue_max=100, key_queue_max=100, turns_max=turns_max
    )


def in_turns(effects: Sequence[Effect] = (), **options: Any) -> Backend:
    return Backend(effects, in_turns=True, **options)


def submit(group: Group, *commands: Command) -> list[asyncio.Future[Command]]:
    return [group.submit(command, key=command[0], deadline=soon()) for command in commands]


def of_key(key: str, count: int) -> list[Command]:
    return [(key, number) for number in range(1, count + 1)]


async def test_a_batch_takes_so_many_items_of_a_lone_key_and_no_more() -> None:
    backend = in_turns()
    await asyncio.gather(*submit(group_over(backend), *of_key("a", 10)))
    assert backend.batches == [of_key("a", 10)[:4], of_key("a", 10)[4:8], of_key("a", 10)[8:]]


@pytest.mark.parametrize(("batch_max", "turns_max"), [(64, 1), (1, 4)])
async def test_without_turns_each_item_of_a_key_has_a_batch_of_its_own(batch_max: int, turns_max: int) -> None:
    backend = Backend()
    await asyncio.gather(*submit(group_over(backend, batch_max=batch_max, turns_max=turns_max), *of_key("a", 3)))
    assert [len(batch) for batch in backend.batches] == [1, 1, 1]


async def test_the_bound_of_a_batch_is_that_of_its_turns_too() -> None:
    backend = in_turns()
    await asyncio.gather(*submit(group_over(backend, batch_max=3), *of_key("a", 4)))
    assert [len(batch) for batch in backend.batches] == [3, 1]


async def test_every_key_has_its_first_turn_before_any_has_a_second() -> None:
    backend = in_turns()
    await asyncio.gather(*submit(group_over(backend), *of_key("hot", 6), *of_key("b", 2), ("c", 1)))
    assert backend.batches == [
        [("hot", 1), ("b", 1), ("c", 1), ("hot", 2)],
        [("b", 2), ("hot", 3), ("hot", 4), ("hot", 5)],
        [("hot", 6)],
    ]


async def test_a_batch_of_many_keys_has_one_item_of_each() -> None:
    """A second turn costs the others more than it gives to one."""
    backend = Backend()
    keys = [f"key {number}" for number in range(TURNS_MAX)]
    await asyncio.gather(*submit(group_over(backend), *[(key, number) for key in keys for number in (1, 2)]))
    assert backend.batches == [[(key, 1) for key in keys], [(key, 2) for key in keys]]


async def test_a_caller_that_went_away_and_one_that_is_late_leave_their_turns_to_the_next(clock: Clock) -> None:
    backend = in_turns()
    backend.gate.clear()
    group = group_over(backend)
    futures = [group.submit(("a", number), key="a", deadline=2.0 if number == 3 else 60.0) for number in range(7)]
    await turns()
    later = [group.submit(("a", 7 + number), key="a", deadline=2.0 if number == 1 else 60.0) for number in range(5)]
    later[2].cancel()
    clock.now = 3.0
    backend.gate.set()
    await asyncio.gather(*futures, *later, return_exceptions=True)
    assert backend.batches == [
        [("a", 0), ("a", 1), ("a", 2), ("a", 3)],
        [("a", 4), ("a", 5), ("a", 6), ("a", 7)],
        [("a", 10), ("a", 11)],
    ]
    assert group.size == 0


async def test_a_caller_that_went_away_after_its_turn_began_stops_nobody() -> None:
    backend = in_turns()
    backend.gate.clear()
    group = group_over(backend)
    futures = submit(group, *of_key("a", 3))
    await turns()
    futures[1].cancel()
    backend.gate.set()
    assert await futures[2] == ("a", 3)
    assert (backend.booked, group.size) == (of_key("a", 3), 0)


@pytest.mark.parametrize("bad", [1, 2, 3, 4])
async def test_a_bad_item_is_found_and_the_others_of_its_key_are_executed_in_order(bad: int) -> None:
    backend = in_turns(poison=frozenset({("a", bad)}))
    group = group_over(backend)
    outcomes = await asyncio.gather(*submit(group, *of_key("a", 5)), return_exceptions=True)
    assert [number for number, outcome in enumerate(outcomes, 1) if isinstance(outcome, BadCommand)] == [bad]
    assert backend.booked == [command for command in of_key("a", 5) if command[1] != bad]
    assert group.size == 0


async def test_a_batch_of_unknown_outcome_is_executed_again_as_it_was() -> None:
    backend = in_turns([Effect.LOSE_AFTER])
    assert await asyncio.gather(*submit(group_over(backend), *of_key("a", 4))) == of_key("a", 4)
    assert backend.batches == [of_key("a", 4)] * 2
    assert backend.booked == of_key("a", 4)


async def test_while_its_key_is_busy_no_item_overtakes_another() -> None:
    """The batch is split. The key is busy for the first half, and free again when the second would be executed."""
    backend = in_turns([Effect.REFUSE, Effect.BUSY])
    others = submit(group := group_over(backend), *of_key("a", 4))
    await asyncio.gather(*others)
    assert backend.batches == [of_key("a", 4), of_key("a", 2), of_key("a", 4)]
    assert (backend.booked, group.size) == (of_key("a", 4), 0)


async def test_items_of_a_key_that_stays_busy_are_refused_together(clock: Clock) -> None:
    backend = in_turns([Effect.BUSY] * 1_000)
    group = group_over(backend)
    waiting = [group.submit(command, key="a", deadline=60.0) for command in of_key("a", 3)]
    await turns()
    clock.now += 10.0
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [KeyBusy] * 3
    assert (backend.booked, group.size) == ([], 0)


async def test_an_item_that_is_answered_beside_a_busy_one_leaves_it_its_place() -> None:
    """A refusal needs no lock: the same key may be busy for one item, and not for another."""
    batches: list[Sequence[Command]] = []

    async def execute(commands: Sequence[Command]) -> list[Command | None]:
        batches.append(commands)
        return [None if len(batches) == 1 and command != ("a", 2) else command for command in commands]

    group: Group = GroupCommit(execute, batch_max=64, lanes=1, queue_max=100, key_queue_max=100, turns_max=TURNS_MAX)
    assert await asyncio.gather(*submit(group, *of_key("a", 3))) == of_key("a", 3)
    assert batches == [of_key("a", 3), [("a", 1), ("a", 3)]]
    assert group.size == 0
