"""What the tests of webhooks share: desks of the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from casino_testing.desk import Desk
from casino_testing.tenant import Tenant

OpenDesk = Callable[[], Desk]


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
