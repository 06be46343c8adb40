"""Stops the sessions that nobody has played in for long: their token has expired, and they owe nothing.

Owns when a session is stale. It must never stop one with an open round or a transaction without a known end.
"""

from typing import Final

import structlog

from provider.db import Pool

log = structlog.get_logger(__name__)

IDLE_SECONDS: Final = 86_400.0
"""A day: 48 lives of a session's token."""
STALE_LOOK_SECONDS: Final = 300.0
PAGE_MAX: Final = 500


class StaleSessions:
    """The step of the loop."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def step(self) -> bool:
        """Stop some; true when there may be more."""
        async with self._pool.connection() as connection:
            query = "select provider.stop_stale_sessions(%s, %s)"
            row = await (await connection.execute(query, (IDLE_SECONDS, PAGE_MAX))).fetchone()
        stopped = int(row[0]) if row else 0
        if stopped:
            log.info("stale_sessions_stopped", count=stopped)
        return stopped == PAGE_MAX
