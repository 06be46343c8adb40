"""Amounts are shown and read exactly, for currencies with 0, 2, 3 and 8 decimals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_service.pages.amounts import read, shown

SHOWN = [
    (0, 2, "0.00"),
    (5, 2, "0.05"),
    (123456, 2, "1,234.56"),
    (-123456, 2, "\u22121,234.56"),
    (123456, 0, "123,456"),
    (1, 8, "0.00000001"),
    (2_100_000_000_000_000, 8, "21,000,000.00000000"),
    (9_223_372_036_854_775_807, 2, "92,233,720,368,547,758.07"),
    (1_000, 3, "1.000"),
]


@pytest.mark.parametrize(("units", "decimals", "text"), SHOWN)
def test_an_amount_is_shown_exactly(units: int, decimals: int, text: str) -> None:
    assert shown(units, decimals) == text


def test_a_sign_is_shown_where_it_is_asked_for() -> None:
    assert [shown(units, 2, plus=True) for units in (1, 0, -1)] == ["+0.01", "0.00", "\u22120.01"]


@given(st.integers(min_value=0, max_value=2**63), st.integers(min_value=0, max_value=8))
def test_what_is_shown_is_read_again(units: int, decimals: int) -> None:
    assert read(shown(units, decimals), decimals) == units


@pytest.mark.parametrize(
    "text", ["", " ", "1.", ".5", "1,5", "1,00", "12,34.00", "-1", "+1", "1e3", "0x1", "1.234", "١"]
)
def test_what_is_no_amount_is_not_read(text: str) -> None:
    assert read(text, 2) is None


def test_fewer_decimals_may_be_typed() -> None:
    assert [read(text, 2) for text in ("12", "12.5", " 1,250.00 ")] == [1200, 1250, 125000]
