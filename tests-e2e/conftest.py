"""Fixtures of the end-to-end suite: which stack the tests run against, and what is checked after each of them.

E2E_TARGET=own (the default) starts Postgres and both services; TEST_POSTGRES says which Postgres.
E2E_TARGET=compose uses a running stack at CASINO_URL and PROVIDER_URL; tests that kill, break or look into the
database are skipped there, by asking for `database` or `start_stack`.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e_testing.books import BooksCheck, require_sound_books
from e2e_testing.database import Database, create_database, drop_database
from e2e_testing.game_session import GameSession
from e2e_testing.raw_wire import LIMIT_SECONDS
from e2e_testing.stack import Stack, StartStack, compose_stack, migrate_and_seed, own_stack
from local_stack.testing import PostgresServer
from shared_service_testing.drawing import load_profile

load_profile()

pytest_plugins = ["local_stack.testing", "e2e_testing.provocations", "pytester"]

TARGETS = ("own", "compose")
LIVE_STACKS: list[Stack] = []


def target() -> str:
    chosen = os.environ.get("E2E_TARGET", "own")
    if chosen not in TARGETS:
        raise pytest.UsageError(f"E2E_TARGET is one of {', '.join(TARGETS)}, not {chosen!r}")
    return chosen


def pytest_runtest_setup() -> None:
    for stack in LIVE_STACKS:
        for service in stack.services.values():
            service.mark_log()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for stack in LIVE_STACKS:
            for service in stack.services.values():
                report.sections.append((f"log of {service.package}", service.log_tail()))
    return report


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def live_stacks() -> list[Stack]:
    """Stacks whose logs are shown when a test fails."""
    return LIVE_STACKS


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> PostgresServer:
    """The suite's own Postgres; skips what needs one where the stack is somebody else's."""
    if target() == "compose":
        pytest.skip("against compose: this test kills or breaks services or looks into the database")
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    return postgres


@pytest.fixture(scope="session")
def template(server: PostgresServer) -> Database:
    """A database with both schemas and the demo data, to be copied; nobody stays connected to it."""
    database = create_database(server.url())
    migrate_and_seed(database)
    return database


@pytest.fixture
def scratch(server: PostgresServer, template: Database) -> Iterator[Database]:
    """A copy of the template that no service uses."""
    database = create_database(server.url(), template=template)
    yield database
    drop_database(server.url(), database)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that tests share which leave it whole."""
    if target() == "compose":
        running = compose_stack()
    else:
        postgres, template = request.getfixturevalue("server"), request.getfixturevalue("template")
        copy = create_database(postgres.url(), template=template)
        running = own_stack(copy, tmp_path_factory.mktemp("stack"))
    LIVE_STACKS.append(running)
    yield running
    LIVE_STACKS.remove(running)
    running.close()


@contextmanager
def stack_starter(server: PostgresServer, template: Database, directory: Path) -> Iterator[StartStack]:
    """Starts stacks, stops them at the end of the block, and checks their books then."""
    started: list[Stack] = []

    def start(*, like: Stack | None = None, **settings: Any) -> Stack:
        """A new stack on a copy of the template, or with `like` a second one on that stack's database."""
        database = like.books if like else create_database(server.url(), template=template)
        log_dir = directory / f"stack-{len(started)}"
        log_dir.mkdir()
        running = own_stack(database, log_dir, **settings)
        started.append(running)
        LIVE_STACKS.append(running)
        return running

    yield start
    databases = {running.books.name: running.books for running in started}
    for running in reversed(started):
        LIVE_STACKS.remove(running)
        running.close()
    for database in databases.values():
        require_sound_books(database)
        drop_database(server.url(), database)


@pytest.fixture
def start_stack(server: PostgresServer, template: Database, tmp_path: Path) -> Iterator[StartStack]:
    """Starts stacks for one test, which may kill and break them; their books must be sound in the end."""
    with stack_starter(server, template, tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def start_module_stack(
    server: PostgresServer, template: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartStack]:
    """Starts stacks for a module whose tests leave them running; their books must be sound in the end."""
    with stack_starter(server, template, tmp_path_factory.mktemp("module")) as start:
        yield start


@pytest.fixture
def database(server: PostgresServer, stack: Stack) -> Database:
    """The shared stack's database, for a fact that no endpoint can set or show."""
    return stack.books


@pytest.fixture(scope="session")
def books_check(stack: Stack) -> Iterator[BooksCheck | None]:
    """Reads the shared stack's books; None where they are not ours to read."""
    books_check = BooksCheck(stack.database) if stack.database else None
    yield books_check
    if books_check:
        books_check.check_everything()


@pytest.fixture(autouse=True)
def sound_books(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test on the shared stack: the invariants of protocol.md section 4 (12), for every wallet it used."""
    books_check = request.getfixturevalue("books_check") if "stack" in request.fixturenames else None
    yield
    if books_check:
        books_check.check_what_moved()


@pytest.fixture
def session(stack: Stack) -> GameSession:
    """A player of the test's own with 1,000,000 minor units, at the first game."""
    return stack.session()


@pytest.fixture(scope="session")
def impatient(server: PostgresServer, template: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that waits one second for its peers."""
    with stack_starter(server, template, tmp_path_factory.mktemp("sockets")) as start:
        running = start(
            casino_settings={"CASINO_SOCKET_SECONDS": str(LIMIT_SECONDS)},
            provider_settings={"PROVIDER_SOCKET_SECONDS": str(LIMIT_SECONDS)},
        )
        running.client.headers["connection"] = "close"  # it would keep connections for longer than these services do
        yield running
