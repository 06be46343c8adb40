"""pytest plugin: one real PostgreSQL per test session, and a fast copy of a migrated template per test.

`TEST_POSTGRES=embedded` (the default) starts the wheel's server in a temporary folder, `testcontainers` a container.
A test server does not flush to disk: it survives a killed process, not a power cut. Tests of durability start a
`Postgres` of their own. pytest loads the plugin wherever local-stack is installed (entry point `pytest11`).
"""

import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from local_stack import leftovers
from local_stack.cluster import SUPERUSER, remove_cluster
from local_stack.databases import OVERSIGHT_ROLES
from local_stack.passwords import Passwords
from local_stack.ports import HOST
from local_stack.postgres import Postgres

CONTAINER_IMAGE = "postgres:18"
CONTAINER_COMMAND = "postgres -c max_connections=200 -c shared_buffers=256MB -c max_wal_size=4GB -c jit=off"

COPY_DATABASE: Final = sql.SQL("create database {} template {} strategy file_copy")
"""Copies a template with all its files. The default strategy writes each page to the WAL, for three times the work."""
END_SESSIONS: Final = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
SESSION_END_SECONDS_MAX: Final = 60.0
SESSION_LOOK_SECONDS: Final = 0.005

CloneDatabase = Callable[[str], str]


class PostgresServer(Protocol):
    """The server as tests see it. `passwords` creates a password for a login at its first use."""

    @property
    def passwords(self) -> Passwords: ...

    def url(self, database: str = "postgres", user: str = SUPERUSER) -> str: ...


class ContainerServer:
    """A `PostgresServer` in a container."""

    def __init__(self, port: int, passwords: Passwords) -> None:
        self.passwords = passwords
        self._port = port

    def url(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        return f"postgresql://{user}:{self.passwords.of(user)}@{HOST}:{self._port}/{database}"


def pytest_configure() -> None:
    """Handle Ctrl-C again, because a shell starts background jobs with SIGINT ignored and children inherit that.

    Also set the mark in the environment that `leftovers` looks for.
    """
    os.environ[leftovers.MARK] = uuid.uuid4().hex
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a database; `-m "not postgres"` deselects them."""
    for item in items:
        if "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker("postgres")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Kill processes that the tests left behind, print them, and fail the run."""
    left = leftovers.end_leftovers(os.environ[leftovers.MARK])
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\n\nProcesses that the tests left behind, ended now:", *left, sep="\n  ")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the session. Its URLs are for the superuser by default."""
    state_dir = Path(tempfile.mkdtemp(prefix="test-postgres-"))
    kind = os.environ.get("TEST_POSTGRES", "embedded")
    try:
        if kind == "embedded":
            with Postgres(state_dir) as server:
                spare_the_machine(server)
                yield server
        elif kind == "testcontainers":
            yield from _container(Passwords(state_dir / "passwords"))
        else:
            raise pytest.UsageError(f"TEST_POSTGRES is 'embedded' or 'testcontainers', not {kind!r}")
    finally:
        remove_cluster(state_dir)
        shutil.rmtree(state_dir, ignore_errors=True)


def _container(passwords: Passwords) -> Iterator[PostgresServer]:
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 -- only this mode needs a Docker client

    container = PostgresContainer(CONTAINER_IMAGE, username=SUPERUSER, password=passwords.of(SUPERUSER), driver=None)
    with container.with_command(CONTAINER_COMMAND) as running:
        server = ContainerServer(int(running.get_exposed_port(5432)), passwords)
        spare_the_machine(server)
        yield server


def spare_the_machine(server: PostgresServer) -> None:
    """Do not flush the files of a copied database, which takes most of its time, and hash passwords once.

    With 4096 rounds of SCRAM a test's connection costs nearly twice as much.
    """
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("alter system set fsync = off")
        connection.execute("alter system set scram_iterations = 1")
        connection.execute("select pg_reload_conf()")
        connection.execute("set scram_iterations = 1")
        password = sql.Literal(server.passwords.of(SUPERUSER))
        connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(SUPERUSER), password))


def create_database(server: PostgresServer, name: str) -> str:
    """Create an empty database; returns its superuser URL."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return server.url(name)


def drop_database(server: PostgresServer, name: str) -> None:
    """Drop a database. Raises RuntimeError when it had a deadlock, which retries hide from the tests."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        deadlocks = deadlocks_in(connection, name)
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
    if deadlocks:
        raise RuntimeError(f"{deadlocks} deadlocks in {name}: take locks in one order everywhere")


def deadlocks_in(connection: psycopg.Connection[Any], name: str) -> int:
    """The number of deadlocks in a database. Ends its sessions first: only then is the count complete."""
    deadline = time.monotonic() + SESSION_END_SECONDS_MAX
    while connection.execute(END_SESSIONS, (name,)).rowcount:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the sessions of {name} do not end")
        time.sleep(SESSION_LOOK_SECONDS)
    row = connection.execute("select deadlocks from pg_stat_database where datname = %s", (name,)).fetchone()
    return int(row[0]) if row else 0


def service_url(url: str, service: str, *, role: str = "app") -> str:
    """The URL with which a service serves: a login that may take its application role and nothing else.

    `role` is another role of the service that a login may take.

    `url` is a superuser's. Makes the roles when they are missing.
    """
    parts = urlsplit(url)
    login = f"{service}_test_login" if role == "app" else f"{service}_{role}_test_login"
    role = f"{service}_{role}"
    password = sha256(f"{login} {parts.password}".encode()).hexdigest()
    with psycopg.connect(url, autocommit=True) as connection:
        for name, options in ((role, ""), (login, f"login noinherit password '{password}' in role {role}")):
            with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("create role {} {}").format(sql.Identifier(name), sql.SQL(options)))
    return urlunsplit(parts._replace(netloc=f"{login}:{password}@{parts.netloc.rpartition('@')[2]}"))


def database_urls(service: str, url: str) -> dict[str, str]:
    """A service's variables for its logins. `url` is a superuser's, who does the owner's part."""
    name = service.upper()
    urls = {f"{name}_DATABASE_URL": service_url(url, service), f"{name}_OWNER_DATABASE_URL": url}
    if service in OVERSIGHT_ROLES:
        urls[f"{name}_OVERSIGHT_DATABASE_URL"] = service_url(url, service, role="oversight")
    return urls


@pytest.fixture
def clone_database(postgres_server: PostgresServer) -> Iterator[CloneDatabase]:
    """A function that copies a template (about 30 ms). The copies are dropped after the test."""
    made: list[str] = []

    def clone(template: str) -> str:
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(COPY_DATABASE.format(sql.Identifier(name), sql.Identifier(template)))
        made.append(name)
        return postgres_server.url(name)

    yield clone
    for name in made:
        drop_database(postgres_server, name)
