"""The bonus over HTTP, from a voucher that is sold to the bet after the acknowledgement: every name in an answer."""

from __future__ import annotations

from typing import Any

import pytest

from casino_testing.api import Api, Tree, refused
from casino_testing.edge import bet, payout

AMOUNT_MINOR, BONUS_MINOR = 10_000, 5_000


@pytest.fixture
async def tree(api: Api) -> Tree:
    """A tree with games, whose agent has money."""
    tree = await api.funded_tree(float_minor=100_000)
    api.tenant.sql(
        "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
        " select %s, game_id, game_code, display_name, stake_min_minor, stake_max_minor from casino.games"
        " where tenant_id = %s",
        tree.distributor_id, api.tenant.tenant_id,
    )  # fmt: skip
    api.tenant.sql("update casino.tenants set region = 'NV' where tenant_id = %s", tree.operator_id)
    return tree


@pytest.fixture
async def player(api: Api, tree: Tree) -> dict[str, Any]:
    """A player who redeemed a voucher with a bonus, and the player's token."""
    vouchers = f"/voucher/agents/{tree.agent_id}/vouchers"
    voucher = (await api.post(vouchers, {"amountMinor": AMOUNT_MINOR}, token=tree.cashier.token)).json()["voucher"]
    redeemed = await api.post("/voucher/redeem", {"code": voucher["code"], "pin": voucher["pin"]})
    assert redeemed.status_code == 201, redeemed.text
    return {**redeemed.json()["player"], "token": redeemed.json()["token"]}


async def state_of(api: Api, player: dict[str, Any]) -> tuple[int, int, bool]:
    state = (await api.get("/player/me", token=player["token"])).json()["state"]
    return state["balanceMinor"], state["bonusPendingMinor"], state["bonusAckRequired"]


async def test_a_bonus_from_the_voucher_to_the_bet_after_its_acknowledgement(
    api: Api, tree: Tree, player: dict[str, Any]
) -> None:
    assert await state_of(api, player) == (AMOUNT_MINOR, BONUS_MINOR, False)
    session, user = await api.service.launch(player["playerId"]), {"userId": player["playerId"]}
    placed = bet(session, amount=AMOUNT_MINOR, **user)
    assert (await api.service.post("debit", placed)).json()["balance"] == "0"
    lost = payout(session, placed["transactionId"], **{"amount": 0, "roundId": placed["roundId"], **user})
    answered = await api.service.post("credit", lost)
    assert answered.json()["balance"] == str(BONUS_MINOR)
    assert await state_of(api, player) == (BONUS_MINOR, 0, True)

    too_early = bet(session, roundId="next", **user)
    refusal = await api.service.post("debit", too_early)
    content = refusal.json()
    assert (refusal.status_code, content["code"]) == (403, "bonus_ack_required")
    assert content["playerMessage"] == "You were granted a bonus. Please confirm it to go on."
    for _ in range(2):
        acknowledged = await api.post("/player/bonus/ack", token=player["token"])
        assert (acknowledged.status_code, acknowledged.json()) == (200, {"ok": True})
    assert (await api.service.post("debit", too_early)).json() == content, "it is remembered"
    assert (await api.service.post("debit", bet(session, roundId="next", **user))).status_code == 200
    again = await api.service.post("credit", lost)
    assert (again.content, again.headers["idempotent-replay"]) == (answered.content, "true")

    feed = (await api.service.get("/casino/transactions")).json()["transactions"]
    assert [(row["type"], row["balanceAfter"]) for row in feed[:2]] == [("debit", "0"), ("credit", "0")]


async def test_every_event_of_the_player_says_who_sold_the_voucher_and_where(
    api: Api, tree: Tree, player: dict[str, Any]
) -> None:
    session, user = await api.service.launch(player["playerId"]), {"userId": player["playerId"]}
    placed = bet(session, amount=AMOUNT_MINOR, **user)
    await api.service.post("debit", placed)
    await api.service.post(
        "credit", payout(session, placed["transactionId"], amount=0, roundId=placed["roundId"], **user)
    )
    await api.service.post("debit", bet(session, roundId="next", **user))
    told = [row for row in api.tenant.rows("ledger_events") if row["player_id"] == player["playerId"]]
    kinds = {"VOUCHER_REDEEMED", "BET", "WIN", "BONUS_GRANTED", "ERROR"}
    assert kinds <= {row["event_type"] for row in told}
    assert {(row["region"], row["agent_id"], row["cashier_id"]) for row in told if row["event_type"] in kinds} == {
        ("NV", tree.agent_id, tree.cashier.staff_id)
    }
    (granted,) = [row for row in told if row["event_type"] == "BONUS_GRANTED"]
    assert (granted["game_key"], granted["provider_id"]) == ("SLOTS_001", "main")
    assert (granted["round_id"], granted["amount_minor"]) == (placed["roundId"], BONUS_MINOR)


async def test_a_bonus_that_staff_forfeit_returns_to_the_agent(api: Api, tree: Tree, player: dict[str, Any]) -> None:
    before = api.tenant.balance(f"§tenant:{tree.agent_id}")
    path = f"/admin/players/{player['playerId']}/bonus/forfeit"
    answer = await api.post(path, {"reason": "a mistake"}, token=tree.operator.token)
    assert answer.json()["forfeitedBonusMinor"] == BONUS_MINOR, answer.text
    assert api.tenant.balance(f"§tenant:{tree.agent_id}") == before + BONUS_MINOR
    assert await state_of(api, player) == (AMOUNT_MINOR, 0, False)
    refused(await api.post(path, {"reason": "again"}, token=tree.operator.token), 409, "BONUS_NOT_PENDING")
