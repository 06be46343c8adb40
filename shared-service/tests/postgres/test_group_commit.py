"""Group commit: how batches form, the order of commands, and which are refused before any work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from shared_service.postgres import group_commit
from shared_service.postgres.database import Overloaded
from shared_service.postgres.group_commit import OVERLAP_FROM, GroupCommit, KeyBusy
from shared_service_testing.backend import WAIT_SECONDS_MAX, Backend, Clock, Command, soon, turns
from shared_service_testing.waiting import until

Group = GroupCommit[Command, Command]


def group_over(backend: Backend, **limits: Any) -> Group:
    chosen = {"batch_max": 64, "lanes": 1, "queue_max": 1_000, "key_queue_max": 100, **limits}
    return GroupCommit(backend.execute, **chosen)


def submit(group: Group, *commands: Command) -> list[asyncio.Future[Command]]:
    return [group.submit(command, key=command[0], deadline=soon()) for command in commands]


async def test_a_lone_command_goes_at_once_without_a_timer() -> None:
    backend = Backend()
    (future,) = submit(group_over(backend), ("a", 1))
    await turns(2)
    assert backend.batches == [[("a", 1)]]
    assert await future == ("a", 1)


async def test_what_is_submitted_at_the_same_moment_goes_together() -> None:
    backend = Backend()
    commands = [(f"key {number}", 1) for number in range(20)]
    assert await asyncio.gather(*submit(group_over(backend), *commands)) == commands
    assert backend.batches == [commands]


async def test_what_arrives_while_a_batch_is_on_its_way_forms_the_next() -> None:
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend)
    futures = submit(group, ("a", 1))
    await turns()
    for number in range(5):
        futures += submit(group, (f"b{number}", 1))
        await turns()
    backend.gate.set()
    await asyncio.gather(*futures)
    assert [len(batch) for batch in backend.batches] == [1, 5]


@pytest.mark.parametrize(("batch_max", "sizes"), [(1, [1] * 10), (4, [4, 4, 2]), (10, [10]), (64, [10])])
async def test_a_batch_has_a_bound(batch_max: int, sizes: list[int]) -> None:
    backend = Backend()
    futures = submit(group_over(backend, batch_max=batch_max), *[(f"key {number}", 1) for number in range(10)])
    await asyncio.gather(*futures)
    assert [len(batch) for batch in backend.batches] == sizes


async def test_a_batch_holds_at_most_one_command_per_key_and_the_keys_order_is_kept() -> None:
    backend = Backend()
    commands = [(key, number) for number in range(4) for key in ("a", "b", "c")]
    await asyncio.gather(*submit(group_over(backend, lanes=3), *commands))
    for key in ("a", "b", "c"):
        assert [number for booked, number in backend.booked if booked == key] == [0, 1, 2, 3]


async def test_a_key_with_many_commands_does_not_starve_the_others() -> None:
    backend = Backend()
    commands = [("hot", number) for number in range(10)] + [("cold", 1)]
    await asyncio.gather(*submit(group_over(backend, batch_max=1), *commands))
    assert backend.booked.index(("cold", 1)) == 1


@pytest.mark.parametrize("lanes", [1, 2, 5])
async def test_so_many_batches_are_in_flight_as_there_are_lanes_and_no_more(lanes: int) -> None:
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend, lanes=lanes, batch_max=1)
    futures = submit(group, *[(f"key {number}", 1) for number in range(8)])
    await turns()
    assert len(backend.batches) == lanes
    backend.gate.set()
    await asyncio.gather(*futures)
    assert backend.most_in_flight == lanes


async def test_a_key_in_flight_in_one_lane_waits_although_another_lane_is_free() -> None:
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend, lanes=2, batch_max=1)
    futures = submit(group, ("a", 1))
    await turns()
    futures += submit(group, ("a", 2), ("b", 1))
    await turns()
    assert backend.batches == [[("a", 1)], [("b", 1)]]
    backend.gate.set()
    await asyncio.gather(*futures)
    assert backend.booked.index(("a", 1)) < backend.booked.index(("a", 2))


async def test_a_batch_that_does_not_take_long_has_its_lane_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise two lanes would make smaller batches of the same commands, and commit more often."""
    monkeypatch.setattr(group_commit, "LANE_PATIENCE_SECONDS", WAIT_SECONDS_MAX)  # however slow the machine is
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend, lanes=2)
    futures = submit(group, ("a", 1))
    await turns()
    futures += submit(group, ("b", 1), ("c", 1))
    await turns()
    assert backend.batches == [[("a", 1)]]
    backend.gate.set()
    await asyncio.gather(*futures)
    assert backend.batches == [[("a", 1)], [("b", 1), ("c", 1)]]


async def test_a_full_batch_opens_another_lane_at_once() -> None:
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend, lanes=2, batch_max=3)
    futures = submit(group, ("a", 1))
    await turns()
    futures += submit(group, ("b", 1), ("c", 1), ("d", 1))
    await turns()
    assert backend.batches == [[("a", 1)], [("b", 1), ("c", 1), ("d", 1)]]
    backend.gate.set()
    await asyncio.gather(*futures)


@pytest.mark.parametrize(("waiting", "batches"), [(OVERLAP_FROM - 1, 1), (OVERLAP_FROM, 2), (3 * OVERLAP_FROM, 2)])
async def test_another_lane_opens_at_once_when_enough_commands_wait(
    monkeypatch: pytest.MonkeyPatch, waiting: int, batches: int
) -> None:
    """So Python and Postgres work at the same time. A few commands would make two small batches of one."""
    monkeypatch.setattr(group_commit, "LANE_PATIENCE_SECONDS", WAIT_SECONDS_MAX)  # however slow the machine is
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend, lanes=2)
    futures = submit(group, ("a", 1))
    await turns()
    futures += submit(group, *[(f"key {number}", 1) for number in range(waiting)])
    await turns()
    assert len(backend.batches) == batches
    backend.gate.set()
    await asyncio.gather(*futures)


