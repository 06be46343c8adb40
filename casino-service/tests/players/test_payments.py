"""Money that staff moves for players: who pays, what is refused, what waits for approval, what a cash-out closes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from casino_testing.desk import Desk
from casino_testing.tenant import OPENING_BALANCE_MINOR, Row, Tenant
from casino_testing.wallet import Wallet
from shared_service_testing.waiting import wait_until

FLOAT_MINOR = 10_000
BOB = "bob"


@pytest.fixture(autouse=True)
def floated(tenant: Tenant) -> None:
    """The tenant's float has money; a member of staff has made another."""
    tenant.sql(
        "select casino.move_house_money(%s, 'float_in', casino.float_of(%s, %s), 'loan', %s, 'a loan', 'request')",
        tenant.ledger_id, tenant.ledger_id, tenant.tenant_id, FLOAT_MINOR,
    )  # fmt: skip
    for staff_id, made_by in (("alice", None), (BOB, "alice"), ("carol", None)):
        tenant.sql(
            "insert into casino.staff (ledger_id, staff_id, tenant_id, username, role, made_by, made_at)"
            " values (%s, %s, %s, %s, 'operator', %s, now())",
            tenant.ledger_id, staff_id, tenant.tenant_id, staff_id, made_by,
        )  # fmt: skip


def float_of(tenant: Tenant) -> int:
    return tenant.balance(f"§tenant:{tenant.tenant_id}")


def approvals(tenant: Tenant) -> list[Row]:
    return tenant.rows("approvals")


def waiting(desk: Desk, kind: str, amount: int = 0, *, by: str = "alice") -> str:
    row = desk.pay(kind, amount, by=by)
    assert (row["o_code"], row["o_payment_id"]) == (None, None), row
    return str(row["o_approval_id"])


def decide(desk: Desk, approval_id: str, *, by: str = "carol", approves: bool = True) -> Any:
    return desk.call("decide_approval", approval_id, approves, by, "request-2")["o_code"]


def test_a_deposit_comes_from_the_float_and_a_withdrawal_goes_back(tenant: Tenant, desk: Desk) -> None:
    row = desk.pay("DEPOSIT", 300)
    assert (row["o_balance_minor"], row["o_agent_balance_minor"]) == (OPENING_BALANCE_MINOR + 300, FLOAT_MINOR - 300)
    row = desk.pay("WITHDRAW", 500)
    assert (row["o_balance_minor"], row["o_agent_balance_minor"]) == (OPENING_BALANCE_MINOR - 200, FLOAT_MINOR + 200)
    told = [row for row in tenant.rows("ledger_events") if row["event_type"] in ("DEPOSIT", "WITHDRAW")]
    assert {(row["event_type"], row["amount_minor"], row["agent_id"], row["cashier_id"]) for row in told[2:]} == {
        ("DEPOSIT", 300, tenant.tenant_id, "staff-1"), ("WITHDRAW", 500, tenant.tenant_id, "staff-1"),
    }  # fmt: skip


def test_a_player_with_an_agent_is_paid_by_that_float(tenant: Tenant, desk: Desk) -> None:
    agent = tenant.add_tenant_below("AGENT")
    tenant.sql("update casino.players set agent_id = %s where ledger_id = %s", agent, tenant.ledger_id)
    assert desk.pay("DEPOSIT", 1)["o_code"] == "INSUFFICIENT_AGENT_FUNDS"
    assert desk.pay("WITHDRAW", 7)["o_agent_balance_minor"] == 7
    assert (tenant.balance(f"§tenant:{agent}"), float_of(tenant)) == (7, FLOAT_MINOR)


def test_an_adjustment_moves_against_the_house(tenant: Tenant, desk: Desk) -> None:
    assert desk.pay("ADJUST", -250)["o_balance_minor"] == OPENING_BALANCE_MINOR - 250
    assert desk.pay("ADJUST", 100)["o_balance_minor"] == OPENING_BALANCE_MINOR - 150
    posted = [row["amount_minor"] for row in tenant.rows("postings") if row["account"] == "house_adjustments"]
    assert sorted(posted) == [-100, 250]
    assert float_of(tenant) == FLOAT_MINOR


