"""Lets a test decide when the deadlines of calls and rounds pass.

A short deadline could pass on a busy machine by chance; a long one costs time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tenacity import RetryCallState

from provider.rounds import round_play
from provider.wallet_client import client


class Clocked:
    """Replaces `asyncio` in a module that sets deadlines, and keeps the running ones."""

    def __init__(self) -> None:
        self._running: set[asyncio.Timeout] = set()

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        """Like `asyncio.timeout`."""
        async with asyncio.timeout(seconds) as deadline:
            self._running.add(deadline)
            try:
                yield
            finally:
                self._running.discard(deadline)

    def pass_now(self) -> None:
        """Make all running deadlines pass."""
        for deadline in self._running:
            if not deadline.expired():
                deadline.reschedule(asyncio.get_running_loop().time())

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)


class Deadlines:
    """The deadlines of calls and of rounds.

    `last_try`: the deadline of a call passes when it waits after this many tries. `pauses`: the requested waits.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.of_calls, self.of_rounds = Clocked(), Clocked()
        self.last_try: int | None = None
        self.pauses: list[float] = []
        self._pause = client._pause
        patch.setattr(client, "asyncio", self.of_calls)
        patch.setattr(client, "_pause", self._note_pause)
        patch.setattr(round_play, "asyncio", self.of_rounds)

    def _note_pause(self, state: RetryCallState) -> float:
        self.pauses.append(self._pause(state))
        if self.last_try is not None and state.attempt_number >= self.last_try:
            self.of_calls.pass_now()
        return self.pauses[-1]
