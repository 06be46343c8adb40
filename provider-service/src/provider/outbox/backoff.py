"""When an unanswered payout or rollback is sent again.

Owns the schedule. It is stored with the row, not slept through, so that a restart goes on where it stood.
"""

import random
from typing import Final

FIRST_SECONDS: Final = 4.0
LONGEST_SECONDS: Final = 60.0
JITTER_SHARE: Final = 0.25


def pause_seconds(attempts_made: int) -> float:
    """The pause after so many deliveries: 4, 8, 16, 32, 60 s and then 60 s for ever.

    The first five are the five retries within two minutes; jitter only shortens, so that they stay within.
    """
    longest: float = min(FIRST_SECONDS * 2 ** min(max(attempts_made - 1, 0), 10), LONGEST_SECONDS)
    share = random.uniform(1 - JITTER_SHARE, 1)  # noqa: S311 -- pacing, not a secret
    return longest * share
