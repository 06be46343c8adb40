"""A tenant's float in SQL: its wallet, and what moves between it, other floats and players."""

from __future__ import annotations

import pytest

from casino_testing.tenant import OPENING_BALANCE_MINOR, Row, Tenant

TRANSFER = (
    "select * from casino.transfer(%s, %s, %s, %s, %s, %s, %s, 'why', 'a request', 'staff-1', 'AGENT', 'staff-1')"
)
MOVE = "select * from casino.move_house_money(%s, 'float_in', %s, %s, %s, 'a loan', 'a request')"


def float_of(tenant: Tenant, tenant_id: str | None = None) -> int:
    found = tenant.sql("select casino.float_of(%s, %s) as id", tenant.ledger_id, tenant_id or tenant.tenant_id)
    return int(found[0]["id"])


def transfer(tenant: Tenant, wallets: tuple[int, int], amount: int, kinds: tuple[str, str], entry_id: str = "t") -> Row:
    return tenant.sql(TRANSFER, tenant.ledger_id, *wallets, entry_id, amount, *kinds)[0]


def test_a_float_is_opened_once_and_belongs_to_its_tenant(tenant: Tenant) -> None:
    below = tenant.add_tenant_below("AGENT")
    assert float_of(tenant, below) == float_of(tenant, below) != float_of(tenant)
    own = tenant.wallet(f"§tenant:{below}")
    assert (own["owner_kind"], own["tenant_id"], own["balance_minor"]) == ("tenant", below, 0)
    nobody = tenant.sql("select casino.float_of(%s, 'NOBODY') as id", tenant.ledger_id)
    assert nobody == [{"id": None}]


@pytest.mark.parametrize(
    ("kinds", "from_the_float", "event"),
    [
        (("deposit_out", "deposit_in"), True, "DEPOSIT"),
        (("withdraw_out", "withdraw_in"), False, "WITHDRAW"),
        (("cashout_out", "cashout_in"), False, "CASHOUT"),
    ],
)
def test_money_between_a_float_and_a_player_is_told_once_of_the_player(
    tenant: Tenant, kinds: tuple[str, str], from_the_float: bool, event: str
) -> None:
    own, player = float_of(tenant), int(tenant.wallet("1")["wallet_id"])
    tenant.sql(MOVE, tenant.ledger_id, own, "loan", 1_000)
    before = len(tenant.rows("ledger_events"))
    wallets = (own, player) if from_the_float else (player, own)
    assert transfer(tenant, wallets, 300, kinds)["o_code"] is None
    sign = 1 if from_the_float else -1
    assert tenant.balance("1") == OPENING_BALANCE_MINOR + sign * 300
    assert tenant.balance(f"§tenant:{tenant.tenant_id}") == 1_000 - sign * 300
    (told,) = sorted(tenant.rows("ledger_events"), key=lambda row: str(row["at"]))[before:]
    assert (told["event_type"], told["player_id"], told["amount_minor"]) == (event, "1", 300)
    assert (told["agent_id"], told["cashier_id"]) == ("AGENT", "staff-1")
    (_, noted) = sorted(tenant.rows("float_entries"), key=lambda row: int(row["sequence_no"]))
    assert (noted["wallet_id"], noted["counterparty"], noted["actor_id"], noted["reference"]) == (
        own, "1", "staff-1", "t",
    )  # fmt: skip
    assert tenant.differences() == []


def test_money_between_two_floats_is_told_nobody_and_stands_in_both_statements(tenant: Tenant) -> None:
    below = tenant.add_tenant_below("AGENT")
    wallets = (float_of(tenant), float_of(tenant, below))
    tenant.sql(MOVE, tenant.ledger_id, wallets[0], "loan", 1_000)
    before = len(tenant.rows("ledger_events"))
    moved = transfer(tenant, wallets, 1_000, ("fund_out", "fund_in"))
    assert (moved["o_from_balance_minor"], moved["o_to_balance_minor"]) == (0, 1_000)
    assert transfer(tenant, wallets, 1_000, ("fund_out", "fund_in"))["o_replay"] is True
    assert transfer(tenant, wallets, 1_000, ("return_out", "return_in"))["o_code"] == "idempotency_mismatch"
    assert transfer(tenant, wallets, 1, ("fund_out", "fund_in"), "u")["o_code"] == "insufficient_balance"
    assert len(tenant.rows("ledger_events")) == before
    noted = {(row["tenant_id"], row["counterparty"]) for row in tenant.rows("float_entries")}
    assert noted == {(tenant.tenant_id, "house_cash"), (tenant.tenant_id, below), (below, tenant.tenant_id)}
    assert tenant.differences() == []
