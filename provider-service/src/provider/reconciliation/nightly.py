"""The nightly run: once a day, in one of any number of processes, and later if it was missed.

Owns when. What was done stands in the table of runs, never in memory: a restart neither repeats nor forgets it.
"""

import datetime as dt
import time
from collections.abc import Awaitable, Callable
from typing import Final

from provider.reconciliation.lease import Progress
from provider.reconciliation.queries import RunBooks

NIGHTLY_LOOK_SECONDS: Final = 60.0
TRIES_MAX: Final = 24
PAUSE_SECONDS: Final = 900.0
"""A wallet that is away at night is asked again for six hours."""


def last_due(now: dt.datetime, at: dt.time) -> dt.datetime:
    """The latest moment, up to now, at which a nightly run was due. Both in UTC, so no hour comes twice."""
    today = dt.datetime.combine(now.date(), at, tzinfo=dt.UTC)
    return today if today <= now else today - dt.timedelta(days=1)


class Nightly:
    """The step of the loop. `run` does one run that has begun."""

    def __init__(
        self,
        books: RunBooks,
        run: Callable[[Progress], Awaitable[int]],
        *,
        at: dt.time | None,
        ran_by: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._books = books
        self._run = run
        self._at = at
        self._ran_by = ran_by
        self._clock = clock
        self._progress: Progress | None = None

    async def step(self) -> bool:
        """Run if a run is due that no process has done; there is never more to do at once."""
        if self._at is None:
            return False
        due = last_due(dt.datetime.fromtimestamp(self._clock(), dt.UTC), self._at)
        run_id = await self._books.begin(
            self._ran_by, heals=True, scheduled_for=due, tries_max=TRIES_MAX, pause_seconds=PAUSE_SECONDS
        )
        if run_id is not None:
            self._progress = Progress(run_id)
            await self._run(self._progress)
        return False

    async def interrupt(self) -> None:
        """End a run that is under way at its next page: the process stops, and the run is begun again later."""
        if self._progress is not None:
            self._progress.lost = True
