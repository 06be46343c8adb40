"""Closes a table: forced row-level security, so that whoever asks sees the rows of its own tenants."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import sql

_CLOSE: Final = """
    alter table {table} enable row level security, force row level security;
    drop policy if exists own_tenants on {table};
    create policy own_tenants on {table} to casino_app using (
        tenant_id = any ((select nullif(current_setting('casino.tenants', true), '')::text[])::text[])
    );
    drop policy if exists every_tenant on {table};
    create policy every_tenant on {table} to casino_owner, casino_ledger using (true);
    drop policy if exists oversight on {table};
    create policy oversight on {table} for select to casino_oversight using (true);
"""


def secure(connection: psycopg.Connection[Any], *tables: str) -> None:
    """Close tables with a column `tenant_id`, each in a transaction of its own. May be repeated."""
    for name in tables:
        with connection.transaction():
            connection.execute(sql.SQL(_CLOSE).format(table=sql.Identifier("casino", name)))
