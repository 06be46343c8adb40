"""What the service needs to do its work: a database with the schema that this release expects."""

from __future__ import annotations

from typing import Final

import psycopg

from casino.db import Database, OutcomeUnknown, Overloaded
from casino.wallet.queries import RESTORE_UNFINISHED

MIGRATED_TO: Final = "select version_num from casino.alembic_version"


async def find_missing(database: Database, expected_revision: str, ledger_id: int) -> str | None:
    """`database`, `migrations` or `after_restore`; None when nothing is missing."""
    try:
        rows = await database.call(MIGRATED_TO)
        # A newer schema serves older code too: migrations come first in a rolling deployment.
        if not rows or rows[0][0] < expected_revision:
            return "migrations"
        reasons = await database.call(RESTORE_UNFINISHED, [ledger_id])
    except psycopg.errors.UndefinedTable:
        return "migrations"
    except (Overloaded, OutcomeUnknown, psycopg.Error):
        return "database" if database.refusal() is None else "after_restore"
    return "after_restore" if reasons and reasons[0][0] is not None else None
