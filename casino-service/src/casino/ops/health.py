"""The readiness check: the database, its schema revision, the tenant, and the difference of clocks."""

from __future__ import annotations

import time
from typing import Final

import psycopg

from casino.settings import Settings
from casino.wallet.queries import RESTORE_UNFINISHED
from shared_service.postgres.database import Database, OutcomeUnknown, Overloaded

MIGRATED_TO: Final = "select version_num from casino.alembic_version"
FIND_TENANT: Final = "select extract(epoch from casino.clock())::float8 from casino.tenants where tenant_id = %s::text"
WHICH_IS_KNOWN: Final = "select o_tenant, o_ledger from casino.is_known(%s::text, %s::integer)"
CLOCK_AHEAD_MAX_SECONDS: Final = 120
CLOCK_BEHIND_MAX_SECONDS: Final = 360
"""With a larger difference from the database's time, no nonce can be stored: every request would be a replay."""


async def find_missing(database: Database, expected_revision: str, settings: Settings) -> str | None:
    """Returns what is missing: `database`, `login`, `migrations`, `after_restore`, `tenant`, `clock` or
    None."""
    try:
        rows = await database.call(MIGRATED_TO)
        # A newer schema is accepted: in a rolling upgrade migrations run first.
        if not rows or rows[0][0] < expected_revision:
            return "migrations"
        reasons = await database.call(RESTORE_UNFINISHED, [settings.ledger_id])
        if reasons and reasons[0][0] is not None:
            return "after_restore"
        async with database.transaction(settings.tenant_id) as connection:
            known = await (await connection.execute(FIND_TENANT, [settings.tenant_id])).fetchall()
    except psycopg.errors.UndefinedTable:
        return "migrations"
    except (Overloaded, OutcomeUnknown, psycopg.Error):
        return database.refusal() or "database"
    if not known:
        return "tenant"
    is_near = -CLOCK_BEHIND_MAX_SECONDS <= time.time() - known[0][0] <= CLOCK_AHEAD_MAX_SECONDS
    return None if is_near else "clock"


async def why_missing(database: Database, settings: Settings, missing: str) -> str | None:
    """Returns for `tenant` which setting the database does not know, else None."""
    if missing != "tenant":
        return None
    try:
        rows = await database.call(WHICH_IS_KNOWN, [settings.tenant_id, settings.ledger_id])
    except (Overloaded, OutcomeUnknown, psycopg.Error):
        return None
    tenant, ledger = f"CASINO_TENANT={settings.tenant_id}", f"CASINO_LEDGER={settings.ledger_id}"
    unknown = [name for name, is_known in zip((tenant, ledger), rows[0], strict=True) if not is_known]
    if unknown:
        return f"the database does not know {' and '.join(unknown)}"
    return f"{ledger} is another tenant's, not {tenant}'s"
