"""Copies of a template database that outlive a single test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from local_stack.testing import COPY_DATABASE, PostgresServer, drop_database


@contextmanager
def copied_database(server: PostgresServer, template: str) -> Iterator[str]:
    """The superuser URL of a copy, which is dropped at the end. Nobody may be connected to the template."""
    name = f"casino_{uuid.uuid4().hex}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(COPY_DATABASE.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield server.url(name)
    finally:
        drop_database(server, name)
