"""Counts transactions without a signer. From revision 0007 on there must be none; older ones are not counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from casino.wallet import queries
from shared_service.postgres.database import Database

log = structlog.get_logger()

UNSIGNED_CHECK_SECONDS: Final = 30.0


class UnsignedTransactions:
    """Counts them in one ledger."""

    def __init__(self, database: Database, ledger_id: int, show: Callable[[int], None]) -> None:
        """`show` is told how many there are."""
        self._database = database
        self._ledger_id = ledger_id
        self._show = show

    async def count(self) -> int:
        """Count, and log an error when there is one."""
        ((found,),) = await self._database.call(queries.COUNT_UNSIGNED, (self._ledger_id,))
        self._show(found)
        if found:
            log.error("unsigned_transactions", transactions=found)
        return int(found)
