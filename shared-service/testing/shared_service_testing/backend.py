"""An `execute` for GroupCommit that books commands in memory and fails as a database can, on request.

A command is a pair of key and number, and its outcome is the pair itself. Booking is idempotent, as in production.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from shared_service.postgres.database import OutcomeUnknown, Overloaded

WAIT_SECONDS_MAX: Final = 60.0

Command = tuple[str, int]


class Effect(StrEnum):
    """The effect of one execution."""

    BOOK = "books everything"
    REFUSE = "fails as a whole and books nothing"
    LOSE_BEFORE = "breaks before the commit"
    LOSE_AFTER = "breaks after the commit"
    SHED = "finds no connection"
    BUSY = "finds every key held by another process"


class BadCommand(Exception):  # noqa: N818 - what the fake database says to a poisoned command
    """An unexpected error: nothing was committed."""


class Backend:
    """Records every batch, and asserts that no key is in two executions at once. `effects`: one for each batch.

    Unless `in_turns`, it also asserts that a batch has one command of a key.
    """

    def __init__(
        self, effects: Sequence[Effect] = (), *, poison: frozenset[Command] = frozenset(), in_turns: bool = False
    ) -> None:
        self.batches: list[list[Command]] = []
        self.booked: list[Command] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.most_in_flight = 0
        self._deeds = deque(effects)
        self._poison = poison
        self._in_turns = in_turns
        self._keys: set[str] = set()
        self._in_flight = 0

    async def execute(self, commands: Sequence[Command]) -> list[Command | None]:
        """One batch in one transaction."""
        keys = {key for key, _ in commands}
        assert self._in_turns or len(keys) == len(commands), "a key twice in one batch"
        assert not keys & self._keys, "a key in two batches at once"
        self.batches.append(list(commands))
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        self._keys |= keys
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
            return self._do(self._deeds.popleft() if self._deeds else Effect.BOOK, commands)
        finally:
            self._keys -= keys
            self._in_flight -= 1

    def _do(self, effect: Effect, commands: Sequence[Command]) -> list[Command | None]:
        if effect is Effect.REFUSE or self._poison & set(commands):
            raise BadCommand
        if effect is Effect.SHED:
            raise Overloaded
        if effect is Effect.LOSE_BEFORE:
            raise OutcomeUnknown
        if effect is Effect.BUSY:
            return [None] * len(commands)
        self.booked += [command for command in commands if command not in self.booked]
        if effect is Effect.LOSE_AFTER:
            raise OutcomeUnknown
        return list(commands)


class Clock:
    """A clock for GroupCommit that only a test moves, so that a slow machine does not use up a deadline."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Replaces `time.monotonic`."""
        return self.now


def soon(seconds: float = WAIT_SECONDS_MAX) -> float:
    """A deadline in the loop's time."""
    return asyncio.get_running_loop().time() + seconds


async def turns(count: int = 10) -> None:
    """Let all ready tasks run."""
    for _ in range(count):
        await asyncio.sleep(0)
