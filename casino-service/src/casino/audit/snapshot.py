"""One consistent, read-only view of the whole ledger for a command, in the role of the schema's owner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from casino.sql.schema import SCHEMA
from shared_service.postgres import sessions as postgres_session

APPLICATION_NAME: Final = "casino-audit"
CONNECT_TIMEOUT_SECONDS: Final = 5

Row = dict[str, Any]
Books = psycopg.Connection[Row]


class CannotRead(Exception):  # noqa: N818 - an outcome, not a defect
    """The books could not be read. The text tells the operator why."""


@contextmanager
def books_at_one_moment(url: str) -> Iterator[Books]:
    """Opens a connection whose statements all see the same snapshot. Raises CannotRead."""
    try:
        connection: Books = postgres_session.connect(
            url,
            role=SCHEMA.owner_role,
            application_name=APPLICATION_NAME,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            migrated=True,
            statement_timeout=0,
            lock_timeout=0,
            idle_in_transaction_session_timeout=0,
        )
    except psycopg.Error as error:
        raise CannotRead(postgres_session.sentence(error, service="casino")) from None
    connection.autocommit = False
    connection.row_factory = dict_row
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    try:
        with connection:
            _require_schema(connection)
            yield connection
    except psycopg.Error as error:
        raise CannotRead(f"reading broke off: {postgres_session.sentence(error, service='casino')}") from error


def _require_schema(connection: Books) -> None:
    try:
        row = connection.execute("select version_num from casino.alembic_version").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        row = None
    # A newer schema is accepted: it has its own functions for the checks.
    if row is None or row["version_num"] < SCHEMA.newest_revision():
        raise CannotRead(f"the schema is not at revision {SCHEMA.newest_revision()}: run casino migrate")
