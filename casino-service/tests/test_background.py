"""The skeleton of what runs beside the requests: it survives its errors, and it stops when it is told to."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine
from typing import Any

import pytest
from casino_testing.edge import serving
from casino_testing.processes import until
from casino_testing.tenant import Tenant
from structlog.typing import EventDict

from casino.background import BackgroundLoop

pytestmark = pytest.mark.anyio

STOP_SECONDS_MAX = 30.0


async def must_be_quick(work: Coroutine[Any, Any, None]) -> None:
    """Asks the clock: a time-out would cancel the work, and what swallows a cancellation would look quick."""
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


async def test_a_failing_step_is_logged_and_survived(logged: list[EventDict]) -> None:
    steps = 0

    async def step() -> None:
        nonlocal steps
        steps += 1
        raise LookupError("secret content")

    loop = BackgroundLoop("steps", step, interval_seconds=0.001)
    loop.start()
    await until(lambda: steps >= 3)
    await loop.stop()
    events = [event for event in logged if event["event"] == "background_step_failed"]
    assert len(events) >= 2
    assert (events[0]["loop"], events[0]["error_type"]) == ("steps", "LookupError")


async def test_a_loop_that_pauses_is_stopped_at_once() -> None:
    async def step() -> None:
        return None

    loop = BackgroundLoop("steps", step, interval_seconds=3_600.0)
    loop.start()
    await asyncio.sleep(0)
    await must_be_quick(loop.stop())


async def test_a_loop_is_stopped_although_its_step_answers_a_cancellation_with_an_error() -> None:
    """As the database's driver does: it cancels the statement, and the server says so with an error."""
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


async def test_a_service_that_is_stopped_while_it_starts_stops(tenant: Tenant) -> None:
    async def start_and_stop(turns: int) -> None:
        async with serving(tenant):
            for _ in range(turns):
                await asyncio.sleep(0.0005)

    for turns in range(30):
        await must_be_quick(start_and_stop(turns))
