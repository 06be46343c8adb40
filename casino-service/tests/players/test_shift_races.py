"""What belongs to a shift, beside its closing and its opening, and of vouchers and approvals that end later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import pytest

from casino_testing.agent import Agent
from casino_testing.desk import CASHIER, Desk, hire_cashier
from casino_testing.tenant import OPENING_BALANCE_MINOR, Row, Tenant
from shared_service_testing.waiting import wait_until

WAITING: Final = (
    "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() and query like %s"
)
HELD_WALLETS: Final = (
    "select 1 from pg_locks where locktype = 'advisory' and granted"
    " and database = (select oid from pg_database where datname = current_database())"
)
TOTALS: Final = ("issued", "voided", "redeemed", "deposited", "withdrawn", "cashed_out")
OpenDesk = Callable[[], Desk]


@pytest.fixture(autouse=True)
def agent(tenant: Tenant) -> Agent:
    """A cashier, money in the tenant's float, and an agent for whom the cashier issues vouchers."""
    hire_cashier(tenant, float_minor=100_000)
    return Agent.below(tenant)


def issue(desk: Desk, agent: Agent, amount: int, name: str) -> None:
    """Issue a voucher, in the transaction that is open."""
    secret = [name.encode()]
    voucher = ([name], secret, secret, secret, secret)
    (row,) = desk.rows("issue_vouchers", agent.agent_id, amount, None, False, CASHIER, "request", *voucher)
    assert row["o_code"] is None


def pay(desk: Desk, kind: str, amount: int, player_id: str = "1") -> None:
    """A payment, in the transaction that is open."""
    (row,) = desk.rows("pay_player", player_id, kind, amount, "why", "request-1", CASHIER)
    assert (row["o_code"], row["o_approval_id"]) == (None, None)


def redeem(desk: Desk, name: str) -> None:
    """Redeem a voucher, in the transaction that is open."""
    secret = name.encode()
    (row,) = desk.rows("redeem_voucher", secret, secret, f"of {name}", b"a login", b"a pin", "request")
    assert row["o_code"] is None


def void(desk: Desk, name: str) -> None:
    """Make a voucher void, in the transaction that is open."""
    assert desk.rows("void_voucher", name, "agent-1", "request") == [{"void_voucher": None}]


def open_shift(desk: Desk, cash: int = 0) -> None:
    assert desk.call("open_shift", CASHIER, cash)["o_code"] is None


def close(desk: Desk, counted: int = 0) -> Row:
    return desk.call("close_shift", CASHIER, counted)


def totals(row: Row) -> dict[str, int]:
    """What a closed shift counted, without what is nothing."""
    return {name: row[f"{name}_minor"] for name in TOTALS if row[f"{name}_minor"] != 0}


def waits(tenant: Tenant, call: Future[Any], function: str) -> None:
    """Wait until a call of the function waits for a lock. It may be done instead, which the test finds out."""
    wait_until(lambda: call.done() or bool(tenant.sql(WAITING, f"%{function}%")), f"{function} waits")


DEEDS: Final[dict[str, tuple[str, Callable[[Desk, Agent], None], dict[str, int]]]] = {
    "issue": ("issue_vouchers", lambda desk, agent: issue(desk, agent, 300, "new"), {"issued": 300}),
    "void": ("void_voucher", lambda desk, _: void(desk, "sold"), {"voided": 50}),
    "redeem": ("redeem_voucher", lambda desk, _: redeem(desk, "sold"), {"redeemed": 50}),
    "deposit": ("pay_player", lambda desk, _: pay(desk, "DEPOSIT", 300), {"deposited": 300}),
    "withdraw": ("pay_player", lambda desk, _: pay(desk, "WITHDRAW", 300), {"withdrawn": 300}),
    "cash out": ("pay_player", lambda desk, _: pay(desk, "CASHOUT", 0), {"cashed_out": OPENING_BALANCE_MINOR}),
}


@pytest.fixture(params=DEEDS)
def deed(request: pytest.FixtureRequest, agent: Agent, open_desk: OpenDesk) -> tuple[str, Callable[[Desk], None], Any]:
    """Something that counts: its function, how to do it in an open transaction, what a shift then counts.

    A voucher was sold in a shift before.
    """
    desk = open_desk()
    open_shift(desk)
    with desk.transaction():
        issue(desk, agent, 50, "sold")
    close(desk)
    function, act, counted = DEEDS[request.param]
    return function, lambda desk: act(desk, agent), counted


def test_closing_waits_for_what_is_being_booked_and_counts_it(tenant: Tenant, open_desk: OpenDesk, deed: Any) -> None:
    _, act, counted = deed
    payer, closer = open_desk(), open_desk()
    open_shift(closer)
    with ThreadPoolExecutor(1) as pool:
        with payer.transaction():
            act(payer)
            closing = pool.submit(close, closer)
            waits(tenant, closing, "close_shift")
        assert totals(closing.result()) == counted


