"""A stack with a faulty wallet network in the middle, shared by the tests that do nothing but spoil messages."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from e2e_testing.both_books import require_agreement
from e2e_testing.database import Database, create_database, drop_database
from e2e_testing.stack import Stack, own_stack
from e2e_testing.wallet_proxy import WalletProxy
from faults.faulty_stack import PATIENT_PROVIDER, FaultyStack
from local_stack.ports import free_port
from local_stack.testing import PostgresServer


@contextmanager
def faulty_stack(
    server: PostgresServer, template: Database, log_dir: Path, *, provider_settings: Mapping[str, str]
) -> Iterator[FaultyStack]:
    """Both services on a fresh database, with the proxy between the provider and the casino."""
    database, casino_port = create_database(server.url(), template=template), free_port()
    with ExitStack() as cleanup:
        cleanup.callback(drop_database, server.url(), database)
        proxy = cleanup.enter_context(WalletProxy(casino_port))
        settings = {**provider_settings, "CASINO_URL": proxy.url}
        running = own_stack(database, log_dir, provider_settings=settings, casino_port=casino_port)
        cleanup.callback(running.close)
        yield FaultyStack(running, proxy)


def watched(faulty: FaultyStack, watch: list[Stack]) -> Iterator[FaultyStack]:
    watch.append(faulty.stack)
    yield faulty
    watch.remove(faulty.stack)


@pytest.fixture(scope="module")
def shared_faulty(
    server: PostgresServer, template: Database, tmp_path_factory: pytest.TempPathFactory, live_stacks: list[Stack]
) -> Iterator[FaultyStack]:
    log_dir = tmp_path_factory.mktemp("faulty")
    with faulty_stack(server, template, log_dir, provider_settings=PATIENT_PROVIDER) as faulty:
        yield from watched(faulty, live_stacks)


@pytest.fixture
def faulty(shared_faulty: FaultyStack) -> Iterator[FaultyStack]:
    """The shared faulty stack, healed before and after; afterwards both sides' books must agree."""
    shared_faulty.proxy.heal()
    yield shared_faulty
    shared_faulty.proxy.heal()
    require_agreement(shared_faulty.database)


@pytest.fixture
def fresh_faulty(
    server: PostgresServer, template: Database, tmp_path: Path, live_stacks: list[Stack]
) -> Iterator[FaultyStack]:
    """A faulty stack of the test's own, for services that are killed."""
    with faulty_stack(server, template, tmp_path, provider_settings=PATIENT_PROVIDER) as faulty:
        yield from watched(faulty, live_stacks)
        require_agreement(faulty.database)
