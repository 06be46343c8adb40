"""What a login is judged by: the account, its tenant, the password that was verified, the one-time password."""

from __future__ import annotations

from typing import Any

import pytest

from casino_testing.staff import RIGHT, StaffBooks

STEP = 1_000


def with_otp(books: StaffBooks, username: str = "anna", *, recovery: tuple[bytes, ...] = ()) -> str:
    staff_id = books.add(username)
    for change in ("enrol", "confirm"):
        books.tenant.sql("begin")
        books.tenant.sql("select casino.see_tenant(%s, %s)", books.tenant.ledger_id, books.tenant.tenant_id)
        books.tenant.sql(
            "select casino.change_otp(%s, %s, %s, 'nonce', %s)",
            books.tenant.ledger_id, staff_id, change, list(recovery),
        )  # fmt: skip
        books.tenant.sql("commit")
    return staff_id


def test_a_good_login_begins_a_family(books: StaffBooks) -> None:
    staff_id = books.add("anna")
    row = books.judge("anna")
    assert (row["o_code"], row["o_staff_id"]) == (None, staff_id)
    assert books.is_in(staff_id, row["o_family_id"])
    assert not books.is_in("another", row["o_family_id"])


@pytest.mark.parametrize(
    "given",
    [
        {"verified": None},
        {"verified": "hash of an earlier password"},
        {"tenant": "ANOTHER"},
        {"username": "nobody"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_all_that_is_wrong_is_one_refusal(books: StaffBooks, given: dict[str, Any]) -> None:
    books.add("anna")
    row = books.judge(**{"username": "anna", "verified": RIGHT, **given})
    assert (row["o_code"], row["o_family_id"]) == ("INVALID_CREDENTIALS", None)


def test_an_account_that_is_not_active_is_refused_in_the_same_way(books: StaffBooks) -> None:
    staff_id = books.add("anna")
    family_id = books.judge("anna")["o_family_id"]
    books.tenant.sql("update casino.staff set is_active = false where staff_id = %s", staff_id)
    assert books.judge("anna")["o_code"] == "INVALID_CREDENTIALS"
    assert not books.is_in(staff_id, family_id)


def test_the_own_tenant_may_be_named_and_an_owner_has_none(books: StaffBooks) -> None:
    books.add("anna")
    books.add("olga", "owner")
    assert books.judge("anna", tenant=books.tenant.tenant_id)["o_code"] is None
    assert books.judge("olga")["o_code"] is None
    assert books.judge("olga", tenant=books.tenant.tenant_id)["o_code"] == "INVALID_CREDENTIALS"


def test_a_missing_code_is_said_after_the_right_password_only_and_is_not_counted(books: StaffBooks) -> None:
    with_otp(books)
    assert [books.judge("anna")["o_code"] for _ in range(6)] == ["OTP_REQUIRED"] * 6
    assert books.judge("anna", None)["o_code"] == "INVALID_CREDENTIALS"


def test_a_wrong_code_is_counted(books: StaffBooks) -> None:
    with_otp(books)
    codes = [books.judge("anna", otp_sent=True)["o_code"] for _ in range(6)]
    assert codes == [*["INVALID_CREDENTIALS"] * 5, "LOCKED"]


def test_a_right_password_without_its_code_forgets_no_refusal(books: StaffBooks) -> None:
    """Otherwise codes could be guessed for ever, four at a time."""
    with_otp(books)
    for _ in range(4):
        books.judge("anna", otp_sent=True)
    assert books.judge("anna")["o_code"] == "OTP_REQUIRED"
    books.judge("anna", otp_sent=True)
    assert books.judge("anna", otp_sent=True, step=STEP)["o_code"] == "LOCKED"


def test_a_code_is_good_once_and_its_neighbours_are_other_codes(books: StaffBooks) -> None:
    with_otp(books)
    steps = [STEP + 1, STEP + 1, STEP, STEP, STEP - 1, STEP - 1, STEP + 2, STEP + 3, STEP + 1]
    codes = [books.judge("anna", otp_sent=True, step=step)["o_code"] for step in steps]
    wrong = "INVALID_CREDENTIALS"
    assert codes == [None, wrong, None, wrong, None, wrong, None, None, wrong]


def test_a_code_is_not_used_up_by_a_wrong_password(books: StaffBooks) -> None:
    with_otp(books)
    assert books.judge("anna", None, otp_sent=True, step=STEP)["o_code"] == "INVALID_CREDENTIALS"
    assert books.judge("anna", otp_sent=True, step=STEP)["o_code"] is None


def test_a_recovery_code_is_good_once(books: StaffBooks) -> None:
    with_otp(books, recovery=(b"first", b"second"))
    codes = [books.judge("anna", otp_sent=True, mac=mac)["o_code"] for mac in (b"first", b"first", b"second", b"x")]
    assert codes == [None, "INVALID_CREDENTIALS", None, "INVALID_CREDENTIALS"]


def test_a_password_that_is_not_enrolled_is_not_asked_for(books: StaffBooks) -> None:
    books.add("anna")
    assert books.judge("anna", otp_sent=True)["o_code"] is None
