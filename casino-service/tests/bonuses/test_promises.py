"""A bonus that is promised, forfeited and acknowledged."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from psycopg.errors import UniqueViolation

from casino_testing.bonuses import BONUS_MINOR, acknowledge, forfeit, pay_for, promise
from casino_testing.tenant import Row, Tenant
from shared_service_testing.waiting import wait_until


def wallet_id(tenant: Tenant, player_id: str = "1") -> int:
    return int(tenant.wallet(player_id)["wallet_id"])


def bonus(tenant: Tenant) -> Row:
    return tenant.rows("bonuses")[0]


@pytest.fixture
def float_id(tenant: Tenant) -> int:
    """The wallet of the tenant itself, which is the agent here."""
    return int(tenant.sql("select casino.float_of(%s, %s) as id", tenant.ledger_id, tenant.tenant_id)[0]["id"])


def test_a_promise_moves_no_money_and_stands_on_the_wallet(tenant: Tenant) -> None:
    pay_for(tenant, BONUS_MINOR)
    before = tenant.money_rows()
    promise(tenant, is_paid=True)
    assert tenant.money_rows() == before
    row = tenant.wallet()
    assert (row["pending_bonus_minor"], row["bonus_ack_required"]) == (BONUS_MINOR, False)
    promised = bonus(tenant)
    assert (promised["state"], promised["voucher_id"], promised["agent_tenant_id"]) == (
        "PENDING",
        "v-1",
        tenant.tenant_id,
    )


def test_a_player_has_one_pending_bonus_and_nothing_promises_nothing(tenant: Tenant) -> None:
    promise(tenant, amount=0)
    assert tenant.rows("bonuses") == []
    promise(tenant)
    with pytest.raises(UniqueViolation):
        promise(tenant, is_paid=True)


def test_a_forfeited_bonus_goes_to_the_float_of_the_agent_once(tenant: Tenant, float_id: int) -> None:
    promise(tenant)
    assert (forfeit(tenant), forfeit(tenant)) == (BONUS_MINOR, 0)
    float_wallet = tenant.wallet(f"§tenant:{tenant.tenant_id}")
    assert (float_wallet["balance_minor"], tenant.wallet()["pending_bonus_minor"]) == (BONUS_MINOR, 0)
    taken = bonus(tenant)
    assert (taken["state"], taken["reason"], taken["request_id"]) == ("FORFEITED", "a reason", "a request")
    posted = {(row["wallet_id"], row["account"]): row["amount_minor"] for row in tenant.rows("postings")}
    assert posted[float_id, "wallet"] == BONUS_MINOR
    assert posted[float_id, "bonus_liability"] == -BONUS_MINOR
    (noted,) = tenant.rows("float_entries")
    assert (noted["counterparty"], noted["actor_id"], noted["reference"]) == ("1", "s-1", "v-1")
    (told,) = [row for row in tenant.rows("ledger_events") if row["event_type"] == "BONUS_FORFEITED"]
    assert (told["amount_minor"], told["agent_id"], told["player_id"]) == (BONUS_MINOR, tenant.tenant_id, "1")


def test_without_a_pending_bonus_there_is_nothing_to_forfeit(tenant: Tenant) -> None:
    assert forfeit(tenant) == 0


def test_two_who_forfeit_at_once_pay_the_agent_once(tenant: Tenant, float_id: int) -> None:
    promise(tenant)
    amounts: list[Any] = []

    def take() -> None:
        with psycopg.connect(tenant.url) as connection:
            row = connection.execute(
                "select casino.forfeit_bonus(%s, %s, 'a reason', 'another')", [tenant.ledger_id, wallet_id(tenant)]
            ).fetchone()
            amounts.append(row and row[0])

    with psycopg.connect(tenant.url) as first:
        first.execute("select casino.hold_wallets(%s, %s)", [tenant.ledger_id, [wallet_id(tenant), float_id]])
        racers = [threading.Thread(target=take) for _ in range(2)]
        for racer in racers:
            racer.start()
        waiting = "select count(*) = 2 as are from pg_locks where locktype = 'advisory' and not granted"
        wait_until(lambda: tenant.sql(waiting)[0]["are"], "both wait for the wallets")
    for racer in racers:
        racer.join()
    assert sorted(amounts) == [0, BONUS_MINOR]


def test_an_acknowledgement_is_the_players_tenants(tenant: Tenant) -> None:
    assert not acknowledge(tenant)
    tenant.set_wallet(bonus_ack_required=True)
    assert not acknowledge(tenant, scope="JAQPOT")
    assert tenant.wallet()["bonus_ack_required"]
    assert acknowledge(tenant)
    assert not tenant.wallet()["bonus_ack_required"]
    assert not acknowledge(tenant)
