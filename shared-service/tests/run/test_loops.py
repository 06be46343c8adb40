"""Background loops: they continue after errors, and stop on request."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared_service.run import loops
from shared_service.run.loops import BackgroundLoop
from shared_service_testing.waiting import until

STOP_SECONDS_MAX = 30.0


async def must_be_quick(work: Coroutine[Any, Any, None]) -> None:
    """Measures the time. A time-out would cancel the work, and work that ignores a cancellation would look quick."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=STOP_SECONDS_MAX)
    task.cancel()
    assert done, "it takes too long"
    await task


async def test_the_first_step_runs_at_once_and_the_next_after_a_pause() -> None:
    steps: list[float] = []

    async def step() -> None:
        steps.append(time.monotonic())

    loop = BackgroundLoop("steps", step, interval_seconds=0.02)
    loop.start()
    await until(lambda: len(steps) >= 3)
    await loop.stop()
    counted = len(steps)
    await asyncio.sleep(0.05)
    assert len(steps) == counted, "it goes on after its end"
    assert all(0.01 < later - earlier < STOP_SECONDS_MAX for earlier, later in itertools.pairwise(steps))


async def test_a_failing_step_is_logged_and_survived() -> None:
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        raise LookupError("secret content")

    loop = BackgroundLoop("steps", step, interval_seconds=0.001)
    with capture_logs() as events:
        loop.start()
        await until(lambda: steps >= 3)
        await loop.stop()
    assert len(events) >= 2
    assert events[0]["event"] == "loop_step_failed"
    assert (events[0]["loop"], events[0]["error_type"]) == ("steps", "LookupError")


async def test_a_loop_that_pauses_is_stopped_at_once() -> None:
    async def step() -> None:
        return None

    loop = BackgroundLoop("steps", step, interval_seconds=3_600.0)
    loop.start()
    await asyncio.sleep(0)
    await must_be_quick(loop.stop())


async def test_a_loop_is_stopped_although_its_step_answers_a_cancellation_with_an_error() -> None:
    """As the database's driver does: it cancels the statement, and the server reports an error."""
    started = asyncio.Event()

    async def step() -> None:
        started.set()
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            raise LookupError("canceling statement due to user request") from None

    loop = BackgroundLoop("steps", step, interval_seconds=3_600.0)
    loop.start()
    await started.wait()
    await must_be_quick(loop.stop())


async def test_a_loop_that_was_never_started_is_stopped() -> None:
    async def step() -> None:
        raise AssertionError("never called")

    await must_be_quick(BackgroundLoop("steps", step, interval_seconds=1.0).stop())


async def test_a_step_that_returns_true_is_followed_by_the_next_at_once_and_an_error_by_a_rest() -> None:
    ran: list[str] = []

    async def step() -> object:
        ran.append("step")
        if len(ran) == 1:
            raise ZeroDivisionError
        return True if len(ran) < 4 else 1  # a number of rows is not True

    loop = BackgroundLoop("steps", step, interval_seconds=3_600.0)
    loop.start()
    await asyncio.sleep(0.05)
    assert len(ran) == 1
    loop.nudge()
    await until(lambda: len(ran) >= 4)
    await asyncio.sleep(0.05)
    assert len(ran) == 4
    await loop.stop()


async def test_who_shares_the_event_asks_for_the_next_step() -> None:
    ran: list[int] = []

    async def step() -> None:
        ran.append(1)

    nudged = asyncio.Event()
    loop = BackgroundLoop("steps", step, interval_seconds=3_600.0, nudged=nudged)
    loop.start()
    await until(lambda: ran)
    nudged.set()
    await until(lambda: len(ran) == 2)
    await loop.stop()


async def test_a_step_that_hangs_is_cancelled_at_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "STOP_WAIT_SECONDS", 0.05)
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def step() -> None:
        started.set()
        try:
            await asyncio.sleep(3_600)
        finally:
            cancelled.set()

    loop = BackgroundLoop("steps", step, interval_seconds=1.0)
    loop.start()
    await started.wait()
    await loop.stop()
    assert cancelled.is_set()


async def test_loops_are_stopped_together_when_their_block_ends() -> None:
    """Each step ends when both loops are stopping. Stopped one after the other, the first would be cancelled."""
    told = [asyncio.Event(), asyncio.Event()]
    begun: list[int] = []
    ended: list[int] = []

    async def step() -> None:
        number = len(begun)
        begun.append(number)
        for each in told:
            await each.wait()
        ended.append(number)

    both = [BackgroundLoop("steps", step, interval_seconds=60, nudged=each) for each in told]
    async with loops.running(both):
        await until(lambda: len(begun) == 2)
    assert sorted(ended) == [0, 1]


async def test_loops_are_stopped_when_their_block_fails() -> None:
    steps: list[None] = []

    async def step() -> None:
        steps.append(None)

    async def fail_beside(loop: BackgroundLoop) -> None:
        async with loops.running([loop]):
            await until(lambda: steps)
            raise LookupError

    loop = BackgroundLoop("steps", step, interval_seconds=0.005)
    with pytest.raises(LookupError):
        await fail_beside(loop)
    counted = len(steps)
    await asyncio.sleep(0.05)
    assert len(steps) == counted, "it goes on after its end"
