"""Runs the count of unsigned transactions while the casino serves."""

from __future__ import annotations

from collections.abc import Callable

from casino.audit.unsigned import UNSIGNED_CHECK_SECONDS, UnsignedTransactions
from casino.settings import Settings
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop


def loops(settings: Settings, database: Database, *, show: Callable[[int], None]) -> list[BackgroundLoop]:
    """The loop that counts. `show(count)` is called after each count."""
    step = UnsignedTransactions(database, settings.ledger_id, show).count
    return [BackgroundLoop("unsigned_transactions", step, interval_seconds=UNSIGNED_CHECK_SECONDS)]
