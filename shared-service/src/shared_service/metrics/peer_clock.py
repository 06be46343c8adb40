"""How far a peer's clock is off, as its latest requests showed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

KEPT_SECONDS: Final = 60.0


class PeerClock:
    """Keeps the largest difference for one to two times `KEPT_SECONDS`.

    A peer whose clock is too far off is refused, corrects itself by that answer and is right a moment later. The latest
    difference alone would hide it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._earlier: int | None = None
        self._now: int | None = None

    def note(self, skew_seconds: int) -> None:
        """A request showed this difference."""
        self._turn()
        self._now = _larger(self._now, skew_seconds)

    def worst(self) -> int | None:
        """The largest difference, in either direction; None when no request came lately."""
        self._turn()
        return self._now if self._earlier is None else _larger(self._now, self._earlier)

    def _turn(self) -> None:
        passed = self._clock() - self._since
        if passed >= KEPT_SECONDS:
            self._earlier = self._now if passed < 2 * KEPT_SECONDS else None
            self._since, self._now = self._clock(), None


def _larger(one: int | None, other: int) -> int:
    return other if one is None or abs(other) >= abs(one) else one
