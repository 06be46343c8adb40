"""Group commit when the database fails: the outcome of each item. An item that may be booked is never called failed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.typing import EventDict

from shared_service.postgres.database import OutcomeUnknown, Overloaded
from shared_service.postgres.group_commit import BUSY_PATIENCE_SECONDS, GroupCommit, KeyBusy
from shared_service_testing.backend import WAIT_SECONDS_MAX, Backend, BadCommand, Clock, Command, Effect, turns
from shared_service_testing.waiting import until

pytestmark = pytest.mark.usefixtures("clock")

Group = GroupCommit[Command, Command]
DEADLINE = 60.0
"""On the tests' clock, which begins at 0: later than everything else."""
KEYS = ("a", "b", "c", "d", "e", "f", "g", "h")
BUSY_FOR_SECONDS = [Effect.BUSY] * 1_000


def group_over(backend: Backend) -> Group:
    return GroupCommit(backend.execute, batch_max=64, lanes=1, queue_max=100, key_queue_max=100)


async def outcomes_of(group: Group, *commands: Command, deadline: float = DEADLINE) -> list[Any]:
    futures = [group.submit(command, key=command[0], deadline=deadline) for command in commands]
    return await asyncio.gather(*futures, return_exceptions=True)


@pytest.mark.parametrize("bad", KEYS)
async def test_a_failing_batch_is_split_until_the_one_bad_command_stands_alone(
    bad: str, logged: list[EventDict]
) -> None:
    backend = Backend(poison=frozenset({(bad, 1)}))
    outcomes = await outcomes_of(group_over(backend), *[(key, 1) for key in KEYS])
    for key, outcome in zip(KEYS, outcomes, strict=True):
        assert isinstance(outcome, BadCommand) if key == bad else outcome == (key, 1)
    assert sorted(backend.booked) == [(key, 1) for key in KEYS if key != bad]
    assert len(backend.batches) == 7, "one failure each for 8, 4, 2 and 1, and the three other halves"
    assert [event["size"] for event in logged if event["event"] == "batch_split"] == [8, 4, 2]
    (failed,) = [event for event in logged if event["event"] == "command_failed"]
    assert (failed["error_type"], failed["exc_info"]) == ("BadCommand", True), "its traceback is logged"


async def test_a_batch_that_is_split_keeps_its_one_lane_until_its_last_part_is_done() -> None:
    backend = Backend(poison=frozenset({("a", 1), ("d", 1)}))
    group = group_over(backend)
    others = [(f"other {number}", 1) for number in range(3)]
    outcomes = await asyncio.gather(
        outcomes_of(group, *[(key, 1) for key in KEYS]), *(outcomes_of(group, other) for other in others)
    )
    assert [told for (told,) in outcomes[1:]] == others
    assert backend.most_in_flight == 1


async def test_several_bad_commands_hurt_only_themselves() -> None:
    poison = frozenset({("a", 1), ("d", 1), ("h", 1)})
    backend = Backend(poison=poison)
    outcomes = await outcomes_of(group_over(backend), *[(key, 1) for key in KEYS])
    told = {key for key, outcome in zip(KEYS, outcomes, strict=True) if isinstance(outcome, BadCommand)}
    assert told == {"a", "d", "h"}


async def test_a_split_ends_with_the_deadline_of_its_commands(clock: Clock) -> None:
    """Where each attempt waits for a lock until its time-out, a batch of 64 would hold its lane for minutes."""
    backend = Backend([Effect.REFUSE] * 1_000)

    async def execute(commands: Sequence[Command]) -> list[Command | None]:
        clock.now += DEADLINE / 2
        return await backend.execute(commands)

    group: Group = GroupCommit(execute, batch_max=64, lanes=1, queue_max=100, key_queue_max=100)
    outcomes = await outcomes_of(group, *[(name, 1) for name in KEYS])
    assert [len(batch) for batch in backend.batches] == [8, 4]
    assert {type(outcome) for outcome in outcomes} == {Overloaded}
    assert await outcomes_of(group_over(Backend()), ("a", 2), deadline=DEADLINE * 4) == [("a", 2)]
    assert group.size == 0


async def test_after_a_bad_command_its_key_goes_on_in_order() -> None:
    backend = Backend(poison=frozenset({("a", 1)}))
    outcomes = await outcomes_of(group_over(backend), ("a", 0), ("a", 1), ("a", 2), ("a", 3))
    assert isinstance(outcomes[1], BadCommand)
    assert backend.booked == [("a", 0), ("a", 2), ("a", 3)]


@pytest.mark.parametrize("effect", [Effect.LOSE_BEFORE, Effect.LOSE_AFTER])
async def test_a_batch_of_unknown_outcome_is_executed_again_as_it_was(effect: Effect) -> None:
    backend = Backend([effect])
    commands = [(key, 1) for key in KEYS]
    assert await outcomes_of(group_over(backend), *commands) == commands
    assert backend.batches == [commands, commands]
    assert backend.booked == commands


async def test_an_unknown_outcome_is_asked_for_again_until_the_database_is_back() -> None:
    backend = Backend([Effect.LOSE_AFTER, Effect.LOSE_BEFORE, Effect.SHED, Effect.LOSE_BEFORE, Effect.SHED])
    assert await outcomes_of(group_over(backend), ("a", 1)) == [("a", 1)]
    assert len(backend.batches) == 6
    assert backend.booked == [("a", 1)]


