"""What the tests of staff share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from casino_testing.api import Api, api_of
from casino_testing.staff import StaffBooks
from casino_testing.tenant import Tenant


@pytest.fixture
def books(tenant: Tenant) -> StaffBooks:
    """The staff of this test's own ledger: nobody yet."""
    return StaffBooks(tenant)


@pytest.fixture
async def api(tenant: Tenant) -> AsyncIterator[Api]:
    """The whole application."""
    async with api_of(tenant) as running:
        yield running