@pytest.mark.parametrize(
    ("kind", "amount", "code"),
    [
        ("DEPOSIT", FLOAT_MINOR + 1, "INSUFFICIENT_AGENT_FUNDS"),
        ("WITHDRAW", OPENING_BALANCE_MINOR + 1, "INSUFFICIENT_FUNDS"),
        ("ADJUST", -OPENING_BALANCE_MINOR - 1, "INSUFFICIENT_FUNDS"),
    ],
)
def test_more_than_there_is_moves_nothing(tenant: Tenant, desk: Desk, kind: str, amount: int, code: str) -> None:
    before = tenant.money_rows()
    assert desk.pay(kind, amount)["o_code"] == code
    assert tenant.money_rows() == before
    assert tenant.rows("player_payments") == []


def test_a_float_in_another_currency_pays_nobody(tenant: Tenant, desk: Desk) -> None:
    tenant.open_player("euro", currency="EUR")
    assert desk.pay("DEPOSIT", 1, player_id="euro")["o_code"] == "CURRENCY_MISMATCH"


def test_a_player_of_another_tenant_is_not_there(tenant: Tenant) -> None:
    below = Desk(tenant, tenant.add_tenant_below("AGENT"))
    for kind in ("DEPOSIT", "WITHDRAW", "CASHOUT", "ADJUST"):
        assert below.pay(kind, 1)["o_code"] == "NOT_FOUND"
    assert below.pay("DEPOSIT", 1, player_id="nobody")["o_code"] == "NOT_FOUND"
    below.close()


def test_nothing_is_deposited_in_a_suspended_tenant_or_for_a_player_who_may_not_play(
    tenant: Tenant, desk: Desk
) -> None:
    tenant.set_tenant(status="SUSPENDED")
    assert desk.pay("DEPOSIT", 1)["o_code"] == "TENANT_NOT_ACTIVE"
    assert desk.pay("WITHDRAW", 1)["o_code"] is None
    tenant.set_tenant(status="ACTIVE")
    tenant.set_wallet("1", excluded_until="infinity")
    assert desk.pay("DEPOSIT", 1)["o_code"] == "PLAYER_NOT_ACTIVE"
    assert desk.pay("WITHDRAW", 1)["o_code"] is None


def test_a_deposit_limit_counts_the_period_of_the_tenants_time_zone(tenant: Tenant, desk: Desk) -> None:
    tenant.set_tenant(timezone="Pacific/Kiritimati")
    assert desk.call("set_limit", "1", "deposit", "day", 1_000, False, "player", "1")["o_code"] is None
    assert desk.pay("DEPOSIT", 600)["o_code"] is None
    assert desk.pay("DEPOSIT", 401)["o_code"] == "DEPOSIT_LIMIT_REACHED"
    assert desk.pay("DEPOSIT", 400)["o_code"] is None
    begins = "date_trunc('day', now() at time zone 'Pacific/Kiritimati') at time zone 'Pacific/Kiritimati'"
    tenant.sql(f"update casino.player_payments set at = {begins} where ledger_id = %s", tenant.ledger_id)
    assert desk.pay("DEPOSIT", 1)["o_code"] == "DEPOSIT_LIMIT_REACHED"
    tenant.sql(
        f"update casino.player_payments set at = {begins} - interval '1 microsecond' where ledger_id = %s",
        tenant.ledger_id,
    )
    assert desk.pay("DEPOSIT", 1_000)["o_code"] is None


