"""Counts transactions without a signer. Migration 0007 forbids new ones; older ones are not counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from casino.wallet import queries
from shared_service.postgres.database import Database

log = structlog.get_logger()

UNSIGNED_CHECK_SECONDS: Final = 30.0


class UnsignedTransactions:
    """Counts the unsigned transactions of one ledger."""

    def __init__(self, database: Database, ledger_id: int, show: Callable[[int], None]) -> None:
        """`show(count)` is called after each count."""
        self._database = database
        self._ledger_id = ledger_id
        self._show = show

    async def count(self) -> int:
        """Count, and log an error when the count is not 0."""
        ((found,),) = await self._database.call(queries.COUNT_UNSIGNED, (self._ledger_id,))
        self._show(found)
        if found:
            log.error("unsigned_transactions", transactions=found)
        return int(found)