async def test_the_next_batch_begins_before_the_callers_of_the_last_one_wake_up() -> None:
    """The database works while they answer."""
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend, lanes=1)
    seen: list[int] = []

    async def call(*commands: Command) -> None:
        await asyncio.gather(*submit(group, *commands))
        seen.append(len(backend.batches))

    async with asyncio.TaskGroup() as callers:
        callers.create_task(call(("a", 1)))
        await turns()
        callers.create_task(call(("a", 2), ("b", 1)))
        await turns()
        backend.gate.set()
    assert seen == [2, 2]


async def test_another_lane_opens_beside_a_batch_that_takes_long() -> None:
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend, lanes=2)
    futures = submit(group, ("a", 1))
    await turns()
    futures += submit(group, ("b", 1))
    await until(lambda: len(backend.batches) == 2)
    futures += submit(group, ("c", 1))
    await turns()
    assert len(backend.batches) == 2, "there are two lanes, and both are taken"
    backend.gate.set()
    await asyncio.gather(*futures)


async def test_a_batch_that_hangs_leaves_the_other_lane_to_everybody_else() -> None:
    hangs = asyncio.Event()

    async def execute(commands: Sequence[Command]) -> list[Command | None]:
        if commands[0][0] == "stuck":
            await hangs.wait()
        return list(commands)

    group: Group = GroupCommit(execute, batch_max=64, lanes=2, queue_max=100, key_queue_max=100)
    stuck = submit(group, ("stuck", 1))
    await turns()
    for number in range(5):
        assert await asyncio.gather(*submit(group, (f"a{number}", 1), (f"b{number}", 1)))
    assert not stuck[0].done()
    hangs.set()
    assert await stuck[0] == ("stuck", 1)


async def test_over_a_full_queue_a_command_is_refused_before_any_work() -> None:
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend, queue_max=3)
    futures = submit(group, ("a", 1), ("b", 1), ("c", 1))
    await turns()
    with pytest.raises(Overloaded):
        submit(group, ("d", 1))
    assert group.size == 3, "what is in flight counts"
    backend.gate.set()
    await asyncio.gather(*futures)
    await asyncio.gather(*submit(group, ("d", 1)))
    assert backend.booked == [("a", 1), ("b", 1), ("c", 1), ("d", 1)]


async def test_over_a_full_queue_of_its_key_a_command_is_refused_and_other_keys_go_on() -> None:
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend, key_queue_max=2)
    futures = submit(group, ("a", 1), ("a", 2))
    await turns()
    with pytest.raises(KeyBusy):
        submit(group, ("a", 3))
    futures += submit(group, ("b", 1))
    backend.gate.set()
    await asyncio.gather(*futures)
    assert sorted(backend.booked) == [("a", 1), ("a", 2), ("b", 1)]
    assert group.size == 0


async def test_a_command_refused_at_the_door_leaves_nothing_behind() -> None:
    backend = Backend()
    group = group_over(backend, queue_max=1)
    (future,) = submit(group, ("a", 1))
    for _ in range(3):
        with pytest.raises(Overloaded):
            submit(group, ("b", 1))
    await future
    await turns()
    assert (group.size, backend.booked) == (0, [("a", 1)])


async def test_what_was_not_started_by_its_deadline_is_refused_without_being_executed(clock: Clock) -> None:
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend)
    (first,) = submit(group, ("a", 1))
    await turns()
    late = group.submit(("a", 2), key="a", deadline=clock.now + 1.0)
    in_time = group.submit(("a", 3), key="a", deadline=clock.now + 1.5)
    clock.now += 1.0
    backend.gate.set()
    assert await first == ("a", 1)
    with pytest.raises(Overloaded):
        await late
    assert await in_time == ("a", 3)
    assert backend.booked == [("a", 1), ("a", 3)]


async def test_what_was_started_before_its_deadline_is_finished_after_it(clock: Clock) -> None:
    backend = Backend()
    backend.gate.clear()
    future = group_over(backend).submit(("a", 1), key="a", deadline=clock.now + 1.0)
    await turns()
    clock.now += 2.0
    backend.gate.set()
    assert await future == ("a", 1)


async def test_a_caller_that_went_away_while_waiting_is_skipped() -> None:
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend)
    futures = submit(group, ("a", 1), ("a", 2), ("a", 3), ("b", 1))
    await turns()
    futures[1].cancel()
    backend.gate.set()
    assert await futures[2] == ("a", 3)
    assert ("a", 2) not in backend.booked
    assert group.size == 0


async def test_a_caller_that_went_away_during_the_execution_does_not_stop_it() -> None:
    backend = Backend()
    backend.gate.clear()
    group = group_over(backend)
    futures = submit(group, ("a", 1), ("b", 1))
    await turns()
    futures[0].cancel()
    backend.gate.set()
    assert await futures[1] == ("b", 1)
    assert backend.booked == [("a", 1), ("b", 1)]
    assert group.size == 0


async def test_close_finishes_what_waits_and_takes_nothing_new() -> None:
    backend = Backend()
    group = group_over(backend, batch_max=2)
    futures = submit(group, *[(key, number) for number in range(3) for key in ("a", "b", "c")])
    closing = asyncio.create_task(group.close())
    await turns(1)
    with pytest.raises(Overloaded):
        submit(group, ("d", 1))
    await closing
    assert all(future.done() for future in futures)
    assert len(backend.booked) == 9


async def test_closing_what_was_never_used_is_nothing() -> None:
    backend = Backend()
    group = group_over(backend)
    await group.close()
    await group.close()
    assert backend.batches == []
