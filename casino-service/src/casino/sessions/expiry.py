"""Closes expired sessions without an open bet. A SQL function decides which those are."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Final

import structlog

from casino.sessions import queries
from shared_service.postgres.database import Database

log = structlog.get_logger()

EXPIRY_CHECK_SECONDS: Final = 60.0
SESSIONS_PER_PAGE: Final = 200
PAGES_PER_STEP_MAX: Final = 10
_BEFORE_ALL: Final = (datetime.min.replace(tzinfo=UTC), uuid.UUID(int=0))


class ExpiredSessions:
    """Checks the open sessions of a ledger page by page, from the oldest on, and starts again after the last.

    Any number of processes may do so at once. A step continues where the last one stopped, so a session that must stay
    open does not block later ones.
    """

    def __init__(self, database: Database, ledger_id: int) -> None:
        self._database = database
        self._ledger_id = ledger_id
        self._after = _BEFORE_ALL

    async def close_some(self) -> int:
        """Check some pages. Returns how many sessions were closed."""
        closed = 0
        for _ in range(PAGES_PER_STEP_MAX):
            parameters = (self._ledger_id, *self._after, SESSIONS_PER_PAGE)
            ((closed_here, looked_at, *last),) = await self._database.call(queries.CLOSE_EXPIRED_SESSIONS, parameters)
            closed += closed_here
            if looked_at < SESSIONS_PER_PAGE:
                self._after = _BEFORE_ALL
                break
            self._after = (last[0], last[1])
        if closed:
            log.info("expired_sessions_closed", sessions=closed)
        return closed