def test_what_waits_for_a_closing_counts_in_the_next_shift(tenant: Tenant, open_desk: OpenDesk, deed: Any) -> None:
    function, act, counted = deed
    payer, closer = open_desk(), open_desk()
    open_shift(closer)

    def book() -> None:
        with payer.transaction():
            act(payer)

    with ThreadPoolExecutor(1) as pool:
        with closer.transaction():
            (first,) = closer.rows("close_shift", CASHIER, 0)
            closer.rows("open_shift", CASHIER, 0)
            booking = pool.submit(book)
            waits(tenant, booking, function)
            assert tenant.sql(HELD_WALLETS) == []  # no bet waits for who closes
        booking.result()
    assert (totals(first), totals(close(closer))) == ({}, counted)


def test_what_waits_for_an_opening_counts_in_it(tenant: Tenant, open_desk: OpenDesk, deed: Any) -> None:
    function, act, counted = deed
    payer, opener = open_desk(), open_desk()

    def book() -> None:
        with payer.transaction():
            act(payer)

    with ThreadPoolExecutor(1) as pool:
        with opener.transaction():
            opener.rows("open_shift", CASHIER, 0)
            booking = pool.submit(book)
            waits(tenant, booking, function)
        booking.result()
    assert totals(close(opener)) == counted


def test_everything_between_opening_and_closing_is_counted_and_nothing_else(
    tenant: Tenant, agent: Agent, open_desk: OpenDesk
) -> None:
    """Three who pay and one who closes and opens, as fast as they can: instants and totals say the same."""
    rounds = 40
    for number in range(rounds):
        tenant.open_player(f"guest-{number}", balance_minor=7)
    payers, closer, done = [open_desk() for _ in range(3)], open_desk(), threading.Event()

    def book(desk: Desk, act: Callable[[Desk, int], None]) -> None:
        for number in range(rounds):
            with desk.transaction():
                act(desk, number)

    def keep_shifts() -> None:
        while not done.is_set():
            open_shift(closer)
            close(closer)

    deeds: list[Callable[[Desk, int], None]] = [
        lambda desk, number: issue(desk, agent, 11, f"voucher-{number}"),
        lambda desk, number: pay(desk, "DEPOSIT" if number % 2 else "WITHDRAW", 5),
        lambda desk, number: pay(desk, "CASHOUT", 0, f"guest-{number}"),
    ]
    with ThreadPoolExecutor(4) as pool:
        keeping = pool.submit(keep_shifts)
        booking = [pool.submit(book, *each) for each in zip(payers, deeds, strict=True)]
        for each in booking:
            each.exception()
        done.set()
        keeping.result()
        for each in booking:
            each.result()
    booked = [("issued", row["issued_at"], row["amount_minor"]) for row in tenant.rows("vouchers")]
    names = {"DEPOSIT": "deposited", "WITHDRAW": "withdrawn", "CASHOUT": "cashed_out"}
    booked += [(names[row["kind"]], row["at"], row["amount_minor"]) for row in tenant.rows("player_payments")]
    assert len(booked) == 3 * rounds
    for shift in tenant.rows("shifts"):
        between: dict[str, int] = {}
        for name, at, amount in booked:
            if shift["opened_at"] <= at <= shift["closed_at"]:
                between[name] = between.get(name, 0) + amount
        assert totals(shift) == between


def test_a_voucher_that_was_issued_in_no_shift_takes_nothing_out_of_the_drawer(
    agent: Agent, desk: Desk, tenant: Tenant
) -> None:
    vouchers = agent.issue(3, 1_000)
    open_shift(desk, cash=5_000)
    for voucher in vouchers:
        assert agent.void(voucher) is None
    assert totals(close(desk, 2_000)) == {}
    assert tenant.differences() == []


def test_a_voucher_of_a_shift_before_is_taken_back_from_the_shift_in_which_it_ends(agent: Agent, desk: Desk) -> None:
    open_shift(desk)
    ended, sold, between = agent.issue(3, 1_000)
    assert totals(close(desk)) == {"issued": 3_000}
    assert agent.void(between) is None
    open_shift(desk)
    assert agent.void(ended) is None
    assert agent.redeem(sold)["o_code"] is None
    assert totals(close(desk)) == {"voided": 1_000, "redeemed": 1_000}


@pytest.mark.parametrize("is_open", [True, False])
def test_a_payment_that_was_approved_counts_in_the_shift_that_is_open_when_it_is_booked(
    tenant: Tenant, desk: Desk, is_open: bool
) -> None:
    tenant.set_tenant(require_approval_above_minor=0)
    open_shift(desk)
    approval_id = desk.pay("WITHDRAW", 70, by=CASHIER)["o_approval_id"]
    assert totals(close(desk)) == {}
    if is_open:
        open_shift(desk)
    assert desk.call("decide_approval", approval_id, True, "another", "request-2")["o_code"] is None
    if not is_open:
        open_shift(desk)
    assert totals(close(desk)) == ({"withdrawn": 70} if is_open else {})
