"""Fixtures of the provider's tests: a migrated database for each test, and a wallet to play against.

The PostgreSQL server and `clone_database` come from the plugin `local_stack.testing`.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from local_stack.testing import CloneDatabase, PostgresServer, create_database, drop_database
from provider.sql.schema import SCHEMA
from provider_testing.books_desk import Desk, desk_on
from provider_testing.deadlines import Deadlines
from provider_testing.fake_wallet import FakeWallet
from shared_service.http.exchange import refusals_of_peers, refusals_of_strangers
from shared_service.metrics import scrape
from shared_service.postgres.connections import DEAD_PEER
from shared_service.postgres.migrate import migrate
from shared_service.run.log import configure_logging

# A machine with other work may stand still in any example.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

LOGIN = "provider_login"
PATIENCE_SECONDS = 60


class Tape(io.StringIO):
    """Everything that was logged; pytest shows it when a test fails."""

    def write(self, text: str) -> int:
        sys.stdout.write(text)
        return super().write(text)


@pytest.fixture(scope="session", autouse=True)
def tape() -> Tape:
    """Where the service logs to, for the whole run: loggers remember their stream."""
    made = Tape()
    configure_logging(log_format="json", level="info", service="provider", stream=made)
    return made


@pytest.fixture(autouse=True)
def fresh_scrapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape shows the present: tests ask for what has just happened."""
    monkeypatch.setattr(scrape, "FRESH_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def full_log_lines() -> None:
    """Refusals are logged at a bounded rate for the process: each test has the whole of it for itself."""
    refusals_of_strangers.flush()
    refusals_of_peers.flush()


@pytest.fixture
def logged(tape: Tape) -> Callable[[], str]:
    """What was logged since the test began."""
    start = len(tape.getvalue())
    return lambda: tape.getvalue()[start:]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of asynchronous tests."""
    return "asyncio"


@pytest.fixture(scope="session")
def template(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    name = f"provider_template_{os.getpid()}"
    migrate(SCHEMA, create_database(postgres_server, name))
    with psycopg.connect(postgres_server.url(name), autocommit=True) as connection:
        if connection.execute("select from pg_roles where rolname = %s", (LOGIN,)).fetchone() is None:
            password = sql.Literal(postgres_server.passwords.of(LOGIN))
            statement = sql.SQL("create role {} login noinherit password {}")
            connection.execute(statement.format(sql.Identifier(LOGIN), password))
        connection.execute(sql.SQL("grant provider_app to {}").format(sql.Identifier(LOGIN)))
    yield name
    drop_database(postgres_server, name)


@pytest.fixture(autouse=True)
def patience() -> Iterator[pytest.MonkeyPatch]:
    """A machine with other work connects and answers when it can: no bound on a wait for Postgres is met by chance."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DEAD_PEER, "connect_timeout", PATIENCE_SECONDS)
        patch.setattr("provider.sql.schema.POOL_WAIT_SECONDS", PATIENCE_SECONDS)
        patch.setattr("provider.sql.schema.LOCK_TIMEOUT_MS", PATIENCE_SECONDS * 1000)
        patch.setattr("provider.sql.schema.STATEMENT_TIMEOUT_MS", PATIENCE_SECONDS * 1000)
        patch.setattr("provider.ops.backlog.READ_SECONDS_MAX", PATIENCE_SECONDS)
        yield patch


@pytest.fixture
def own_patience(patience: pytest.MonkeyPatch) -> None:
    """The bounds of the product itself: for a test whose database stays away."""
    patience.undo()


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> Deadlines:
    """The deadlines of calls and of rounds, in the test's hands."""
    return Deadlines(monkeypatch)


@pytest.fixture
def owner_url(clone_database: CloneDatabase, template: str) -> str:
    """A fresh database as its superuser sees it: for looking into tables."""
    return clone_database(template)


@pytest.fixture
def database_url(owner_url: str, postgres_server: PostgresServer) -> str:
    """The same database as the service logs in."""
    return postgres_server.url(owner_url.rpartition("/")[2], LOGIN)


@pytest.fixture
def wallet() -> Iterator[FakeWallet]:
    """An honest wallet with 1,000,000 for everybody."""
    with FakeWallet() as running:
        yield running


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    """The books with one session and one open round."""
    async with desk_on(database_url) as opened:
        yield opened
