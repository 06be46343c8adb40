"""The casino's schema, and its pools of connections."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from psycopg import sql

from casino.settings import Settings
from casino.sql.last_steps import LAST_STEPS
from shared_service.postgres.database import Database
from shared_service.postgres.schema import Schema, why_not_secure

OVERSIGHT_ROLE: Final = "casino_oversight"
"""Sees the rows of every tenant, and calls the functions of the operator's platform: for owners."""
SCHEMA: Final = Schema(
    "casino",
    Path(__file__).parent,
    functions_last="audit",
    last_steps=LAST_STEPS,
    definer_role="casino_ledger",
    further_roles=(OVERSIGHT_ROLE,),
    secured_column="tenant_id",
    left_to_do="select restore_unfinished from casino.ledgers, casino.restore_unfinished(ledger_id)"
    " where restore_unfinished is not null",
)
APPLICATION_NAME: Final = "casino"
SEE_TENANT: Final = sql.SQL("select casino.see_tenant({}, %s)")
RESTORE_UNFINISHED: Final = sql.SQL("select casino.restore_unfinished({})")


def reasons_not_to_serve(settings: Settings) -> dict[str, sql.Composed]:
    """Statements that return null or why this database must not be used, by the word with which readiness says so."""
    return {
        "login": why_not_secure(SCHEMA),
        "after_restore": RESTORE_UNFINISHED.format(sql.Literal(settings.ledger_id)),
    }


def oversight_for(settings: Settings, *, size_max: int) -> Database | None:
    """Builds the owners' pool, whose login sees every tenant's rows. None when no address is set."""
    if settings.oversight_database_url is None:
        return None
    return Database(
        settings.oversight_database_url,
        schema=SCHEMA,
        role=OVERSIGHT_ROLE,
        application_name=APPLICATION_NAME,
        size_max=size_max,
        wait_seconds=settings.pool_wait_seconds,
        statement_timeout_ms=settings.statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
        refused_if=reasons_not_to_serve(settings),
    )


def database_for(settings: Settings, *, size_max: int | None = None) -> Database:
    """Builds a pool of at most `size_max` connections. Its `transaction(tenant)` sees that tenant of the ledger.

    It refuses a login for which row-level security does not hold, and a restored database before
    `casino after-restore`.
    """
    return Database(
        settings.database_url,
        schema=SCHEMA,
        application_name=APPLICATION_NAME,
        size_max=min(settings.pool_size_max, size_max or settings.pool_size_max),
        wait_seconds=settings.pool_wait_seconds,
        statement_timeout_ms=settings.statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
        refused_if=reasons_not_to_serve(settings),
        enter_scope=SEE_TENANT.format(sql.Literal(settings.ledger_id)),
    )
