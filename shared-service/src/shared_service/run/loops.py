"""Background loops: start, pace, log errors and continue, stop.

    loop = BackgroundLoop("expired_sessions", close_expired, interval_seconds=60.0)

A step finds its work in the database and keeps no state of it, so any number of processes may run the same loop.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

log = structlog.get_logger()

JITTER_SHARE: Final = 0.2
STOP_WAIT_SECONDS: Final = 10.0


class BackgroundLoop:
    """Repeats `step`: at once if it returned True, else after about `interval_seconds` or when `nudged` is set.

    A step must be bounded in time. One that raises is logged and repeated after the interval.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[object]],
        *,
        interval_seconds: float,
        nudged: asyncio.Event | None = None,
    ) -> None:
        self._name = name
        self._step = step
        self._interval_seconds = interval_seconds
        self._nudged = nudged or asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start with a first step at once."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Wait for the present step, and cancel it after `STOP_WAIT_SECONDS`. Its leases end by themselves."""
        self._stopping = True
        self._nudged.set()
        if self._task is None:
            return
        _, late = await asyncio.wait({self._task}, timeout=STOP_WAIT_SECONDS)
        for task in late:
            task.cancel()
            await asyncio.wait({task}, timeout=STOP_WAIT_SECONDS)

    def nudge(self) -> None:
        """Run the next step now."""
        self._nudged.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._nudged.clear()
            try:
                more = await self._step() is True
            except Exception as error:
                log.error("loop_step_failed", loop=self._name, error_type=type(error).__name__)
                more = False
            if not more:
                await self._rest()

    async def _rest(self) -> None:
        # Jitter, so that the loops of many processes do not run at the same moment.
        share = random.uniform(1 - JITTER_SHARE, 1 + JITTER_SHARE)  # noqa: S311 -- pacing, not a secret
        try:
            async with asyncio.timeout(self._interval_seconds * share):
                await self._nudged.wait()
        except TimeoutError:
            return


@asynccontextmanager
async def running(loops: Sequence[BackgroundLoop]) -> AsyncIterator[None]:
    """Run the loops during the block, and stop them together at its end."""
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        await asyncio.gather(*(loop.stop() for loop in loops))
