"""The provider's own errors against the contract."""

from __future__ import annotations

import pytest

from provider.errors import ERRORS
from provider_testing.protocol_codes import codes_by_status

OF_PAGES = {"launch_code_invalid": 401, "play_token_invalid": 401, "demo_not_allowed": 403}
"""Codes that no casino gets: section 8 of the contract."""


@pytest.mark.parametrize("code", sorted(ERRORS.keys() - OF_PAGES.keys()))
def test_every_error_has_the_status_of_the_contract(code: str) -> None:
    assert codes_by_status()[code] == ERRORS[code].status


def test_what_only_a_game_page_gets_has_the_status_of_section_8() -> None:
    assert {code: ERRORS[code].status for code in OF_PAGES} == OF_PAGES
