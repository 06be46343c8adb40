"""Tenants belong to a ledger, and rows to a tenant: see 0012_tenants.sql and docs/decisions/0025-tenants.md."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import sql

from casino.sql.schema import SCHEMA
from shared_service.postgres.revisions import change_indexes, steps_beside

revision = "0012"
down_revision = "0011"

FUNCTIONS: Final = ("settle_tenants", "adopt_tenant")
"""Trigger functions, which the triggers of this revision need before all other functions are applied."""
TENANTS_TABLES: Final = """
    select relname from pg_class
    join pg_attribute on attrelid = pg_class.oid and attname = 'tenant_id'
    where relnamespace = 'casino'::regnamespace and relkind in ('r', 'p')
    order by relname
"""
ROW_SECURITY: Final = """
    alter table {table} enable row level security, force row level security;
    drop policy if exists own_tenants on {table};
    create policy own_tenants on {table} to casino_app using (
        tenant_id = any ((select nullif(current_setting('casino.tenants', true), '')::text[])::text[])
    );
    drop policy if exists every_tenant on {table};
    create policy every_tenant on {table} to casino_owner, casino_ledger using (true);
"""
RELEASE_BEFORE: Final = """
    drop policy if exists release_before on {table};
    create policy release_before on {table} for select to casino_app using (
        (select current_setting('application_name')) = 'casino-service'
    );
"""
"""Processes of the release before read without a tenant. Only a database that they served has it; the next release
drops it."""
PLAYER_INDEX: Final = (
    "create unique index concurrently player_is_of_one_tenant on casino.wallets (ledger_id, player_id)"
)


def upgrade() -> None:
    """Take the steps of the SQL file, build an index, then close one table after the other, all beside running bets.

    Each is a transaction of its own. A table that stays in use ends the revision, and it is begun again.
    """
    functions = [SCHEMA.folder / "functions" / "tenants" / f"{name}.sql" for name in FUNCTIONS]
    with steps_beside(__file__, first=functions) as connection:
        connection.execute("drop index if exists casino.player_is_of_one_tenant")
        change_indexes(connection, PLAYER_INDEX)
        _close_tables(connection)


def _close_tables(connection: psycopg.Connection[Any]) -> None:
    """Forced row-level security for every table with a tenant."""
    row = connection.execute("select exists (select from casino.wallets)").fetchone()
    statements = ROW_SECURITY + (RELEASE_BEFORE if row and row[0] else "")
    for (name,) in connection.execute(TENANTS_TABLES).fetchall():
        with connection.transaction():
            connection.execute(sql.SQL(statements).format(table=sql.Identifier("casino", name)))
