"""Keeps how far a peer's clock is off, measured by its latest requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

KEPT_SECONDS: Final = 15.0
"""Long enough for a scrape to see it; too short to raise an alert that waits for half a minute."""


class PeerClock:
    """Keeps the largest difference for one to two times `KEPT_SECONDS`, and then the latest one.

    A peer with a wrong clock is refused once, corrects its clock by the answer, and is right in the next request. The
    latest difference alone would hide that.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._latest: int | None = None
        self._earlier: int | None = None
        self._now: int | None = None

    def note(self, skew_seconds: int) -> None:
        """Record the difference of one request. Positive: the peer's clock is behind."""
        self._turn()
        self._latest = skew_seconds
        if self._now is None or abs(skew_seconds) >= abs(self._now):
            self._now = skew_seconds

    def worst(self) -> int | None:
        """Returns the largest recent difference in seconds, in either direction; None before the first request."""
        self._turn()
        lately = [each for each in (self._earlier, self._now) if each is not None]
        return max(lately, key=abs) if lately else self._latest

    def _turn(self) -> None:
        passed = self._clock() - self._since
        if passed >= KEPT_SECONDS:
            self._earlier = self._now if passed < 2 * KEPT_SECONDS else None
            self._since, self._now = self._clock(), None
