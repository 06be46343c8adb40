"""A cashier's shift: what came into the drawer and went out of it since it was opened."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from casino_testing.desk import CASHIER, Desk, hire_cashier
from casino_testing.tenant import Row, Tenant


@pytest.fixture(autouse=True)
def hired(tenant: Tenant) -> None:
    """A cashier, and money in the float."""
    hire_cashier(tenant, float_minor=10_000)


def close(desk: Desk, counted: int) -> Row | None:
    with desk.transaction():
        rows = desk.rows("close_shift", CASHIER, counted)
    return rows[0] if rows else None


def test_a_shift_counts_what_its_cashier_did_since_it_was_opened(tenant: Tenant, desk: Desk) -> None:
    desk.pay("DEPOSIT", 1, by=CASHIER)
    assert desk.call("open_shift", CASHIER, 100)["o_code"] is None
    assert desk.call("open_shift", CASHIER, 100)["o_code"] == "SHIFT_OPEN"
    desk.pay("DEPOSIT", 300, by=CASHIER)
    desk.pay("DEPOSIT", 7, by="another")
    desk.pay("WITHDRAW", 50, by=CASHIER)
    row = close(desk, 340)
    assert row is not None
    assert (row["deposited_minor"], row["withdrawn_minor"], row["cashed_out_minor"]) == (300, 50, 0)
    assert (row["cash_minor"], row["counted_minor"]) == (100, 340)
    assert close(desk, 340) is None
    assert desk.call("open_shift", CASHIER, 0)["o_code"] is None


def test_of_two_who_open_at_once_one_does(open_desk: Callable[[], Desk]) -> None:
    desks = [open_desk() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        codes = [row["o_code"] for row in pool.map(lambda desk: desk.call("open_shift", CASHIER, 0), desks)]
    assert sorted(codes, key=str) == [None, "SHIFT_OPEN"]


def test_a_cashier_out_of_sight_has_no_shift(tenant: Tenant) -> None:
    below = Desk(tenant, tenant.add_tenant_below("AGENT"))
    assert below.call("open_shift", CASHIER, 0)["o_code"] == "NOT_FOUND"
    assert close(below, 0) is None
    below.close()
