"""Connections to a database that many tests share, kept from test to test.

A new connection reads the catalogue and plans each function anew: that costs six times as much as what a test asks.
The plan of a kept statement is made once, too (the one of the ledger's invariants takes 20 ms).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

Connection = psycopg.Connection[dict[str, Any]]

FORGET: Final = "reset session authorization; reset all; unlisten *; select pg_catalog.pg_advisory_unlock_all()"
"""Undo what a test set. A role of the start-up options stays."""
PLAN_ONCE: Final = "-c plan_cache_mode=force_generic_plan"

_kept: dict[str, dict[tuple[str, str], list[Connection]]] = {}
"""By database, then by address and options: those that no test uses now."""


@contextmanager
def keeping(url: str) -> Iterator[None]:
    """Keep the connections to this URL's database until the end."""
    database = _database_of(url)
    _kept[database] = {}
    try:
        yield
    finally:
        for spare in _kept.pop(database).values():
            for connection in spare:
                connection.close()


def take(url: str, options: str = "") -> Connection:
    """A connection in autocommit that nobody else uses."""
    with suppress(KeyError, IndexError):  # another thread may take the last one
        return _kept[_database_of(url)][url, options].pop()
    return psycopg.connect(url, autocommit=True, row_factory=dict_row, options=f"{PLAN_ONCE} {options}".strip())


def give_back(connection: Connection, url: str, options: str = "") -> None:
    """End the use of a connection. It is kept if its database is shared and the test left it whole."""
    spare = _kept.get(_database_of(url))
    if spare is None or connection.info.transaction_status != TransactionStatus.IDLE:
        connection.close()
        return
    try:
        connection.execute(FORGET)
    except psycopg.OperationalError:  # the test ended it
        connection.close()
    else:
        spare.setdefault((url, options), []).append(connection)


def _database_of(url: str) -> str:
    return url.rpartition("@")[2]
