"""What the tests of staff share."""

from __future__ import annotations

import pytest

from casino_testing.staff import StaffBooks
from casino_testing.tenant import Tenant


@pytest.fixture
def books(tenant: Tenant) -> StaffBooks:
    """The staff of this test's own ledger: nobody yet."""
    return StaffBooks(tenant)
