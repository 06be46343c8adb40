"""Tenants in SQL: who makes and changes them, what they inherit, when they close, and what moves between floats."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from casino_testing.agent import FUNDS_MINOR, Agent
from casino_testing.service import settings_of
from casino_testing.tenant import Row, Tenant
from casino_testing.wallet import Wallet

CREATE = "select * from casino.create_tenant(%s, %s, %s, %s, 'A name', %s)"
CHANGE = "select casino.change_tenant(%s, %s, %s) as o_code"
FUND = "select * from casino.fund_tenant(%s, %s, %s, %s, %s, 'why', 'a request', 'staff-1')"
ROUNDS = 10


def change(agent: Agent, tenant_id: str | None = None, *, sees: str | None = None, **changes: Any) -> str | None:
    parameters = [agent.tenant.ledger_id, tenant_id or agent.agent_id, Jsonb(changes)]
    code: str | None = agent.act(CHANGE, parameters, sees=sees or agent.tenant.tenant_id)["o_code"]
    return code


def fund(agent: Agent, amount: int, *, back: bool = False, to: str | None = None, sees: str | None = None) -> Row:
    fund.count = getattr(fund, "count", 0) + 1  # type: ignore[attr-defined]
    transfer_id = f"transfer-{fund.count}"  # type: ignore[attr-defined]
    parameters = [agent.tenant.ledger_id, to or agent.agent_id, back, amount, transfer_id]
    return agent.act(FUND, parameters, sees=sees or agent.tenant.tenant_id)


def create(agent: Agent, name: str, parent: str | None, kind: str, currency: str | None = None) -> tuple[Any, Any]:
    parameters = [agent.tenant.ledger_id, name, parent, kind, currency]
    row = agent.act(CREATE, parameters, sees=agent.tenant.tenant_id)
    return row["o_code"], row["o_field"]


def test_a_tenant_begins_as_its_parent(tenant: Tenant) -> None:
    agent = Agent.below(tenant)
    tenant.set_tenant(currency="EUR", bonus_bp=1, timezone="Europe/Rome", region="IT", require_approval_above_minor=7)
    assert create(agent, f"{tenant.tenant_id}-new", tenant.tenant_id, "AGENT") == (None, None)
    (made,) = tenant.sql("select * from casino.tenants where tenant_id = %s", f"{tenant.tenant_id}-new")
    inherited = ("currency", "bonus_bp", "timezone", "region", "require_approval_above_minor", "is_open", "status")
    assert [made[name] for name in inherited] == ["EUR", 1, "Europe/Rome", "IT", 7, True, "ACTIVE"]
    assert tenant.balance(f"§tenant:{made['tenant_id']}") == 0


@pytest.mark.parametrize(
    ("parent", "kind", "currency", "refusal"),
    [
        ("own", "OPERATOR", None, ("INVALID_FIELD", "parentId")),
        ("own", "DISTRIBUTOR", None, ("INVALID_FIELD", "parentId")),
        ("own", "DEV", None, ("INVALID_FIELD", "parentId")),
        ("own", "AGENT", "EUR", ("INVALID_FIELD", "currency")),
        (None, "AGENT", None, ("INVALID_FIELD", "parentId")),
        (None, "OPERATOR", None, ("FORBIDDEN", None)),
        (None, "DISTRIBUTOR", None, ("FORBIDDEN", None)),
        ("nobody", "OPERATOR", None, ("NOT_FOUND", None)),
        ("JAQPOT", "AGENT", None, ("NOT_FOUND", None)),
    ],
)
def test_a_tenant_has_a_parent_that_fits(
    tenant: Tenant, parent: str | None, kind: str, currency: str | None, refusal: tuple[Any, Any]
) -> None:
    """The caller is an operator."""
    agent = Agent.below(tenant)
    parent = tenant.tenant_id if parent == "own" else parent
    code, field = create(agent, f"{tenant.tenant_id}-new", parent, kind, currency)
    assert (code, field if code == "INVALID_FIELD" else None) == refusal


def test_a_tenant_is_changed_by_those_above_it_alone(tenant: Tenant) -> None:
    agent, other = Agent.below(tenant), Agent.below(tenant)
    assert change(agent, bonus_bp=20_000, region="NV", require_approval_above_minor=None) is None
    assert change(agent, sees=agent.agent_id, bonus_bp=1) == "FORBIDDEN"
    assert change(agent, sees=other.agent_id, bonus_bp=1) == "NOT_FOUND"
    assert change(agent, tenant.tenant_id, bonus_bp=1) == "FORBIDDEN"
    (row,) = tenant.sql("select * from casino.tenants where tenant_id = %s", agent.agent_id)
    assert (row["bonus_bp"], row["region"], row["status"]) == (20_000, "NV", "ACTIVE")


def test_a_tenant_closes_when_nothing_is_left_and_stays_closed(tenant: Tenant) -> None:
    agent = Agent.below(tenant)
    (voucher, void) = agent.issue(2)
    assert change(agent, status="CLOSED") == "TENANT_NOT_EMPTY"
    assert agent.void(void) is None
    assert fund(agent, FUNDS_MINOR - 1_000, back=True)["o_balance_minor"] == 0
    assert change(agent, status="CLOSED") == "TENANT_NOT_EMPTY", "a voucher is NEW"
    assert agent.redeem(voucher, player_id="rich")["o_code"] is None
    assert change(agent, status="CLOSED") == "TENANT_NOT_EMPTY", "a player has money"
    tenant.sql(
        "select casino.move_house_money(%s, 'withdrawal', wallet_id, 'out', 1000, 'x', 'x') from casino.wallets"
        " where ledger_id = %s and player_id = 'rich'",
        tenant.ledger_id, tenant.ledger_id,
    )  # fmt: skip
    assert change(agent, status="CLOSED") is None
    assert change(agent, status="ACTIVE") == "TENANT_NOT_ACTIVE"
    assert fund(agent, 1)["o_code"] == "TENANT_NOT_ACTIVE"
    assert agent.ask()[0]["o_code"] == "INVALID_AGENT"


def test_money_goes_down_from_the_parent_and_back(tenant: Tenant) -> None:
    agent = Agent.below(tenant)
    assert fund(agent, 1)["o_code"] == "INSUFFICIENT_FUNDS", "the parent has nothing"
    back = fund(agent, 400, back=True)
    assert (back["o_balance_minor"], back["o_parent_balance_minor"]) == (FUNDS_MINOR - 400, 400)
    down = fund(agent, 300)
    assert (down["o_balance_minor"], down["o_parent_balance_minor"]) == (FUNDS_MINOR - 100, 100)
    assert fund(agent, 101)["o_code"] == "INSUFFICIENT_FUNDS"
    assert fund(agent, 1, sees=agent.agent_id)["o_code"] == "FORBIDDEN"
    assert fund(agent, 1, to=tenant.tenant_id)["o_code"] == "FORBIDDEN"
    noted = sorted(tenant.rows("float_entries"), key=lambda row: (str(row["at"]), int(row["sequence_no"])))
    assert {row["actor_id"] for row in noted[1:]} == {"staff-1"}
    assert tenant.differences() == []


def test_of_two_that_take_the_last_money_one_gets_it(tenant: Tenant) -> None:
    agent = Agent.below(tenant, funds_minor=1_000 * ROUNDS)
    codes: list[Any] = []

    def take(*, by_voucher: bool) -> None:
        codes.extend(
            agent.ask()[0]["o_code"] if by_voucher else fund(agent, 1_000, back=True)["o_code"] for _ in range(ROUNDS)
        )

    threads = [threading.Thread(target=take, kwargs={"by_voucher": each}) for each in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.count(None) == ROUNDS
    assert agent.balance() == 0
    assert tenant.differences() == []


def test_closing_and_funding_leave_no_money_in_a_closed_tenant(tenant: Tenant) -> None:
    agent = Agent.below(tenant)
    fund(agent, FUNDS_MINOR, back=True)
    for number in range(ROUNDS):
        name = f"{tenant.tenant_id}-{number}"
        assert create(agent, name, tenant.tenant_id, "AGENT") == (None, None)
        codes: dict[str, Any] = {}
        threads = [
            threading.Thread(target=lambda n=name, c=codes: c.update(close=change(agent, n, status="CLOSED"))),
            threading.Thread(target=lambda n=name, c=codes: c.update(fund=fund(agent, 1, to=n)["o_code"])),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes in ({"close": "TENANT_NOT_EMPTY", "fund": None}, {"close": None, "fund": "TENANT_NOT_ACTIVE"})
    assert tenant.differences() == []


def test_an_open_bet_keeps_a_tenant_open(tenant: Tenant) -> None:
    """Its player has nothing left, but may win."""
    agent = Agent.below(tenant)
    assert fund(agent, FUNDS_MINOR, back=True)["o_code"] is None
    (wallet,) = tenant.sql(
        "select casino.open_player(%s, 'gambler', 'x', 'USD', 1000, %s) as id", agent.agent_id, tenant.ledger_id
    )
    client = Wallet(tenant, settings_of(tenant))
    session = client.open_session("gambler")
    bet = client.bet(session)
    assert tenant.sql("select balance_minor from casino.wallets where wallet_id = %s", wallet["id"])[0] == {
        "balance_minor": 0
    }
    assert change(agent, status="CLOSED") == "TENANT_NOT_EMPTY"
    client.accept(session.credit(0, related_id=bet.transaction_id))
    assert change(agent, status="CLOSED") is None
    client.close()
