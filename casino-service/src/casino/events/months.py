"""Makes the partitions of casino.ledger_events ahead of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from shared_service.postgres.database import Database

log = structlog.get_logger()

MONTHS_SECONDS: Final = 3_600.0
COUNT_MISSING: Final = "select count(*) from casino.event_months_missing()"
MAKE_MONTHS: Final = "select o_made, o_missing from casino.make_event_months()"


async def make_months(database: Database, show: Callable[[int], object]) -> None:
    """Make the months that are missing up to three months ahead. Without its month an event goes to the default one.

    `show` is called with how many are missing, also when making them fails.
    """
    ((missing,),) = await database.call(COUNT_MISSING, ())
    show(missing)
    if not missing:
        return
    ((made, missing),) = await database.call(MAKE_MONTHS, ())
    show(missing)
    if made:
        log.info("event_months_made", months=made)
    if missing:
        log.error("event_months_missing", months=missing)
