"""Shared by the tests of group commit: its clock, and the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from shared_service.postgres import group_commit
from shared_service_testing.backend import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Group commit's clock, which the test moves."""
    clock = Clock()
    monkeypatch.setattr(group_commit, "time", clock)
    return clock


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """The log events of a test."""
    with capture_logs() as events:
        yield events
