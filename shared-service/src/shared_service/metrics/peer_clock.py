"""How far a peer's clock is off, as its latest requests showed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

KEPT_SECONDS: Final = 15.0
"""One scrape of metrics sees it; an alarm that waits for half a minute is not raised by a single late request."""


class PeerClock:
    """Keeps the largest difference for one to two times `KEPT_SECONDS`, and after that the latest one.

    A peer whose clock is too far off is refused, corrects itself by that answer and is right a moment later. The latest
    difference alone would hide it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._latest: int | None = None
        self._earlier: int | None = None
        self._now: int | None = None

    def note(self, skew_seconds: int) -> None:
        """A request showed this difference."""
        self._turn()
        self._latest = skew_seconds
        if self._now is None or abs(skew_seconds) >= abs(self._now):
            self._now = skew_seconds

    def worst(self) -> int | None:
        """The largest difference lately, in either direction; None before the first request."""
        self._turn()
        lately = [each for each in (self._earlier, self._now) if each is not None]
        return max(lately, key=abs) if lately else self._latest

    def _turn(self) -> None:
        passed = self._clock() - self._since
        if passed >= KEPT_SECONDS:
            self._earlier = self._now if passed < 2 * KEPT_SECONDS else None
            self._since, self._now = self._clock(), None
