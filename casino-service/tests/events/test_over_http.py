"""Over HTTP: what a voucher, logins, bets and a fault tell, with the agent and the cashier of the voucher."""

from __future__ import annotations

from typing import Any

import pytest

from casino_testing.api import Api, Tree, api_of
from casino_testing.tenant import Tenant
from shared_service_testing.waiting import until

AMOUNT_MINOR = 20_000


def events_of(tenant: Tenant) -> list[dict[str, Any]]:
    return sorted(tenant.rows("ledger_events"), key=lambda row: (row["at"], str(row["event_type"])))


async def redeemed(api: Api, tree: Tree) -> dict[str, Any]:
    """What a voucher that the cashier issued gives its player."""
    chain = ((tree.distributor_id, tree.owner), (tree.operator_id, tree.distributor), (tree.agent_id, tree.operator))
    for tenant_id, member in chain:
        body = {"amountMinor": AMOUNT_MINOR * 2, "reason": "float"}
        assert (await api.post(f"/admin/tenants/{tenant_id}/fund", body, token=member.token)).status_code == 200
    path = f"/voucher/agents/{tree.agent_id}/vouchers"
    issued = await api.post(path, {"amountMinor": AMOUNT_MINOR}, token=tree.cashier.token)
    assert issued.status_code == 201, issued.text
    voucher = issued.json()["voucher"]
    answer = await api.post("/voucher/redeem", {"code": voucher["code"], "pin": voucher["pin"]})
    assert answer.status_code == 201, answer.text
    player: dict[str, Any] = answer.json()["player"]
    return player


async def test_a_voucher_and_its_players_logins_are_told(tenant: Tenant) -> None:
    async with api_of(tenant) as api:
        tree = api.tree()
        tenant.sql("update casino.tenants set region = 'coast' where tenant_id = %s", tree.operator_id)
        player = await redeemed(api, tree)
        login = await api.post("/player/login", {"loginCode": player["loginCode"], "pin": player["pin"]})
        assert login.status_code == 200, login.text
    told = [row for row in events_of(tenant) if row["player_id"] == player["playerId"]]
    assert sorted(row["event_type"] for row in told) == ["LOGIN", "LOGIN", "VOUCHER_REDEEMED"]
    assert {(row["tenant_id"], row["region"], row["agent_id"], row["cashier_id"]) for row in told} == {
        (tree.agent_id, "coast", tree.agent_id, tree.cashier.staff_id)
    }
    sessions = {row["session_id"] for row in told if row["event_type"] == "LOGIN"}
    assert sessions == {str(row["play_session_id"]) for row in tenant.rows("play_sessions")}
    assert tenant.differences() == []


async def test_a_wrong_pin_tells_of_no_login(tenant: Tenant) -> None:
    async with api_of(tenant) as api:
        player = await redeemed(api, api.tree())
        before = len(events_of(tenant))
        answer = await api.post("/player/login", {"loginCode": player["loginCode"], "pin": "000000"})
        assert answer.status_code == 401
        assert len(events_of(tenant)) == before


async def test_a_5xx_of_the_platform_is_told(own_database: str) -> None:
    demo = Tenant.demo(own_database)
    demo.sql("alter function casino.hold_login(integer, text, text, inet) rename to not_there")
    async with api_of(demo) as api:
        answer = await api.post("/player/login", {"loginCode": "ABCDEFGHJK", "pin": "000000"})
        assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
        await until(lambda: [row for row in events_of(demo) if row["event_type"] == "ERROR"])
    (error,) = [row for row in events_of(demo) if row["event_type"] == "ERROR"]
    assert (error["code"], error["route"], error["tenant_id"]) == ("INTERNAL", "/api/v1/player/login", "JAQPOT")
    demo.close()


@pytest.mark.parametrize("path", ["/health/ready", "/nowhere"])
async def test_other_answers_are_no_errors(tenant: Tenant, path: str) -> None:
    async with api_of(tenant) as api:
        await api.service.anybody.get(path)
        await api.post("/player/login", {"loginCode": "ABCDEFGHJK", "pin": "000000"})
    assert [row for row in events_of(tenant) if row["event_type"] == "ERROR"] == []