def test_of_two_deposits_at_once_the_second_meets_the_limit(tenant: Tenant, open_desk: Callable[[], Desk]) -> None:
    desks = [open_desk() for _ in range(2)]
    desks[0].call("set_limit", "1", "deposit", "week", 100, False, "player", "1")
    with ThreadPoolExecutor(2) as pool:
        codes = [row["o_code"] for row in pool.map(lambda desk: desk.pay("DEPOSIT", 60), desks)]
    assert sorted(codes, key=str) == ["DEPOSIT_LIMIT_REACHED", None]
    assert tenant.balance() == OPENING_BALANCE_MINOR + 60


def test_the_last_money_of_a_float_is_deposited_once(tenant: Tenant, open_desk: Callable[[], Desk]) -> None:
    desks = [open_desk() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(desk.pay, "DEPOSIT", FLOAT_MINOR, player_id=str(1 + number % 2))
            for number, desk in enumerate(desks)
        ]
    codes = [each.result()["o_code"] for each in asked]
    assert sorted(codes, key=str) == ["INSUFFICIENT_AGENT_FUNDS"] * 3 + [None]
    assert tenant.balance("1") + tenant.balance("2") == 2 * OPENING_BALANCE_MINOR + FLOAT_MINOR


def test_above_the_threshold_a_payment_waits_and_approving_books_it(tenant: Tenant, desk: Desk) -> None:
    tenant.set_tenant(require_approval_above_minor=500)
    assert desk.pay("WITHDRAW", 500)["o_approval_id"] is None
    before = tenant.money_rows()
    approval_id = waiting(desk, "WITHDRAW", 1)
    assert tenant.money_rows() == before
    assert decide(desk, approval_id) is None
    (row,) = approvals(tenant)
    assert (row["status"], row["decided_by"], row["amount_minor"]) == ("APPROVED", "carol", 1)
    assert tenant.balance() == OPENING_BALANCE_MINOR - 501
    assert [row["staff_id"] for row in tenant.rows("player_payments")] == ["staff-1", "alice"]


def test_the_threshold_counts_24_hours_of_one_kind(tenant: Tenant, desk: Desk) -> None:
    tenant.set_tenant(require_approval_above_minor=500)
    desk.pay("WITHDRAW", 500)
    assert desk.pay("ADJUST", -500)["o_approval_id"] is None
    assert desk.pay("DEPOSIT", 501)["o_approval_id"] is None
    waiting(desk, "ADJUST", 1)
    tenant.sql("update casino.player_payments set at = at - interval '24 hours 1 second'")
    assert desk.pay("WITHDRAW", 500)["o_approval_id"] is None


def test_the_lowest_threshold_of_a_tenant_and_those_above_counts(tenant: Tenant) -> None:
    below = tenant.add_tenant_below("AGENT")
    tenant.sql("update casino.wallets set tenant_id = %s where ledger_id = %s", below, tenant.ledger_id)
    threshold = "select casino.approval_threshold(%s, %s) as minor"
    assert tenant.sql(threshold, tenant.ledger_id, below) == [{"minor": None}]
    tenant.set_tenant(require_approval_above_minor=100)
    assert tenant.sql(threshold, tenant.ledger_id, below) == [{"minor": 100}]
    tenant.sql("update casino.tenants set require_approval_above_minor = 200 where tenant_id = %s", below)
    assert tenant.sql(threshold, tenant.ledger_id, below) == [{"minor": 100}]
    tenant.sql("update casino.tenants set require_approval_above_minor = 50 where tenant_id = %s", below)
    assert tenant.sql(threshold, tenant.ledger_id, below) == [{"minor": 50}]
    tenant.sql("update casino.wallets set tenant_id = %s where ledger_id = %s", tenant.tenant_id, tenant.ledger_id)


def test_neither_who_asked_nor_whom_that_person_made_decides(tenant: Tenant, desk: Desk) -> None:
    tenant.set_tenant(require_approval_above_minor=0)
    approval_id = waiting(desk, "WITHDRAW", 5, by="alice")
    for by in ("alice", BOB):
        assert decide(desk, approval_id, by=by) == "SELF_APPROVAL"
        assert decide(desk, approval_id, by=by, approves=False) == "SELF_APPROVAL"
    assert decide(desk, waiting(desk, "WITHDRAW", 5, by=BOB), by="alice") is None
    assert decide(desk, approval_id) is None
    assert decide(desk, approval_id, approves=False) == "ALREADY_DECIDED"