async def test_when_the_time_is_up_an_unknown_outcome_is_said_to_be_unknown() -> None:
    backend = Backend([Effect.LOSE_AFTER] + [Effect.SHED] * 1_000)
    outcomes = await outcomes_of(group_over(backend), ("a", 1), ("b", 1), deadline=0.1)
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, OutcomeUnknown]
    assert backend.booked == [("a", 1), ("b", 1)]


async def test_what_found_no_connection_is_refused_and_not_tried_again() -> None:
    backend = Backend([Effect.SHED])
    outcomes = await outcomes_of(group_over(backend), ("a", 1), ("b", 1))
    assert [type(outcome) for outcome in outcomes] == [Overloaded, Overloaded]
    assert (len(backend.batches), backend.booked) == (1, [])


async def test_a_busy_key_is_tried_again_and_its_neighbours_are_answered_at_once() -> None:
    held = True
    backend = Backend()

    async def execute(commands: Sequence[Command]) -> list[Command | None]:
        booked = await backend.execute([command for command in commands if command[0] != "held" or not held])
        return [command if command in booked else None for command in commands]

    group: Group = GroupCommit(execute, batch_max=64, lanes=1, queue_max=100, key_queue_max=100)
    waiting = [group.submit(("held", number), key="held", deadline=DEADLINE) for number in (1, 2)]
    free = group.submit(("free", 1), key="free", deadline=DEADLINE)
    assert await free == ("free", 1)
    await turns()
    assert not any(future.done() for future in waiting)
    held = False
    assert await asyncio.gather(*waiting) == [("held", 1), ("held", 2)]
    assert group.size == 0


async def test_a_key_that_stays_busy_is_refused_as_busy(clock: Clock) -> None:
    clock.now += 10 * BUSY_PATIENCE_SECONDS  # patience begins with the item, not with the process
    backend = Backend(BUSY_FOR_SECONDS)
    group = group_over(backend)
    answering = asyncio.ensure_future(outcomes_of(group, ("a", 1)))
    await until(lambda: len(backend.batches) > 2)  # it is tried again
    assert not answering.done()
    clock.now += BUSY_PATIENCE_SECONDS
    (outcome,) = await answering
    assert isinstance(outcome, KeyBusy)
    assert (backend.booked, group.size) == ([], 0)


async def test_a_busy_key_waits_no_longer_than_its_deadline(clock: Clock) -> None:
    backend = Backend(BUSY_FOR_SECONDS)
    answering = asyncio.ensure_future(outcomes_of(group_over(backend), ("a", 1), deadline=BUSY_PATIENCE_SECONDS / 2))
    await until(lambda: len(backend.batches) > 2)
    assert not answering.done()
    clock.now += BUSY_PATIENCE_SECONDS / 2
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        (outcome,) = await answering
    assert isinstance(outcome, Overloaded | KeyBusy)
    assert backend.booked == []


async def test_a_caller_of_a_busy_key_that_went_away_is_forgotten() -> None:
    backend = Backend([Effect.BUSY] * 3)
    group = group_over(backend)
    first, second = (group.submit(("a", number), key="a", deadline=DEADLINE) for number in (1, 2))
    await turns()
    first.cancel()
    assert await second == ("a", 2)
    assert backend.booked == [("a", 2)]
    assert group.size == 0


async def test_close_waits_for_busy_keys_too() -> None:
    backend = Backend([Effect.BUSY] * 3)
    group = group_over(backend)
    future = group.submit(("a", 1), key="a", deadline=DEADLINE)
    await turns()
    await group.close()
    assert future.done()
    assert await future == ("a", 1)


@pytest.mark.parametrize("then", [BUSY_FOR_SECONDS, [Effect.REFUSE, Effect.SHED], [Effect.REFUSE, Effect.REFUSE]])
@pytest.mark.parametrize("lost", [Effect.LOSE_AFTER, Effect.LOSE_BEFORE])
async def test_what_may_be_booked_is_never_said_to_be_refused_before_any_work(
    clock: Clock, lost: Effect, then: Sequence[Effect]
) -> None:
    backend = Backend([lost, *then])
    answering = asyncio.ensure_future(outcomes_of(group_over(backend), ("a", 1), ("b", 1)))
    await until(lambda: len(backend.batches) > 2)  # what was lost has been asked for again
    clock.now += BUSY_PATIENCE_SECONDS
    for outcome in await answering:
        assert not isinstance(outcome, Overloaded | KeyBusy)


async def test_an_error_after_an_unknown_outcome_leaves_it_unknown() -> None:
    """The error says that this attempt did nothing. The first one had booked, and claimed the nonce."""
    backend = Backend([Effect.LOSE_AFTER] + [Effect.REFUSE] * 4)
    outcomes = await outcomes_of(group_over(backend), ("a", 1), ("b", 1))
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, OutcomeUnknown]
    assert backend.booked == [("a", 1), ("b", 1)]


async def test_a_wrong_number_of_outcomes_fails_the_callers_instead_of_leaving_them_waiting() -> None:
    async def execute(commands: Sequence[Command]) -> list[Command | None]:
        return list(commands)[:-1]

    group: Group = GroupCommit(execute, batch_max=64, lanes=1, queue_max=100, key_queue_max=100)
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        outcomes = await outcomes_of(group, ("a", 1), ("b", 1))
    assert all(isinstance(outcome, Exception) for outcome in outcomes)
    assert group.size == 0
