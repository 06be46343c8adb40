"""Refused logins are counted: by name, known or not, and by address. The counts survive the refusal."""

from __future__ import annotations

from datetime import timedelta

import pytest

from casino_testing.staff import WRONG, StaffBooks

UNKNOWN = "nobody.has.this"


@pytest.mark.parametrize("username", ["anna", UNKNOWN])
def test_five_refusals_lock_a_name_that_exists_and_one_that_does_not_alike(books: StaffBooks, username: str) -> None:
    books.add("anna")
    codes = [books.judge(username, WRONG)["o_code"] for _ in range(6)]
    assert codes == [*["INVALID_CREDENTIALS"] * 5, "LOCKED"]
    assert books.judge(username)["o_locked_until"] == books.now + timedelta(minutes=1)


def test_a_locked_name_is_refused_with_the_right_password_too_until_the_lock_ends(books: StaffBooks) -> None:
    books.add("anna")
    for _ in range(5):
        books.judge("anna", WRONG)
    books.later(seconds=59.9)
    assert books.judge("anna")["o_code"] == "LOCKED"
    books.later(seconds=0.1)
    assert books.judge("anna")["o_code"] is None


def test_each_further_lock_lasts_twice_as_long_up_to_an_hour(books: StaffBooks) -> None:
    books.add("anna")
    minutes = []
    for _ in range(9):
        for _ in range(5):
            books.judge("anna", WRONG)
        until = books.judge("anna", WRONG)["o_locked_until"]
        minutes.append((until - books.now) / timedelta(minutes=1))
        books.set_clock(until)
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    books.later(days=1)
    for _ in range(5):
        books.judge("anna", WRONG)
    assert books.judge("anna")["o_locked_until"] == books.now + timedelta(minutes=1), "forgotten after a day"


def test_a_refusal_counts_for_fifteen_minutes(books: StaffBooks) -> None:
    books.add("anna")
    for _ in range(4):
        books.judge("anna", WRONG)
    books.later(minutes=15)
    assert [books.judge("anna", WRONG)["o_code"] for _ in range(4)] == ["INVALID_CREDENTIALS"] * 4
    assert books.judge("anna")["o_code"] is None


def test_a_good_login_forgets_the_refusals_and_not_the_locks(books: StaffBooks) -> None:
    books.add("anna")
    for _ in range(5):
        books.judge("anna", WRONG)
    books.later(minutes=1)
    assert books.judge("anna")["o_code"] is None
    for _ in range(4):
        books.judge("anna", WRONG)
    assert books.judge("anna")["o_code"] is None
    for _ in range(5):
        books.judge("anna", WRONG)
    assert books.judge("anna")["o_locked_until"] == books.now + timedelta(minutes=2)


def test_refusals_while_a_name_is_locked_do_not_lengthen_the_lock(books: StaffBooks) -> None:
    for _ in range(20):
        books.judge(UNKNOWN, WRONG)
    assert books.judge(UNKNOWN)["o_locked_until"] == books.now + timedelta(minutes=1)


def test_thirty_refusals_a_minute_of_an_address_are_its_limit_whatever_the_names(books: StaffBooks) -> None:
    books.add("anna")
    for number in range(30):
        assert books.judge(f"name-{number}", WRONG)["o_code"] == "INVALID_CREDENTIALS"
        books.later(seconds=1)
    refused = books.judge("anna")
    assert (refused["o_code"], refused["o_wait_seconds"]) == ("RATE_LIMITED", 30)
    assert books.judge("anna", address="192.0.2.2")["o_code"] is None, "another address"
    books.later(seconds=30)
    assert books.judge("anna")["o_code"] is None, "the window slides"
    assert books.judge("name-31", WRONG)["o_code"] == "INVALID_CREDENTIALS"
    assert books.judge("anna")["o_code"] == "RATE_LIMITED"


@pytest.mark.parametrize(
    ("first", "second", "shares"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        (None, None, True),
    ],
)
def test_an_ipv6_address_is_counted_by_its_network(
    books: StaffBooks, first: str | None, second: str | None, shares: bool
) -> None:
    for number in range(30):
        books.judge(f"name-{number}", WRONG, address=first)
    assert books.judge("another", WRONG, address=second)["o_code"] == (
        "RATE_LIMITED" if shares else "INVALID_CREDENTIALS"
    )


def test_what_is_refused_is_in_the_audit_trail_with_the_tenant_only_if_the_name_is_known(books: StaffBooks) -> None:
    staff_id = books.add("anna")
    for username in ("anna", UNKNOWN):
        books.judge(username, WRONG)
    books.judge("anna")
    rows = [
        (row["outcome"], row["actor_kind"], row["actor_id"], row["actor_name"], row["tenant_id"], row["after"])
        for row in books.audit("staff.login")
    ]
    refused = {"code": "INVALID_CREDENTIALS"}
    anna = ("staff", staff_id, "anna", books.tenant.tenant_id)
    assert rows == [
        ("REFUSED", *anna, refused),
        ("REFUSED", "anyone", None, None, None, refused),
        ("DONE", *anna, None),
    ]


def test_names_that_nobody_has_are_not_stored(books: StaffBooks) -> None:
    """Red if the name were: people type a password into the field of the name."""
    books.judge("my-secret-password", WRONG)
    rows = [*books.tenant.rows("login_refusals"), *books.tenant.rows("audit_trail")]
    assert rows
    assert "my-secret-password" not in str(rows)


def test_counts_that_hold_nobody_back_are_deleted(books: StaffBooks) -> None:
    books.judge(UNKNOWN, WRONG)
    forget = "select casino.forget_logins(%s, 100) as rows"
    assert books.tenant.sql(forget, books.tenant.ledger_id) == [{"rows": 0}]
    books.later(hours=26)
    assert books.tenant.sql(forget, books.tenant.ledger_id) == [{"rows": 2}]
    assert books.tenant.rows("login_refusals") == []
