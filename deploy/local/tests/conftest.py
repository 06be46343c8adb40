"""Fixtures for all tests of the local stack."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_stack.cluster import remove_cluster
from local_stack.testing import CloneDatabase, PostgresServer, create_database, drop_database
from local_stack_testing.service_start import DatabaseOf, prepare


@pytest.fixture(scope="session")
def template_of(postgres_server: PostgresServer) -> Iterator[Callable[[str], str]]:
    """The name of a service's template. Each is migrated once."""
    made: dict[str, str] = {}

    def of(service: str) -> str:
        if service not in made:
            made[service] = f"deploy_{service}"
            prepare(service, create_database(postgres_server, made[service]))
        return made[service]

    yield of
    for name in made.values():
        drop_database(postgres_server, name)


@pytest.fixture
def database_of(template_of: Callable[[str], str], clone_database: CloneDatabase) -> DatabaseOf:
    return lambda service: clone_database(template_of(service))


@pytest.fixture(autouse=True)
def no_cluster_stays(tmp_path: Path) -> Iterator[None]:
    """Remove clusters outside tmp_path, which root's tests create and pytest does not delete."""
    yield
    for link in [tmp_path / "postgres", *tmp_path.glob("*/postgres")]:
        remove_cluster(link.parent)


@pytest.fixture(scope="session", autouse=True)
def hangup_is_not_ignored() -> None:
    """Handle SIGHUP again: under nohup it is ignored, and the started services would inherit that."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
