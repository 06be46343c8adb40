"""The one skeleton of everything that runs beside the requests: start, a loop that survives its errors, stop."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

log = structlog.get_logger()

JITTER: Final = 0.2
"""Share of the interval by which each pause differs, so that processes do not march in step."""


class BackgroundLoop:
    """Calls `step` again and again, with a pause of about `interval_seconds`; an error is logged and survived.

    A step must be bounded in time, as everything is that goes through `casino.db`.
    """

    def __init__(self, name: str, step: Callable[[], Awaitable[object]], *, interval_seconds: float) -> None:
        self._name = name
        self._step = step
        self._interval_seconds = interval_seconds
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first step runs at once."""
        self._task = asyncio.create_task(self._loop(), name=self._name)

    async def stop(self) -> None:
        """End after the step that is running. A step is never cancelled: a database driver may swallow that."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._step()
            except Exception as error:
                log.warning("background_step_failed", loop=self._name, error_type=type(error).__name__)
            pause_seconds = self._interval_seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - not a secret
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_seconds)
