"""Fixtures of the provider's tests: a migrated database for each test, and a wallet to play against.

The PostgreSQL server and `clone_database` come from the plugin `local_stack.testing`.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from local_stack.testing import CloneDatabase, PostgresServer, create_database, drop_database
from provider.sql.schema import SCHEMA
from provider_testing.deadlines import Deadlines
from provider_testing.fake_wallet import FakeWallet
from provider_testing.round_case import RoundCase, open_case
from provider_testing.two_casinos import ACME_CALLED, Two, serving_two
from shared_service.http.exchange import authenticated_refusals, unauthenticated_refusals
from shared_service.metrics import scrape
from shared_service.postgres.connections import DEAD_PEER
from shared_service.postgres.migrate import migrate
from shared_service.run.log import configure_logging
from shared_service_testing.drawing import load_profile

load_profile()

LOGIN = "provider_login"
PATIENCE_SECONDS = 60


class Tape(io.StringIO):
    """The log lines of the test; pytest shows them when it fails."""

    def write(self, text: str) -> int:
        sys.stdout.write(text)
        return super().write(text)


@pytest.fixture(scope="session", autouse=True)
def tape() -> Tape:
    """The log's stream, one for the whole run, because loggers keep their stream."""
    made = Tape()
    configure_logging(log_format="json", level="info", service="provider", stream=made)
    return made


@pytest.fixture(autouse=True)
def fresh_scrapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every scrape read the present values."""
    monkeypatch.setattr(scrape, "FRESH_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def full_log_lines() -> None:
    """Reset the rate limit on logged refusals, which is per process."""
    unauthenticated_refusals.flush()
    authenticated_refusals.flush()


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
    """The name of a migrated database without connections."""
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
    """Raise the bounds on waits for Postgres, so that a busy machine does not reach them by chance."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DEAD_PEER, "connect_timeout", PATIENCE_SECONDS)
        patch.setattr("provider.sql.schema.POOL_WAIT_SECONDS", PATIENCE_SECONDS)
        patch.setattr("provider.sql.schema.LOCK_TIMEOUT_MS", PATIENCE_SECONDS * 1000)
        patch.setattr("provider.sql.schema.STATEMENT_TIMEOUT_MS", PATIENCE_SECONDS * 1000)
        patch.setattr("provider.ops.backlog.READ_SECONDS_MAX", PATIENCE_SECONDS)
        yield patch


@pytest.fixture
def own_patience(patience: pytest.MonkeyPatch) -> None:
    """Restore the product's bounds, for tests with an unavailable database."""
    patience.undo()


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> Deadlines:
    """The deadlines of calls and rounds; the test decides when they pass."""
    return Deadlines(monkeypatch)


@pytest.fixture
def owner_url(clone_database: CloneDatabase, template: str) -> str:
    """The superuser's URL of a new database, for reading tables."""
    return clone_database(template)


@pytest.fixture
def database_url(owner_url: str, postgres_server: PostgresServer) -> str:
    """The service's URL of the same database."""
    return postgres_server.url(owner_url.rpartition("/")[2], LOGIN)


@pytest.fixture
def wallet() -> Iterator[FakeWallet]:
    """A correct wallet with a balance of 1,000,000."""
    with FakeWallet() as running:
        yield running


@pytest.fixture
async def case(database_url: str) -> AsyncIterator[RoundCase]:
    """The books with one session and one open round."""
    async with open_case(database_url) as opened:
        yield opened


@pytest.fixture
def acme() -> Iterator[FakeWallet]:
    """The second casino's wallet."""
    with FakeWallet(key=ACME_CALLED) as running:
        yield running


@pytest.fixture
async def two(database_url: str, wallet: FakeWallet, acme: FakeWallet, tmp_path: Path) -> AsyncIterator[Two]:
    async with serving_two(database_url, wallet, acme, tmp_path / "casinos.json", call_seconds=60.0) as both:
        yield both
