"""Readiness is answered from memory. Only its loop queries the database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from shared_service.run.health import FRESH_SECONDS, NOT_LOOKED, OUTDATED, Readiness


class Dependency:
    """A check whose result is `missing`."""

    def __init__(self) -> None:
        self.missing: str | None = None
        self.looks = 0
        self.now = 0.0

    async def look(self) -> str | None:
        self.looks += 1
        return self.missing

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as events:
        yield events


@pytest.fixture
def dependency() -> Dependency:
    return Dependency()


@pytest.fixture
def readiness(dependency: Dependency) -> Readiness:
    return Readiness(dependency.look, demo=False, monotonic=dependency.monotonic)


async def test_before_the_first_look_a_service_is_not_ready(readiness: Readiness) -> None:
    assert readiness.missing == NOT_LOOKED


async def test_a_look_is_what_is_told_until_the_next(readiness: Readiness, dependency: Dependency) -> None:
    for missing in (None, "database", "migrations", None):
        dependency.missing = missing
        await readiness.step()
        dependency.missing = "something else"
        assert [readiness.missing for _ in range(300)] == [missing] * 300
    assert dependency.looks == 4


async def test_a_change_is_logged_once_with_its_explanation(dependency: Dependency, logged: list[EventDict]) -> None:
    async def explain(missing: str) -> str | None:
        return f"X_TENANT is wrong: {missing}" if missing == "tenant" else None

    readiness = Readiness(dependency.look, demo=False, explain=explain, monotonic=dependency.monotonic)
    for missing in ("tenant", "tenant", "database", None):
        dependency.missing = missing
        await readiness.step()
    assert [(event["missing"], event.get("why")) for event in logged] == [
        ("tenant", "X_TENANT is wrong: tenant"), ("database", None), (None, None),
    ]  # fmt: skip


async def test_an_old_look_says_nothing(readiness: Readiness, dependency: Dependency) -> None:
    await readiness.step()
    dependency.now = FRESH_SECONDS
    assert readiness.missing is None
    dependency.now = FRESH_SECONDS + 0.1
    assert readiness.missing == OUTDATED
    await readiness.step()
    assert readiness.missing is None
