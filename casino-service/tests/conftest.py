"""What the wallet's tests share: one migrated database, a tenant with a ledger of its own per test, and its driver.

Every test that moves money asks for `tenant`, directly or not, and so ends with a look at the ledger's invariants.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Final

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

from casino.ops.demo import seed_demo
from casino.sql.schema import SCHEMA
from casino_testing.api import Api, api_of
from casino_testing.connections import keeping
from casino_testing.copies import copied_database
from casino_testing.desk import Desk
from casino_testing.edge import Service, serving
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet
from local_stack.testing import CloneDatabase, PostgresServer, create_database, drop_database
from shared_service.http.exchange import authenticated_refusals, unauthenticated_refusals
from shared_service.metrics import scrape
from shared_service.postgres import database
from shared_service.postgres.migrate import migrate
from shared_service_testing.drawing import load_profile

load_profile()

ConnectWallet = Callable[[], Wallet]
OpenDesk = Callable[[], Desk]

KEPT_BY_NO_LOGGER: Final = {"cache_logger_on_first_use": False}


@pytest.fixture(autouse=True)
def fresh_scrapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape shows the present: tests ask for what has just happened."""
    monkeypatch.setattr(scrape, "FRESH_SECONDS", 0.0)


@pytest.fixture(autouse=True, scope="session")
def few_connections() -> Iterator[None]:
    """Pools open a connection when a call waits for one: most tests use few of the sixteen of a service's start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "KEPT_OPEN", 0)
        yield


@pytest.fixture
def kept_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools keep connections open, as in production: for tests of what happens when all are in use."""
    monkeypatch.setattr(database, "KEPT_OPEN", 2)


@pytest.fixture(autouse=True)
def full_log_lines() -> None:
    """Refusals are logged at a bounded rate for the process: each test has the whole of it for itself."""
    unauthenticated_refusals.flush()
    authenticated_refusals.flush()


@pytest.fixture(autouse=True)
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EventDict]]:
    """What the service logs during a test: captured instead of rendered, which would cost more than the work itself.

    A command that a test calls configures this process's log. It does so for this test only: no logger keeps it.
    """
    before, configure = structlog.get_config(), structlog.configure
    monkeypatch.setattr(structlog, "configure", lambda **given: configure(**{**given, **KEPT_BY_NO_LOGGER}))
    with capture_logs() as events:
        yield events
    configure(**before)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of asynchronous tests."""
    return "asyncio"


@pytest.fixture(scope="session")
def casino_template(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated and seeded database to which nobody is connected, so that it can be copied."""
    name = f"casino_template_{uuid.uuid4().hex}"
    url = create_database(postgres_server, name)
    migrate(SCHEMA, url)
    seed_demo(url)
    yield name
    drop_database(postgres_server, name)


@pytest.fixture(scope="session")
def shared_database(postgres_server: PostgresServer, casino_template: str) -> Iterator[str]:
    """The URL of the copy in which most tests have a tenant of their own."""
    with copied_database(postgres_server, casino_template) as url, keeping(url):
        yield url


@pytest.fixture
def own_database(clone_database: CloneDatabase, casino_template: str) -> str:
    """The URL of a copy for one test alone: for what a ledger of its own does not keep apart."""
    return clone_database(casino_template)


@pytest.fixture
def tenant(shared_database: str) -> Iterator[Tenant]:
    """A tenant of this test's own. At the end its ledger must be whole."""
    own = Tenant.fresh(shared_database)
    yield own
    broken = own.differences()
    own.close()
    assert broken == [], "the ledger's invariants are broken"


@pytest.fixture
def connect_wallet(tenant: Tenant) -> Iterator[ConnectWallet]:
    """Opens wallets: each has a connection of its own, as each process of the service would."""
    with ExitStack() as opened:

        def connect() -> Wallet:
            wallet = Wallet(tenant, settings_of(tenant))
            opened.callback(wallet.close)
            return wallet

        yield connect


@pytest.fixture
def wallet(connect_wallet: ConnectWallet) -> Wallet:
    """The wallet behind one connection."""
    return connect_wallet()


@pytest.fixture
def open_desk(tenant: Tenant) -> Iterator[OpenDesk]:
    """Opens desks, each with a connection of its own."""
    with ExitStack() as opened:

        def open_one() -> Desk:
            desk = Desk(tenant)
            opened.callback(desk.close)
            return desk

        yield open_one


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """One desk."""
    return open_desk()


@pytest.fixture
async def api(tenant: Tenant) -> AsyncIterator[Api]:
    """The operator's platform over HTTP: the whole application."""
    async with api_of(tenant) as running:
        yield running


@pytest.fixture
async def service(tenant: Tenant) -> AsyncIterator[Service]:
    """The whole service behind HTTP, with a provider that behaves."""
    async with serving(tenant) as running:
        yield running
