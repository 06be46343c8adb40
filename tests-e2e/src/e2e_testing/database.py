"""The suite's own access to Postgres: databases to break, and the few values that no endpoint can set.

Connects as the server's administrator, never through the services. Statements here are the only place of the suite,
besides books.py, that name a table.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from local_stack.testing import COPY_DATABASE, deadlocks_in

Row = dict[str, Any]
STATEMENT_SECONDS_MAX = 60


def with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


class Database:
    """One database, by its administrator's URL. Single statements share one kept connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._kept: psycopg.Connection[Row] | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.lstrip("/")

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection[Row]:
        options = f"-c statement_timeout={STATEMENT_SECONDS_MAX}s"
        return psycopg.connect(self.url, autocommit=autocommit, row_factory=dict_row, options=options)

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Row]]:
        """An open transaction on a connection of its own, rolled back in the end: to hold locks, to read a snapshot."""
        with self.connect(autocommit=False) as connection:
            yield connection
            connection.rollback()

    def rows(self, statement: str, **values: object) -> list[Row]:
        cursor = self._execute(statement, values)
        return cursor.fetchall() if cursor.description is not None else []

    def row(self, statement: str, **values: object) -> Row:
        found = self.rows(statement, **values)
        assert len(found) == 1, f"expected one row, found {len(found)}: {statement}"
        return found[0]

    def change(self, statement: str, **values: object) -> int:
        """Run a statement that must hit something; answers how many rows it hit."""
        count = self._execute(statement, values).rowcount
        assert count > 0, f"nothing was changed by: {statement}"
        return count

    def disconnect(self) -> None:
        """Let go of the database, so that it can be copied or dropped."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _execute(self, statement: str, values: dict[str, object]) -> psycopg.Cursor[Row]:
        """A test may have broken every connection to this database, the kept one too: then once more on a new one."""
        with self._lock:
            try:
                if self._kept is None:
                    self._kept = self.connect()
                return self._kept.execute(statement.encode(), values)
            except psycopg.OperationalError:
                if self._kept is None or not self._kept.broken:
                    raise
                self.disconnect()
                self._kept = self.connect()
                return self._kept.execute(statement.encode(), values)


def create_database(server_url: str, *, template: Database | None = None) -> Database:
    name = f"e2e_{uuid4().hex[:12]}"
    statement = sql.SQL("create database {}").format(sql.Identifier(name))
    if template:
        template.disconnect()
        statement = COPY_DATABASE.format(sql.Identifier(name), sql.Identifier(template.name))
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement)
    return Database(with_database(server_url, name))


def drop_database(server_url: str, database: Database) -> None:
    database.disconnect()
    with psycopg.connect(server_url, autocommit=True) as connection:
        deadlocks = deadlocks_in(connection, database.name)
        connection.execute(f'drop database if exists "{database.name}" with (force)'.encode())
    assert deadlocks == 0, f"{deadlocks} deadlocks in {database.name}: retries hide them from every answer"
