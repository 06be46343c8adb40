"""POST /safety/loss-limit, and what limits say to a spin: the seed's bodies, letter by letter."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from casino_testing.api import Api, refused
from casino_testing.edge import serving
from casino_testing.spinning import SpinningStudio
from casino_testing.tenant import Tenant
from casino_testing.wallet import new_id


@pytest.fixture
async def api(tenant: Tenant) -> AsyncIterator[Api]:
    studio = SpinningStudio()
    async with serving(tenant, provider=studio) as service:
        studio.service = service
        tenant.set_game(stake_min_minor=1)
        for player_id in ("1", "2"):
            tenant.sql("select casino.begin_play_session(%s, %s)", tenant.ledger_id, player_id)
        yield Api(service, tenant)


async def session_of(api: Api, player_id: str = "1") -> str:
    state = (await api.get("/player/me", token=api.player_token(player_id))).json()["state"]
    return str(state["sessionId"])


async def set_limit(api: Api, value: Any, *, session_id: str | None = None, **options: Any) -> httpx.Response:
    headers = {"x-session-id": session_id or await session_of(api), **options.pop("headers", {})}
    content = {"lossLimitCents": value}
    return await api.post("/safety/loss-limit", content, token=api.player_token("1"), headers=headers, **options)


async def spin(api: Api, stake: int = 1_000) -> httpx.Response:
    content = {"stakeMinor": stake, "gameCode": "SLOTS_001", "spinId": new_id("spin")}
    return await api.post("/bet/spin", content, token=api.player_token("1"))


async def test_the_seeds_example(api: Api) -> None:
    answer = await set_limit(api, 5_000)
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "lossLimitCents": 5_000, "locked": True})
    assert (await spin(api, 4_900)).status_code == 200
    answer = await spin(api, 100)
    refused(answer, 403, "LOSS_LIMIT_REACHED")
    content = answer.json()
    del content["requestId"]
    assert content == {
        "ok": False,
        "code": "LOSS_LIMIT_REACHED",
        "message": "Loss limit reached for this session.",
        "action": {"actionType": "STOP"},
    }
    assert (await spin(api, 99)).status_code == 200


async def test_it_is_lowered_and_locked(api: Api) -> None:
    assert [(await set_limit(api, value)).status_code for value in (5_000, 5_000, 0)] == [200] * 3
    refused(await set_limit(api, 1), 409, "LOSS_LIMIT_LOCKED")


async def test_a_session_must_be_named_and_be_ones_own(api: Api) -> None:
    path, content, token = "/safety/loss-limit", {"lossLimitCents": 5}, api.player_token("1")
    refused(await api.post(path, content, token=token), 400, "SESSION_REQUIRED")
    for named in (await session_of(api, "2"), str(uuid.uuid4()), "no id"):
        refused(await set_limit(api, 5, session_id=named), 404, "NOT_FOUND")


@pytest.mark.parametrize("value", [-1, 1.5, "5", None, True, 10**12 + 1])
async def test_a_limit_is_an_integer_of_0_or_more(api: Api, value: Any) -> None:
    refused(await set_limit(api, value), 400, "INVALID_FIELD", "lossLimitCents")


async def test_who_set_it_is_in_the_audit_trail(api: Api) -> None:
    await set_limit(api, 5_000)
    await set_limit(api, 3_000)
    session_id, owner = await session_of(api), api.owner()
    items = (await api.get("/admin/audit?action=player.limit_set", token=owner.token)).json()["items"]
    subject = {"sessionId": session_id, "kind": "loss", "period": "session"}
    assert [(item["actor"]["kind"], item["subject"], item["before"], item["after"]) for item in items[:2]] == [
        ("player", "1", {**subject, "value": 5_000}, {**subject, "value": 3_000}),
        ("player", "1", {**subject, "value": None}, {**subject, "value": 5_000}),
    ]


async def test_it_stands_in_the_register_and_among_the_players_limits(api: Api) -> None:
    """Red before: only the audit trail had it."""
    for value in (5_000, 5_000, 3_000):
        await set_limit(api, value)
    session_id, owner, own = await session_of(api), api.owner().token, api.player_token("1")
    shared = {"tenantId": api.tenant.tenant_id, "playerId": "1", "kind": "loss", "period": "session"}
    lowered, first = (await api.get("/admin/safety/limits", token=owner)).json()["items"]
    assert {**lowered, **shared, "value": 3_000, "status": "ACTIVE", "sessionId": session_id} == lowered
    assert {**first, **shared, "value": 5_000, "status": "REPLACED", "sessionId": session_id} == first
    assert lowered["madeBy"] == first["madeBy"] == {"kind": "player", "id": "1"}
    assert (first["replacedAt"], lowered["replacedAt"]) == (lowered["madeAt"], None)
    assert lowered["confirmedAt"] is None

    limits = (await api.get("/player/me", token=own)).json()["state"]["limits"]
    assert limits == [
        {
            "limitId": lowered["limitId"], "kind": "loss", "period": "session", "value": 3_000, "status": "ACTIVE",
            "effectiveAt": lowered["madeAt"], "sessionId": session_id,
        }
    ]  # fmt: skip
    assert (await api.get("/admin/players/1", token=owner)).json()["player"]["limits"] == limits
    exported = (await api.get("/player/export", token=own)).json()["export"]["limits"]
    assert [(item["period"], item["value"], item["status"], item["sessionId"]) for item in exported] == [
        ("session", 3_000, "ACTIVE", session_id), ("session", 5_000, "REPLACED", session_id),
    ]  # fmt: skip


async def test_it_ends_with_its_play_session_and_the_next_one_has_its_own(api: Api) -> None:
    await set_limit(api, 5_000)
    api.tenant.sql(
        "update casino.play_sessions set last_login_at = last_login_at - interval '6 hours' where player_id = '1'"
    )
    own, owner = api.player_token("1"), api.owner().token
    assert (await api.get("/player/me", token=own)).json()["state"]["limits"] == []
    api.tenant.sql("select casino.begin_play_session(%s, '1')", api.tenant.ledger_id)
    assert (await set_limit(api, 7_000)).status_code == 200
    items = (await api.get("/admin/safety/limits", token=owner)).json()["items"]
    assert [(item["value"], item["status"], item["replacedAt"]) for item in items] == [
        (7_000, "ACTIVE", None), (5_000, "ENDED", None),
    ]  # fmt: skip
    assert [limit["value"] for limit in (await api.get("/player/me", token=own)).json()["state"]["limits"]] == [7_000]


async def test_it_stands_in_no_order_with_limits_of_days_and_weeks(api: Api) -> None:
    await set_limit(api, 5_000)
    body = {"kind": "loss", "period": "week", "value": 9_000}
    for period, value in (("week", 9_000), ("month", 9_500), ("day", 100)):
        answer = await api.post(
            "/player/limits", {**body, "period": period, "value": value}, token=api.player_token("1")
        )
        assert answer.status_code == 201, answer.text


async def test_a_key_answers_it_again(api: Api) -> None:
    headers = {"idempotency-key": "one"}
    first, again = [await set_limit(api, 5_000, headers=headers) for _ in range(2)]
    assert (again.content, again.headers["idempotent-replay"]) == (first.content, "true")


async def test_a_limit_of_time_is_told_to_a_spin(api: Api) -> None:
    body = {"kind": "time", "period": "day", "value": 0}
    assert (await api.post("/player/limits", body, token=api.player_token("1"))).status_code == 201
    refused(await spin(api), 403, "TIME_LIMIT_REACHED")


async def test_a_limit_of_a_day_is_told_to_a_spin_as_that_of_a_session(api: Api) -> None:
    body = {"kind": "loss", "period": "day", "value": 1_000}
    assert (await api.post("/player/limits", body, token=api.player_token("1"))).status_code == 201
    assert (await spin(api, 999)).status_code == 200
    refused(await spin(api, 1), 403, "LOSS_LIMIT_REACHED")


async def test_whoever_is_excluded_while_playing_places_no_further_bet(api: Api) -> None:
    assert (await spin(api)).status_code == 200
    answer = await api.post("/player/exclude", {"period": "P7D"}, token=api.player_token("1"))
    assert answer.status_code == 201
    refused(await spin(api), 403, "PLAYER_NOT_ACTIVE")


async def test_spins_of_two_tabs_at_once_do_not_pass_it_together(api: Api) -> None:
    await set_limit(api, 5_000)
    answers = await asyncio.gather(*(spin(api, 700) for _ in range(16)))
    codes = [answer.status_code for answer in answers]
    assert codes.count(200) <= 7, "8 * 700 would reach 5,000"
    lost = sum(row["amount_minor"] for row in api.tenant.transactions() if row["state"] == "committed")
    assert lost < 5_000
