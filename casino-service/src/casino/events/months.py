"""Makes the partitions of casino.ledger_events ahead of time."""

from __future__ import annotations

from typing import Final

import structlog

from shared_service.postgres.database import Database

log = structlog.get_logger()

MONTHS_SECONDS: Final = 3_600.0
MAKE_MONTHS: Final = "select o_made, o_missing from casino.make_event_months()"


async def make_months(database: Database) -> None:
    """Make the months that are missing up to three months ahead. Without its month an event goes to the default one."""
    ((made, missing),) = await database.call(MAKE_MONTHS, ())
    if made:
        log.info("event_months_made", months=made)
    if missing:
        log.error("event_months_missing", months=missing)
