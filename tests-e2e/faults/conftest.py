"""A stack with a faulty wallet network in the middle, shared by the tests that only disturb messages."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from e2e_testing.both_books import require_agreement
from e2e_testing.database import Database, create_database, drop_database
from e2e_testing.stack import Stack, own_stack
from e2e_testing.wallet_proxy import WalletProxy
from faults.scene import PATIENT_PROVIDER, Scene
from local_stack.ports import free_port
from local_stack.testing import PostgresServer


@contextmanager
def disturbed_stack(
    server: PostgresServer, template: Database, log_dir: Path, *, provider_settings: Mapping[str, str]
) -> Iterator[Scene]:
    """Both services on a fresh database, with the proxy between the provider and the casino."""
    database, casino_port = create_database(server.url(), template=template), free_port()
    with ExitStack() as cleanup:
        cleanup.callback(drop_database, server.url(), database)
        proxy = cleanup.enter_context(WalletProxy(casino_port))
        settings = {**provider_settings, "CASINO_URL": proxy.url}
        running = own_stack(database, log_dir, provider_settings=settings, casino_port=casino_port)
        cleanup.callback(running.close)
        yield Scene(running, proxy)


def watched(scene: Scene, watch: list[Stack]) -> Iterator[Scene]:
    watch.append(scene.stack)
    yield scene
    watch.remove(scene.stack)


@pytest.fixture(scope="module")
def shared_scene(
    server: PostgresServer, template: Database, tmp_path_factory: pytest.TempPathFactory, live_stacks: list[Stack]
) -> Iterator[Scene]:
    log_dir = tmp_path_factory.mktemp("disturbed")
    with disturbed_stack(server, template, log_dir, provider_settings=PATIENT_PROVIDER) as scene:
        yield from watched(scene, live_stacks)


@pytest.fixture
def scene(shared_scene: Scene) -> Iterator[Scene]:
    """The shared disturbed stack, healed before and after; afterwards both sides' books must agree."""
    shared_scene.proxy.heal()
    yield shared_scene
    shared_scene.proxy.heal()
    require_agreement(shared_scene.database)


@pytest.fixture
def fresh_scene(
    server: PostgresServer, template: Database, tmp_path: Path, live_stacks: list[Stack]
) -> Iterator[Scene]:
    """A disturbed stack of the test's own, for services that are killed."""
    with disturbed_stack(server, template, tmp_path, provider_settings=PATIENT_PROVIDER) as scene:
        yield from watched(scene, live_stacks)
        require_agreement(scene.database)
