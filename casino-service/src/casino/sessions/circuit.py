"""Lets a provider that does not answer cost little: after failed calls in a row only one call a second goes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

FAILURES_MAX: Final = 20
PAUSE_SECONDS: Final = 1.0


class Circuit:
    """The circuit of one peer. It closes again with the first call that is answered."""

    __slots__ = ("_clock", "_failures", "_next_call_at")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._next_call_at = 0.0

    def lets_through(self) -> bool:
        """Returns whether a call may go out now."""
        if self._failures < FAILURES_MAX:
            return True
        now = self._clock()
        if now < self._next_call_at:
            return False
        self._next_call_at = now + PAUSE_SECONDS
        return True

    def note(self, *, answered: bool) -> None:
        """Record the outcome of a call."""
        self._failures = 0 if answered else self._failures + 1
        if self._failures == FAILURES_MAX:
            self._next_call_at = self._clock() + PAUSE_SECONDS
