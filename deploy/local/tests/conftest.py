"""What all tests of the local stack share."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.cluster import remove_cluster


@pytest.fixture(autouse=True)
def no_cluster_stays(tmp_path: Path) -> Iterator[None]:
    """Run by root below a private folder, a cluster's files are elsewhere: pytest would leave them behind."""
    yield
    for link in [tmp_path / "postgres", *tmp_path.glob("*/postgres")]:
        remove_cluster(link.parent)


@pytest.fixture(scope="session", autouse=True)
def hangup_is_not_ignored() -> None:
    """A run under nohup ignores SIGHUP, and so would all that the tests start: services honour that."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
