"""Computes when a payout or rollback with an unknown outcome is sent again.

The time is stored in the row (`due_at`), so a restart does not reset it.
"""

import random
from dataclasses import dataclass
from typing import Final

JITTER_SHARE: Final = 0.25
LONGEST_OVER_FIRST: Final = 15


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses of 1, 2, 4, 8 and then always 15 times the first: 4, 8, 16, 32, 60, 60 … s.

    That is five retries within two minutes, then one a minute. Jitter shortens a pause, so the five stay in time.
    """

    first_seconds: float = 4.0

    def pause_seconds(self, deliveries_made: int) -> float:
        """The pause in seconds after this many deliveries with an unknown outcome."""
        times: int = min(2 ** min(max(deliveries_made - 1, 0), LONGEST_OVER_FIRST), LONGEST_OVER_FIRST)
        return self.first_seconds * times * random.uniform(1 - JITTER_SHARE, 1)  # noqa: S311 -- pacing, not a secret