def test_what_cannot_be_booked_waits_on(tenant: Tenant, desk: Desk) -> None:
    tenant.set_tenant(require_approval_above_minor=500)
    approval_id = waiting(desk, "WITHDRAW", OPENING_BALANCE_MINOR)
    desk.pay("WITHDRAW", 1)
    assert decide(desk, approval_id) == "INSUFFICIENT_FUNDS"
    assert [row["status"] for row in approvals(tenant)] == ["PENDING"]
    desk.pay("DEPOSIT", 1)
    assert decide(desk, approval_id) is None
    assert tenant.balance() == 0


def test_of_two_who_decide_at_once_one_does(tenant: Tenant, open_desk: Callable[[], Desk]) -> None:
    tenant.set_tenant(require_approval_above_minor=0)
    desks = [open_desk() for _ in range(4)]
    approval_id = waiting(desks[0], "WITHDRAW", 5)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(decide, desk, approval_id, approves=number % 2 == 0) for number, desk in enumerate(desks)]
    codes = [each.result() for each in asked]
    assert sorted(codes, key=str) == ["ALREADY_DECIDED"] * 3 + [None]
    approved = approvals(tenant)[0]["status"] == "APPROVED"
    assert tenant.balance() == OPENING_BALANCE_MINOR - (5 if approved else 0)


def test_a_decision_of_another_tenant_is_not_there(tenant: Tenant, desk: Desk) -> None:
    tenant.set_tenant(require_approval_above_minor=0)
    approval_id = waiting(desk, "WITHDRAW", 5)
    below = Desk(tenant, tenant.add_tenant_below("AGENT"))
    assert decide(below, approval_id) == "NOT_FOUND"
    assert decide(below, "nothing") == "NOT_FOUND"
    below.close()


def test_a_cash_out_pays_everything_and_closes_the_player(tenant: Tenant, desk: Desk, wallet: Wallet) -> None:
    tenant.sql("select casino.begin_play_session(%s, '1')", tenant.ledger_id)
    session = wallet.open_session()
    row = desk.pay("CASHOUT")
    assert (row["o_code"], row["o_amount_minor"], row["o_balance_minor"]) == (None, OPENING_BALANCE_MINOR, 0)
    assert row["o_agent_balance_minor"] == float_of(tenant) == FLOAT_MINOR + OPENING_BALANCE_MINOR
    (player,) = [row for row in tenant.rows("players") if row["player_id"] == "1"]
    assert player["status"] == "CLOSED"
    assert wallet.refuse(session.debit()) == "session_expired"
    assert [row["ended_at"] is None for row in tenant.rows("play_sessions")] == [False]
    assert tenant.rows_of_tenant("access_token_revocations") != []
    assert desk.pay("CASHOUT")["o_code"] == "PLAYER_NOT_ACTIVE"


def test_a_cash_out_with_an_open_bet_changes_nothing(tenant: Tenant, desk: Desk, wallet: Wallet) -> None:
    bet = wallet.bet(wallet.open_session())
    assert desk.pay("CASHOUT")["o_code"] == "OPEN_BETS"
    assert tenant.balance() == OPENING_BALANCE_MINOR - bet.amount


def test_a_cash_out_that_waits_blocks_bets_and_pays_the_balance_of_its_booking(
    tenant: Tenant, desk: Desk, wallet: Wallet
) -> None:
    tenant.set_tenant(require_approval_above_minor=500)
    session = wallet.open_session()
    approval_id = waiting(desk, "CASHOUT")
    assert waiting(desk, "CASHOUT") == approval_id
    assert wallet.refuse(session.debit()) == "wallet_blocked"
    desk.pay("DEPOSIT", 11)
    assert decide(desk, approval_id) is None
    assert (tenant.balance(), float_of(tenant)) == (0, FLOAT_MINOR + OPENING_BALANCE_MINOR)
    assert approvals(tenant)[0]["amount_minor"] == OPENING_BALANCE_MINOR + 11


