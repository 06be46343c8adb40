"""Refresh tokens: one successor, answered again for ten seconds; a token that is used later ends its whole family."""

from __future__ import annotations

import pytest

from casino_testing.staff import StaffBooks


@pytest.fixture
def family(books: StaffBooks) -> str:
    books.add("anna")
    return str(books.judge("anna")["o_family_id"])


def test_a_refresh_rotates(books: StaffBooks, family: str) -> None:
    assert books.refresh(family, 1) == (None, 2)
    assert books.refresh(family, 2) == (None, 3)


def test_a_used_token_answers_its_successor_within_ten_seconds_of_its_birth(books: StaffBooks, family: str) -> None:
    assert books.refresh(family, 1) == (None, 2)
    books.later(seconds=6)
    assert books.refresh(family, 1) == (None, 2)
    assert books.refresh(family, 2) == (None, 3)
    books.later(seconds=3.9)
    assert books.refresh(family, 1) == (None, 2), "of its own successor, not of the newest"
    assert books.refresh(family, 2) == (None, 3)
    books.later(seconds=0.1)
    assert books.refresh(family, 1) == ("TOKEN_REUSED", None)


def test_a_token_that_is_used_later_ends_the_family_with_its_access_tokens(books: StaffBooks, family: str) -> None:
    books.refresh(family, 1)
    books.later(seconds=10)
    (staff,) = books.tenant.rows("staff")
    assert books.is_in(staff["staff_id"], family)
    assert books.refresh(family, 1) == ("TOKEN_REUSED", None)
    assert books.refresh(family, 2) == ("TOKEN_INVALID", None)
    assert not books.is_in(staff["staff_id"], family)
    (row,) = books.audit("staff.refresh")
    assert (row["outcome"], row["actor_name"], row["after"]) == ("REFUSED", "anna", {"code": "TOKEN_REUSED"})


def test_a_token_lives_for_twelve_hours_and_a_family_for_thirty_days(books: StaffBooks, family: str) -> None:
    number = 1
    for _ in range(62):
        books.later(hours=11.5)
        code, number = books.refresh(family, number)
        assert code is None
    books.later(hours=11.5)
    assert books.refresh(family, number) == ("TOKEN_INVALID", None), "30 days"
    other = str(books.judge("anna")["o_family_id"])
    books.later(hours=12)
    assert books.refresh(other, 1) == ("TOKEN_INVALID", None)


def test_no_lock_of_the_name_stops_a_refresh(books: StaffBooks, family: str) -> None:
    for _ in range(40):
        books.judge("anna", None)
    assert books.refresh(family, 1) == (None, 2)


def test_who_is_deactivated_refreshes_nothing(books: StaffBooks, family: str) -> None:
    books.tenant.sql("update casino.staff set is_active = false where ledger_id = %s", books.tenant.ledger_id)
    assert books.refresh(family, 1) == ("TOKEN_INVALID", None)


def test_a_family_that_never_was_refreshes_nothing(books: StaffBooks) -> None:
    assert books.refresh("no-such-family", 1) == ("TOKEN_INVALID", None)
