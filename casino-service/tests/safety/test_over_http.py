"""What pages ask of the player's safety, and the register that staff read: every name in an answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from casino.api.types import instant
from casino_testing.api import Api, refused
from casino_testing.risk import Player, play_to_stop
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet, new_id

EVENT = {"gameKey": "neon-slot", "eventType": "SPIN"}
NUDGED = {
    "actionType": "NUDGE",
    "message": "Quick check-in: your pace/bets changed a lot in the last few minutes. Want to take a short break?",
}
COOLED_DOWN = {
    "actionType": "COOLDOWN",
    "cooldownSeconds": 90,
    "message": "Let’s pause for 90s. Your balance and session will still be here.",
}
STOPPED = {"actionType": "STOP", "message": "Let’s stop here for today. Your balance is safe."}
CALM = {"score": 0, "band": "CALM", "reasons": []}


@pytest.fixture
def player(api: Api, tenant: Tenant, connect_wallet: Any) -> Player:
    """A player who plays while the clock stands still at the present."""
    wallet: Wallet = connect_wallet()
    return Player(tenant, wallet, datetime.now(UTC))


play = asyncio.to_thread
"""Runs what drives the wallet, which has an event loop of its own."""


async def ask(api: Api, player: Player, *, session: Any = None, body: Any = None) -> Any:
    """What the page is told."""
    named = str(player.play_session_id) if session is None else session
    headers = {} if named == "" else {"x-session-id": named}
    token = api.player_token(player.player_id)
    return await api.post("/safety/event", EVENT if body is None else body, token=token, headers=headers)


async def test_a_nudge_as_the_seed_has_it(api: Api, player: Player) -> None:
    answer = await ask(api, player)
    assert answer.json() == {"ok": True, "risk": CALM, "action": None}
    await play(player.spins, [1_000, 2_000, 3_000, 4_000], paid=9_000)
    risk = {"score": 35, "band": "ELEVATED", "reasons": ["BET_ACCEL"]}
    answer = await ask(api, player)
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "risk": risk, "action": NUDGED})
    assert (await ask(api, player)).json() == {"ok": True, "risk": risk, "action": None}, "it is shown once"


async def test_a_cooldown_as_the_seed_has_it(api: Api, player: Player) -> None:
    await play(player.spins, [1_000] * 12)
    risk = {"score": 60, "band": "TILT_RISK", "reasons": ["LOSS_STREAK", "SPIN_RATE"]}
    answer = await ask(api, player)
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "risk": risk, "action": COOLED_DOWN})
    assert list(answer.json()["action"]) == ["actionType", "cooldownSeconds", "message"]
    state = (await api.get("/player/me", token=api.player_token(player.player_id))).json()["state"]
    (wallet,) = [row for row in api.tenant.rows("wallets") if row["player_id"] == player.player_id]
    assert state["messages"] == [
        {
            "code": "COOLDOWN_ACTIVE",
            "message": "You are taking a break from play.",
            "until": instant(wallet["cooldown_until"]),
        }
    ]


async def test_a_stop_and_then_what_was_not_shown_before(api: Api, player: Player) -> None:
    await play(play_to_stop, player)
    shown = [(await ask(api, player)).json()["action"] for _ in range(4)]
    assert shown[0] == STOPPED
    assert shown[-1] is None
    assert len(player.types()) == len([each for each in shown if each is not None])
    state = (await api.get("/player/me", token=api.player_token(player.player_id))).json()["state"]
    (row,) = api.tenant.sql(
        "select casino.play_session_end(play) as ends_at from casino.play_sessions as play where play_session_id = %s",
        player.play_session_id,
    )
    stopped = {"code": "SAFETY_STOP", "message": STOPPED["message"], "until": instant(row["ends_at"])}
    assert state["messages"] == [stopped]
    api.tenant.set_wallet(player.player_id, cooldown_until="2300-01-01")
    state = (await api.get("/player/me", token=api.player_token(player.player_id))).json()["state"]
    assert state["messages"] == [stopped], "a break inside a stop is not told"


async def test_an_action_that_is_due_when_the_page_asks_is_taken_then(api: Api, player: Player) -> None:
    await play(player.spins, [1_000, 2_000, 3_000, 4_000], paid=9_000)
    assert (await ask(api, player)).json()["action"] == NUDGED
    api.tenant.sql(
        "update casino.safety_actions set at = at - interval '5 minutes' where player_id = %s", player.player_id
    )
    assert (await ask(api, player)).json()["action"] == NUDGED
    assert player.types() == ["NUDGE"] * 2


async def test_the_session_is_the_players_own_and_running(api: Api, player: Player, tenant: Tenant) -> None:
    other = await play(Player, tenant, player.wallet, player.now)
    refused(await ask(api, player, session=""), 400, "SESSION_REQUIRED")
    for session in (str(other.play_session_id), "nonsense", "00000000-0000-0000-0000-000000000000"):
        refused(await ask(api, player, session=session), 404, "NOT_FOUND")
    own = player.play_session_id
    for spelling in (str(own).upper(), own.hex, f"{{{own}}}", f"urn:uuid:{own}"):
        refused(await ask(api, player, session=spelling), 404, "NOT_FOUND")
    token = f"Bearer {api.player_token(player.player_id)}"
    twice = [("x-session-id", str(own))] * 2 + [("authorization", token)]
    for path, body in (("event", EVENT), ("loss-limit", {"lossLimitCents": 1})):
        answer = await api.service.anybody.post(f"/api/v1/safety/{path}", json=body, headers=twice)
        refused(answer, 400, "INVALID_FIELD", "x-session-id")
    tenant.sql("update casino.play_sessions set ended_at = casino.clock() where play_session_id = %s", own)
    refused(await ask(api, player, session=str(own)), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"gameKey": "x", "eventType": "WIN"}, "eventType"),
        ({"gameKey": "x"}, "eventType"),
        ({"eventType": "SPIN"}, "gameKey"),
        ({"gameKey": "", "eventType": "SPIN"}, "gameKey"),
    ],
)
async def test_a_bad_event_is_refused(api: Api, player: Player, body: dict[str, str], field: str) -> None:
    refused(await ask(api, player, body=body), 400, "INVALID_FIELD", field)


async def test_an_idempotency_key_is_not_heeded(api: Api, player: Player) -> None:
    headers = {"x-session-id": str(player.play_session_id), "idempotency-key": "k"}
    token = api.player_token(player.player_id)
    for _ in range(2):
        answer = await api.post("/safety/event", EVENT, token=token, headers=headers)
        assert (answer.status_code, "idempotent-replay" in answer.headers) == (200, False)
    refused(await api.post("/safety/event", EVENT, token=api.owner().token), 401, "TOKEN_INVALID")


async def test_the_register_of_actions(api: Api, player: Player) -> None:
    other = await play(Player, api.tenant, player.wallet, player.now)
    await play(other.spins, [1_000, 2_000, 3_000, 4_000], paid=9_000)
    await play(player.spins, [1_000] * 12)
    reader = api.staff("operator", api.tenant.tenant_id)
    answer = await api.get("/admin/safety/actions", params={"playerId": player.player_id}, token=reader.token)
    (item,) = answer.json()["items"]
    assert set(item) == {"actionId", "at", "playerId", "sessionId", "actionType", "score", "reasons", "evidence"}
    assert (item["playerId"], item["sessionId"]) == (player.player_id, str(player.play_session_id))
    assert (item["actionType"], item["score"], item["reasons"]) == ("COOLDOWN", 60, ["LOSS_STREAK", "SPIN_RATE"])
    assert item["evidence"]["losingSpins"] == 12
    pages = []
    cursor: str | None = None
    for _ in range(2):
        params = {"limit": "1"} | ({} if cursor is None else {"cursor": cursor})
        content = (await api.get("/admin/safety/actions", params=params, token=reader.token)).json()
        pages += [each["playerId"] for each in content["items"]]
        cursor = content["nextCursor"]
    assert (pages, cursor) == ([player.player_id, other.player_id], None)
    shown = (await api.get(f"/admin/players/{player.player_id}", token=reader.token)).json()["player"]
    assert shown["safetyActions"] == [item]
    exported = (await api.get("/player/export", token=api.player_token(player.player_id))).json()["export"]
    assert [each["type"] for each in exported["safetyActions"]] == ["COOLDOWN"]


async def test_stops_by_loss_limits_leave_other_actions_in_sight(api: Api, tenant: Tenant) -> None:
    tenant.open_player("stubborn")
    for reason, first, count in (("LOSS_LIMIT", 1, 60), ("SPIN_RATE", 0, 1), ("LOSS_STREAK", -100, 60)):
        tenant.sql(
            "insert into casino.safety_actions (ledger_id, tenant_id, player_id, wallet_id, at, action_type, score,"
            " band, reasons, evidence) select ledger_id, tenant_id, player_id, wallet_id,"
            " timestamptz '2026-03-01' + (%s + place) * interval '1 second', 'STOP', 80, 'STOP', array[%s], '{}'"
            " from casino.wallets cross join generate_series(1, %s) as place where ledger_id = %s and player_id = %s",
            first, reason, count, tenant.ledger_id, "stubborn",
        )  # fmt: skip
    owner = api.owner()
    shown = (await api.get("/admin/players/stubborn", token=owner.token)).json()["player"]["safetyActions"]
    reasons = [each["reasons"] for each in shown]
    assert reasons == [["LOSS_LIMIT"]] * 10 + [["SPIN_RATE"]] + [["LOSS_STREAK"]] * 39
    assert [each["at"] for each in shown] == sorted((each["at"] for each in shown), reverse=True)
    listed = (await api.get("/admin/players", token=owner.token)).json()["items"]
    (actions,) = [each["safetyActions"] for each in listed if each["playerId"] == "stubborn"]
    assert [each["reasons"][0] for each in actions] == ["LOSS_LIMIT", "SPIN_RATE", *["LOSS_STREAK"] * 3]


async def test_the_summary_has_every_local_day(api: Api, player: Player, tenant: Tenant) -> None:
    tenant.set_tenant(timezone="America/New_York")
    reader = api.staff("auditor", tenant.tenant_id)
    await play(player.spins, [1_000] * 12)
    tenant.set_session(player.session().session_id, loss_limit_minor=1)
    player.tenant.set_wallet(player.player_id, cooldown_until=None)
    for _ in range(2):
        await play(player.wallet.refuse, player.session().debit(round_id=new_id("over")))
    for at, columns in (("2026-03-08 04:59:59+00", "NUDGE"), ("2026-03-08 05:00:00+00", "NUDGE")):
        tenant.sql(
            "insert into casino.safety_actions (ledger_id, tenant_id, player_id, wallet_id, at, action_type, score,"
            " band, reasons, evidence) select ledger_id, tenant_id, player_id, wallet_id, %s, %s, 35, 'ELEVATED',"
            " '{BET_ACCEL,GAME_HOP}', '{}' from casino.wallets where ledger_id = %s and player_id = %s",
            at, columns, tenant.ledger_id, player.player_id,
        )  # fmt: skip
    params = {"from": "2026-03-07", "to": "2026-03-09"}
    answer = await api.get("/admin/safety/summary", params=params, token=reader.token)
    assert answer.json() == {
        "ok": True,
        "actionsOverTime": [
            {"t": "2026-03-07T00:00:00-05:00", "count": 1},
            {"t": "2026-03-08T00:00:00-05:00", "count": 1},
            {"t": "2026-03-09T00:00:00-04:00", "count": 0},
        ],
        "actionsByType": [{"actionType": "NUDGE", "count": 2}],
        "actionsByReason": [{"reason": "BET_ACCEL", "count": 2}, {"reason": "GAME_HOP", "count": 2}],
        "uniquePlayersAffected": 1,
        "sessionsAffected": 0,
        "lossLimitStops": 0,
    }
    content = (await api.get("/admin/safety/summary", token=reader.token)).json()
    assert len(content["actionsOverTime"]) == 30
    assert content["actionsByType"] == [{"actionType": "STOP", "count": 2}, {"actionType": "COOLDOWN", "count": 1}]
    assert content["actionsByReason"][0] == {"reason": "LOSS_LIMIT", "count": 2}
    assert (content["uniquePlayersAffected"], content["sessionsAffected"], content["lossLimitStops"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"from": "2026-01-02", "to": "2026-01-01"}, "from"),
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"from": "1900-01-01", "to": "2026-01-01"}, "from"),
        ({"to": "0001-01-01"}, "from"),
    ],
)
async def test_a_bad_range_is_refused(api: Api, params: dict[str, str], field: str) -> None:
    answer = await api.get("/admin/safety/summary", params=params, token=api.owner().token)
    refused(answer, 400, "INVALID_FIELD", field)


async def test_a_range_of_instants_excludes_its_end(api: Api, player: Player) -> None:
    await play(player.spins, [1_000] * 12)
    (action,) = player.actions()
    owner, at = api.owner(), action["at"]
    for end, count in ((at, 0), (at + timedelta(milliseconds=1), 1)):
        params = {"from": at.isoformat(), "to": end.isoformat()}
        if count == 0:
            params["from"] = (at - timedelta(hours=1)).isoformat()
        content = (await api.get("/admin/safety/summary", params=params, token=owner.token)).json()
        assert sum(each["count"] for each in content["actionsOverTime"]) == count


async def test_the_register_says_who_set_each_limit_and_exclusion_when(api: Api, tenant: Tenant) -> None:
    tenant.open_player("careful")
    own, agent = api.player_token("careful"), api.staff("operator", tenant.tenant_id)
    path = "/player/limits"
    first = {"kind": "loss", "period": "day", "value": 500}
    for body in (first, {**first, "value": 400}, {**first, "value": 900}):
        assert (await api.post(path, body, token=own)).status_code == 201
    lowered = {**first, "value": 300, "reason": "asked on the phone"}
    assert (await api.post("/admin/players/careful/limits", lowered, token=agent.token)).status_code == 201
    await api.post("/player/exclude", {"period": "P7D"}, token=own)
    body = {"period": "PERMANENT", "reason": "a court's order"}
    await api.post("/admin/players/careful/exclude", body, token=agent.token)

    owner = api.owner()
    answer = await api.get("/admin/safety/limits", params={"playerId": "careful"}, token=owner.token)
    items = answer.json()["items"]
    by_player, by_staff = {"kind": "player", "id": "careful"}, {"kind": "staff", "id": agent.staff_id}
    assert [(each["value"], each["status"], each["madeBy"]) for each in items] == [
        (300, "ACTIVE", by_staff),
        *((value, "REPLACED", by_player) for value in (900, 400, 500)),
    ]  # fmt: skip
    assert [each["replacedAt"] is None for each in items] == [True, False, False, False]
    assert [each["reason"] for each in items] == ["asked on the phone", None, None, None]
    assert {each["confirmedAt"] for each in items} == {None}
    assert set(items[0]) == {
        *("limitId", "tenantId", "playerId", "kind", "period", "value", "status", "effectiveAt"),
        *("madeBy", "madeAt", "confirmedAt", "replacedAt", "sessionId", "reason"),
    }
    exclusions = (await api.get("/admin/safety/exclusions", token=owner.token)).json()["items"]
    assert [(each["until"], each["reason"], each["madeBy"]) for each in exclusions] == [
        (None, "a court's order", by_staff), (exclusions[1]["until"], None, by_player),
    ]  # fmt: skip


async def test_one_exclusion_is_in_force_and_the_audit_trail_says_which_was(api: Api, tenant: Tenant) -> None:
    """Red before: a wish without an effect looked like the newest exclusion in force."""
    tenant.open_player("careful")
    own, owner = api.player_token("careful"), api.owner()
    untils = []
    wishes = (("P7D", 201), ("P1M", 201), ("P1M", 200), ("P7D", 200), ("PERMANENT", 201), ("PERMANENT", 200))
    for period, status in wishes:
        answer = await api.post("/player/exclude", {"period": period}, token=own)
        assert answer.status_code == status, answer.text
        untils.append(answer.json()["exclusion"]["until"])
        items = (await api.get("/admin/safety/exclusions", token=owner.token)).json()["items"]
        assert [each["until"] for each in items if each["isInForce"]] == untils[-1:]
    assert [(each["period"], each["isInForce"]) for each in items] == [
        ("PERMANENT", False), ("PERMANENT", True), ("P7D", False), ("P1M", False), ("P1M", False), ("P7D", False),
    ]  # fmt: skip
    assert set(items[0]) == {
        *("exclusionId", "tenantId", "playerId", "period", "until", "isInForce", "reason", "madeBy", "madeAt"),
    }
    trail = sorted(tenant.rows("audit_trail"), key=lambda row: row["audit_id"])
    befores = [row["before"] for row in trail if row["action"] == "player.excluded"]
    assert befores == [None, *({"until": until} for until in untils[:-1])]
    tenant.set_wallet("careful", excluded_until=datetime.now(UTC))
    items = (await api.get("/admin/safety/exclusions", token=owner.token)).json()["items"]
    assert not any(each["isInForce"] for each in items)


async def test_a_confirmed_limit_says_when_it_was_confirmed_and_what_it_replaced(api: Api, tenant: Tenant) -> None:
    tenant.open_player("careful")
    own = api.player_token("careful")
    body = {"kind": "loss", "period": "day", "value": 500}
    await api.post("/player/limits", body, token=own)
    wish = (await api.post("/player/limits", {**body, "value": 900}, token=own)).json()["limit"]
    tenant.sql(
        "update casino.player_limits set effective_at = effective_at - interval '1 day' where limit_id = %s",
        wish["limitId"],
    )
    state = (await api.get("/player/me", token=own)).json()["state"]
    assert [each["code"] for each in state["messages"]] == ["LIMIT_TO_CONFIRM"]
    assert (await api.post(f"/player/limits/{wish['limitId']}/confirm", token=own)).status_code == 200
    items = (await api.get("/admin/safety/limits", token=api.owner().token)).json()["items"]
    assert [(each["value"], each["confirmedAt"] is None, each["replacedAt"] is None) for each in items] == [
        (900, False, True), (500, True, False),
    ]  # fmt: skip


async def test_the_state_tells_of_an_exclusion_a_bonus_and_a_reality_check(api: Api, tenant: Tenant) -> None:
    tenant.open_player("busy")
    own = api.player_token("busy")
    assert (await api.get("/player/me", token=own)).json()["state"]["messages"] == []
    tenant.sql("select casino.begin_play_session(%s, 'busy')", tenant.ledger_id)
    tenant.sql("update casino.play_sessions set check_due_at = casino.clock() where player_id = 'busy'")
    tenant.set_wallet("busy", bonus_ack_required=True, excluded_until="infinity")
    state = (await api.get("/player/me", token=own)).json()["state"]
    assert [each["code"] for each in state["messages"]] == ["EXCLUDED", "BONUS_ACK_REQUIRED", "REALITY_CHECK_DUE"]
    assert all(each["message"] for each in state["messages"])
    assert [each["until"] for each in state["messages"]] == [None] * 3, "for good"
    assert state["exclusion"] == {"until": None}
    tenant.set_wallet("busy", excluded_until="2300-01-01T00:00:00Z")
    state = (await api.get("/player/me", token=own)).json()["state"]
    assert state["messages"][0]["until"] == "2300-01-01T00:00:00.000Z"
    assert state["exclusion"] == {"until": "2300-01-01T00:00:00.000Z"}
    tenant.set_wallet("busy", excluded_until="2020-01-01T00:00:00Z")
    assert (await api.get("/player/me", token=own)).json()["state"]["exclusion"] is None


async def test_the_state_tells_of_a_frozen_account_and_of_a_stop(api: Api, tenant: Tenant) -> None:
    tenant.open_player("cold")
    own, operator = api.player_token("cold"), api.staff("operator", tenant.tenant_id)
    stop = {"scope": "game", "id": "SLOTS_001", "reason": "only this game"}
    assert (await api.post("/admin/stops", stop, token=operator.token)).status_code == 201
    assert (await api.get("/player/me", token=own)).json()["state"]["messages"] == [], "the games tell of it"
    for scope in ({"scope": "player", "id": "cold"}, {"scope": "all"}):
        body = {**scope, "reason": "Back at noon"}
        made = (await api.post("/admin/stops", body, token=operator.token)).json()["stop"]
        state = (await api.get("/player/me", token=own)).json()["state"]
        assert state["messages"] == [{"code": "PLAY_STOPPED", "message": "Back at noon", "until": None}]
        await api.call("DELETE", f"/admin/stops/{made['stopId']}", token=operator.token)
    assert (
        await api.post("/admin/players/cold/freeze", {"reason": "a check"}, token=operator.token)
    ).status_code == 200
    tenant.set_tenant(status="SUSPENDED")
    state = (await api.get("/player/me", token=own)).json()["state"]
    assert [(each["code"], each["message"]) for each in state["messages"]] == [
        ("FROZEN", "Your account is frozen. Please ask your agent."),
        ("PLAY_STOPPED", "Play is stopped for now."),
    ]
