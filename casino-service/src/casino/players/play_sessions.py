"""Ends play sessions six hours after their last login or bet, and closes ephemeral accounts with nothing left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from shared_service.postgres.database import Database

END: Final = "select * from casino.end_play_sessions(%s, %s, %s, %s)"
PAGE: Final = 200
BEGINNING: Final = (datetime.min.replace(tzinfo=UTC), UUID(int=0))


@dataclass(slots=True)
class PlaySessions:
    """The play sessions of a ledger, looked through a page at a time."""

    database: Database
    ledger_id: int
    place: tuple[datetime, UUID] = BEGINNING
    """The last one that was looked at, by login and id. Another process has a place of its own."""

    async def end_some(self) -> bool:
        """Look at a page. Returns whether it was full: there may be more."""
        rows = await self.database.call(END, (self.ledger_id, *self.place, PAGE))
        looked_at, login_at, session_id = rows[0]
        is_full = int(looked_at) == PAGE
        self.place = (login_at, session_id) if is_full else BEGINNING
        return is_full
