"""Races over real connections: guesses of a locked name, refresh tokens, one-time passwords, deactivation and login."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from casino_testing.service import login_url
from casino_testing.staff import ADDRESS, JUDGE, RIGHT, WRONG, StaffBooks
from casino_testing.tenant import Row

Call = tuple[str, Any]
RUN_AT_ONCE = 12


@pytest.fixture
def at_once(books: StaffBooks) -> Callable[[list[Call]], list[Row]]:
    """Runs statements at the same instant, each on a connection of its own, in a transaction with a tenant's view."""

    def run(calls: list[Call]) -> list[Row]:
        barrier = Barrier(len(calls))

        def one(call: Call) -> Row:
            with psycopg.connect(
                login_url(books.tenant.url), row_factory=dict_row, options="-c role=casino_app"
            ) as own:
                own.execute("select casino.see_tenant(%s, %s)", [books.tenant.ledger_id, books.tenant.tenant_id])
                barrier.wait()
                row = own.execute(call[0].encode(), call[1]).fetchone()
                assert row is not None
                return row

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(one, calls))

    return run


AtOnce = Callable[[list[Call]], list[Row]]


def test_guesses_at_once_are_judged_until_the_name_is_locked_and_no_further(books: StaffBooks, at_once: AtOnce) -> None:
    """Red if a guess were judged before the ones beside it are counted."""
    books.add("anna")
    addresses = [f"198.51.100.{number}" for number in range(RUN_AT_ONCE)]
    rows = at_once([(JUDGE, books.judged("anna", WRONG, address=address)) for address in addresses])
    assert Counter(row["o_code"] for row in rows) == {"INVALID_CREDENTIALS": 5, "LOCKED": RUN_AT_ONCE - 5}


def test_names_at_once_are_judged_up_to_the_limit_of_their_address(books: StaffBooks, at_once: AtOnce) -> None:
    for _ in range(25):
        at_once([(JUDGE, books.judged(f"early-{_}", WRONG))])
    rows = at_once([(JUDGE, books.judged(f"name-{number}", WRONG)) for number in range(RUN_AT_ONCE)])
    assert Counter(row["o_code"] for row in rows) == {"INVALID_CREDENTIALS": 5, "RATE_LIMITED": RUN_AT_ONCE - 5}


def test_refreshes_at_once_have_one_successor(books: StaffBooks, at_once: AtOnce) -> None:
    books.add("anna")
    (login,) = at_once([(JUDGE, books.judged("anna"))])
    refresh = "select * from casino.refresh_login(%s, %s, 1, 'request', %s)"
    rows = at_once([(refresh, [books.tenant.ledger_id, login["o_family_id"], ADDRESS])] * RUN_AT_ONCE)
    assert {(row["o_code"], row["o_number"]) for row in rows} == {(None, 2)}
    assert [family["number"] for family in books.tenant.rows("staff_families")] == [2]


@pytest.mark.parametrize("sent", [{"step": 1_000}, {"mac": b"recovery"}], ids=lambda sent: next(iter(sent)))
def test_a_code_that_is_sent_twice_at_once_is_good_once(
    books: StaffBooks, at_once: AtOnce, sent: dict[str, Any]
) -> None:
    staff_id = books.add("anna")
    for change in ("enrol", "confirm"):
        statement = "select casino.change_otp(%s, %s, %s, 'nonce', %s) as code"
        at_once([(statement, [books.tenant.ledger_id, staff_id, change, [b"recovery"]])])
    rows = at_once([(JUDGE, books.judged("anna", otp_sent=True, **sent))] * 4)
    assert Counter(row["o_code"] for row in rows) == {None: 1, "INVALID_CREDENTIALS": 3}


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"password": "new hash"}], ids=lambda change: next(iter(change))
)
def test_no_login_survives_a_deactivation_or_a_new_password_that_comes_at_once(
    books: StaffBooks, at_once: AtOnce, change: dict[str, Any]
) -> None:
    """Red if a login were judged before the change and began its family after it."""
    maker, statement = books.add("olaf", "distributor"), "select * from casino.change_staff(%s, %s, %s, null, %s, %s)"
    for number in range(5):
        staff_id = books.add(f"anna-{number}")
        values = [books.tenant.ledger_id, maker, staff_id, change.get("is_active"), change.get("password")]
        calls: list[Call] = [(JUDGE, books.judged(f"anna-{number}", RIGHT))] * 4
        *_, changed = at_once([*calls, (statement, values)])
        assert changed["o_code"] is None
        assert [row for row in books.tenant.rows("staff_families") if row["ended_at"] is None] == []


def test_a_name_is_given_once(books: StaffBooks, at_once: AtOnce) -> None:
    maker = books.add("olaf", "distributor")
    statement = "select * from casino.create_staff(%s, %s, 'anna', 'hash', 'operator', %s)"
    rows = at_once([(statement, [books.tenant.ledger_id, maker, books.tenant.tenant_id])] * 6)
    assert Counter(row["o_code"] for row in rows) == {None: 1, "USERNAME_TAKEN": 5}


def test_two_who_change_each_other_at_once_are_both_answered(books: StaffBooks, at_once: AtOnce) -> None:
    """Red if each held itself and waited for the other."""
    statement = "select * from casino.change_staff(%s, %s, %s, null, false, null)"
    for number in range(20):
        pair = [books.add(f"{name}-{number}") for name in ("anna", "bert")]
        rows = at_once([(statement, [books.tenant.ledger_id, *each]) for each in (pair, pair[::-1])])
        assert [row["o_code"] for row in rows] == ["FORBIDDEN"] * 2
