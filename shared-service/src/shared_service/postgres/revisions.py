"""What a revision calls: it runs its SQL file, whole or step by step, and builds indexes beside running work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from alembic import context, op

Connection = psycopg.Connection[Any]

STEP: Final = "\n-- step: "
"""Begins a step in a revision's .sql file."""


def run_sql_beside(revision_file: str) -> None:
    """Run the .sql file beside a revision's .py file, in the migration's transaction."""
    # Directly to the driver, because SQLAlchemy would read colons and percent signs as parameters.
    driver_connection: Any = op.get_bind().connection.driver_connection
    driver_connection.execute(Path(revision_file).with_suffix(".sql").read_bytes())


def run_revisions() -> None:
    """Run the revisions on the connection of `migrate`. For a service's `migrations/env.py`."""
    connection, schema = (context.config.attributes[name] for name in ("connection", "schema"))
    context.configure(connection=connection, version_table_schema=schema, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()


@contextmanager
def steps_beside(revision_file: str, *, first: Sequence[Path] = ()) -> Iterator[Connection]:
    """Run the files `first` and the steps of the .sql file, each step in a transaction of its own.

    Yields the connection, in autocommit, for what follows. The revision must be repeatable: a step that fails ends it,
    and the steps before it stay.
    """
    steps = Path(revision_file).with_suffix(".sql").read_text("utf-8").split(STEP)[1:]
    with op.get_context().autocommit_block():
        connection: Connection | None = op.get_bind().connection.driver_connection
        if connection is None:
            raise RuntimeError("a migration needs an open connection")
        for file in first:
            connection.execute(file.read_bytes())
        for step in steps:
            with connection.transaction():
                connection.execute(f"-- {step}".encode())
        yield connection


def change_indexes(connection: Connection, *statements: str) -> None:
    """Run statements such as `create index concurrently`, which wait for older transactions, such as a backup's.

    Nobody waits behind them, so they may wait long.
    """
    connection.execute("set lock_timeout = '60s'")
    try:
        for statement in statements:
            connection.execute(statement.encode())
    finally:
        connection.execute("reset lock_timeout")
