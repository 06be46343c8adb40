"""Fixtures for all tests of the local stack."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.cluster import remove_cluster


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
