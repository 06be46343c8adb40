"""Each thing that webhooks may be told: told once, when it happened, with its amounts and no secret."""

from __future__ import annotations

from typing import Any

import pytest

from casino_testing.agent import Agent
from casino_testing.desk import Desk
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet
from casino_testing.webhooks import listen, told, types


def only(tenant: Tenant, kind: str) -> list[dict[str, Any]]:
    return [data for name, data in told(tenant) if name == kind]


def test_vouchers_are_told_when_they_are_issued_and_redeemed(tenant: Tenant) -> None:
    agent = Agent.below(tenant, bonus_bp=5_000)
    listen(tenant, "voucher.issued", "voucher.redeemed")
    first, second = agent.issue(2, 1_000)
    agent.redeem(second, player_id="new")
    rows = told(tenant)
    assert types(rows) == ["voucher.issued", "voucher.issued", "voucher.redeemed"]
    amounts = {"amountMinor": 1_000, "bonusAmountMinor": 500, "currency": "USD"}
    assert {data["voucherId"] for _, data in rows[:2]} == {first.voucher_id, second.voucher_id}
    assert rows[2][1] == {"tenantId": agent.agent_id, "voucherId": second.voucher_id, "playerId": "new", **amounts}
    assert set(rows[0][1]) == {"tenantId", "voucherId", "expiresAt", *amounts}


def test_vouchers_that_were_not_issued_or_redeemed_are_not_told(tenant: Tenant) -> None:
    agent = Agent.below(tenant, funds_minor=1_000)
    listen(tenant, "voucher.issued", "voucher.redeemed")
    said, _ = agent.ask(2, 1_000)
    assert said["o_code"] == "INSUFFICIENT_AGENT_FUNDS"
    (voucher,) = agent.issue(1, 1_000)
    agent.void(voucher)
    assert agent.redeem(voucher)["o_code"] is not None
    assert types(told(tenant)) == ["voucher.issued"]


@pytest.mark.parametrize("way", ["close", "erase", "cash-out", "left empty"])
def test_a_player_who_is_closed_is_told_once_whatever_the_way(tenant: Tenant, desk: Desk, way: str) -> None:
    listen(tenant, "player.closed")
    if way == "left empty":
        tenant.sql("update casino.players set is_ephemeral = true where ledger_id = %s", tenant.ledger_id)
    if way in ("erase", "left empty"):
        tenant.sql(
            "select casino.move_house_money(%s, 'adjustment_out',"
            " (select wallet_id from casino.wallets where ledger_id = %s and player_id = '1'), 'x', 1000000, 'x', 'x')",
            tenant.ledger_id, tenant.ledger_id,
        )  # fmt: skip
    for _ in range(2):
        if way == "close":
            desk.call("close_player", "1", "why", "request")
        elif way == "erase":
            assert desk.value("erase_player", "1") is None
        elif way == "cash-out":
            desk.pay("CASHOUT")
        else:
            desk.call("logout_player", "1")
    (data,) = only(tenant, "player.closed")
    balance = 1_000_000 if way == "close" else 0
    assert data == {"tenantId": tenant.tenant_id, "playerId": "1", "balanceMinor": balance, "currency": "USD"}


def test_withdrawals_are_told_when_they_wait_and_when_they_are_paid(tenant: Tenant, desk: Desk) -> None:
    listen(tenant, "withdrawal.requested", "withdrawal.paid")
    desk.pay("WITHDRAW", 100)
    tenant.set_tenant(require_approval_above_minor=150)
    waiting = desk.pay("WITHDRAW", 200)["o_approval_id"]
    assert desk.call("decide_approval", waiting, True, "staff-2", "request")["o_code"] is None
    rows = told(tenant)
    assert types(rows) == ["withdrawal.paid", "withdrawal.requested", "withdrawal.paid"]
    assert [data["amountMinor"] for _, data in rows] == [100, 200, 200]
    assert [data["approvalId"] for _, data in rows] == [None, waiting, waiting]
    assert rows[1][1] == {
        "tenantId": tenant.tenant_id, "playerId": "1", "approvalId": waiting, "kind": "WITHDRAW", "amountMinor": 200,
        "currency": "USD",
    }  # fmt: skip


def test_a_cash_out_is_told_as_paid_and_a_waiting_one_is_asked_for_once(tenant: Tenant, desk: Desk) -> None:
    listen(tenant, "withdrawal.requested", "withdrawal.paid", "player.closed")
    tenant.set_tenant(require_approval_above_minor=150)
    for _ in range(2):
        waiting = desk.pay("CASHOUT")["o_approval_id"]
    desk.call("decide_approval", waiting, True, "staff-2", "request")
    rows = told(tenant)
    assert types(rows) == ["withdrawal.requested", "withdrawal.paid", "player.closed"]
    assert [(data["kind"], data["amountMinor"]) for _, data in rows[:2]] == [("CASHOUT", 1_000_000)] * 2
    assert [data["approvalId"] for _, data in rows[:2]] == [waiting] * 2


def test_deposits_adjustments_and_refusals_are_no_withdrawals(tenant: Tenant, desk: Desk) -> None:
    listen(tenant, "withdrawal.requested", "withdrawal.paid")
    tenant.set_tenant(require_approval_above_minor=0)
    desk.pay("ADJUST", -10)
    desk.pay("ADJUST", 10)
    desk.pay("WITHDRAW", 2_000_000)
    waiting = desk.pay("WITHDRAW", 20)["o_approval_id"]
    desk.call("decide_approval", waiting, False, "staff-2", "request")
    assert types(told(tenant)) == ["withdrawal.requested"]


def test_a_round_is_told_when_it_ends_with_what_was_staked_and_won(tenant: Tenant, wallet: Wallet) -> None:
    session = wallet.open_session()
    silent = wallet.bet(session, round_id="before")
    wallet.accept(session.credit(0, related_id=silent.transaction_id, round_id="before"))
    listen(tenant, "round.settled")
    won = wallet.bet(session, round_id="won")
    wallet.bet(session, round_id="won")
    assert told(tenant) == []
    credit = session.credit(5_000, related_id=won.transaction_id, round_id="won")
    wallet.accept(credit)
    wallet.run(credit)
    wallet.accept(session.credit(1_000, related_id=won.transaction_id, round_id="won"))
    undone = [wallet.bet(session, round_id="undone") for _ in range(2)]
    wallet.accept(session.rollback(undone[0].transaction_id, round_id="undone"))
    wallet.accept(session.rollback("never seen", round_id="another"))
    assert len(told(tenant)) == 1
    wallet.accept(session.rollback(undone[1].transaction_id, round_id="undone"))
    first, second = (data for _, data in told(tenant))
    assert first == {
        "tenantId": tenant.tenant_id, "playerId": "1", "roundId": "won", "providerId": "main", "stakeMinor": 2_000,
        "winMinor": 5_000, "currency": "USD",
    }  # fmt: skip
    assert (second["roundId"], second["stakeMinor"], second["winMinor"]) == ("undone", 0, 0)