def test_a_cash_out_that_is_rejected_blocks_no_longer(tenant: Tenant, desk: Desk, wallet: Wallet) -> None:
    tenant.set_tenant(require_approval_above_minor=500)
    session = wallet.open_session()
    assert decide(desk, waiting(desk, "CASHOUT"), approves=False) is None
    wallet.bet(session)
    assert approvals(tenant)[0]["status"] == "REJECTED"


def test_unfreezing_does_not_let_a_waiting_cash_out_bet(tenant: Tenant, desk: Desk, wallet: Wallet) -> None:
    tenant.set_tenant(require_approval_above_minor=500)
    session = wallet.open_session()
    waiting(desk, "CASHOUT")
    assert desk.value("freeze_player", "1", True) is None
    assert desk.value("freeze_player", "1", False) is None
    assert wallet.refuse(session.debit()) == "wallet_blocked"


def test_a_cash_out_and_a_bet_at_once_lose_no_money(
    tenant: Tenant, open_desk: Callable[[], Desk], connect_wallet: Callable[[], Wallet]
) -> None:
    """Whichever is first: the bet is placed and the cash-out refused, or the other way round."""
    for player_id in ("1", "2"):
        wallet, desk = connect_wallet(), open_desk()
        session = wallet.open_session(player_id)
        with ThreadPoolExecutor(2) as pool:
            bet = pool.submit(_bet, wallet, session)
            paid = pool.submit(desk.pay, "CASHOUT", 0, player_id=player_id)
        outcome = (bet.result(), paid.result()["o_code"])
        assert outcome in {(None, "OPEN_BETS"), ("session_expired", None), ("wallet_blocked", None)}
        assert tenant.balance(player_id) == (OPENING_BALANCE_MINOR - 1_000 if outcome[0] is None else 0)


def test_a_cash_out_waits_for_the_bet_that_is_being_placed(tenant: Tenant, desk: Desk, wallet: Wallet) -> None:
    session_id = wallet.open_session().session_id
    change = "update casino.game_sessions set open_bets = open_bets + %s where session_id = %s"
    hold = "select casino.hold_wallets(%s, array[%s])"
    waits = (
        "select count(*) as waiting from pg_locks where not granted and locktype = 'advisory' and database = ("
        "select oid from pg_database where datname = current_database())"
    )
    with psycopg.connect(tenant.url) as bet, ThreadPoolExecutor(1) as pool:
        bet.execute(hold, [tenant.ledger_id, tenant.wallet()["wallet_id"]])
        bet.execute(change, [1, session_id])
        paid = pool.submit(desk.pay, "CASHOUT")
        wait_until(lambda: tenant.sql(waits) != [{"waiting": 0}] or paid.done(), "the cash-out waits")
        bet.commit()
        assert paid.result()["o_code"] == "OPEN_BETS"
    tenant.sql(change, -1, session_id)


def _bet(wallet: Wallet, session: Any) -> str | None:
    """Bet until the wallet is free; returns the refusal's code."""
    command = session.debit()
    while True:
        (outcome,) = wallet.wait(wallet.ledger.execute([command]))
        if outcome is not None and outcome.code != "session_busy":
            return None if outcome.code is None else str(outcome.code)


def test_payments_since_an_instant_are_summed_without_signs(tenant: Tenant, desk: Desk) -> None:
    desk.pay("ADJUST", -7)
    desk.pay("ADJUST", 5)
    (row,) = tenant.sql(
        "select casino.paid_since(%s, %s, 'ADJUST', now() - %s) as minor",
        tenant.ledger_id, tenant.wallet()["wallet_id"], timedelta(hours=1),
    )  # fmt: skip
    assert row["minor"] == 12
