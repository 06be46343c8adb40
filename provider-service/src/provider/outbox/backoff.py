"""When an unanswered payout or rollback is sent again.

Owns the schedule. It is stored with the row, not slept through, so that a restart goes on where it stood.
"""

import random
from dataclasses import dataclass
from typing import Final

JITTER_SHARE: Final = 0.25
LONGEST_OVER_FIRST: Final = 15


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pauses 1, 2, 4, 8 and 15 times the first, and 15 times for ever: 4, 8, 16, 32, 60 s with a first of 4.

    Five retries within two minutes, then one a minute. Jitter only shortens, so that the five stay within.
    """

    first_seconds: float = 4.0

    def pause_seconds(self, deliveries_made: int) -> float:
        """The pause after so many deliveries without an answer."""
        times: int = min(2 ** min(max(deliveries_made - 1, 0), LONGEST_OVER_FIRST), LONGEST_OVER_FIRST)
        return self.first_seconds * times * random.uniform(1 - JITTER_SHARE, 1)  # noqa: S311 -- pacing, not a secret
