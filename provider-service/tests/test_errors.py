"""The provider's own errors against the contract."""

from __future__ import annotations

import pytest

from provider.errors import ERRORS
from provider_testing.protocol_codes import codes_by_status


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_has_the_status_of_the_contract(code: str) -> None:
    assert codes_by_status()[code] == ERRORS[code].status
