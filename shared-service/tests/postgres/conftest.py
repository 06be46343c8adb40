"""What the tests of group commit share: its clock, and what is logged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from shared_service.postgres import group_commit
from shared_service_testing.backend import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Group commit's time, in the test's hands."""
    clock = Clock()
    monkeypatch.setattr(group_commit, "time", clock)
    return clock


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """What is logged during a test."""
    with capture_logs() as events:
        yield events
