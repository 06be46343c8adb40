"""POST /api/v1/bet/spin: one bet and one answer for each id, whatever breaks between the casino and the studio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from casino.errors import ERRORS
from casino.play import serving
from casino_testing.api import Api, refused
from casino_testing.edge import serving as serving_of
from casino_testing.spinning import SpinningStudio
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from shared_service_testing.waiting import until

LATER = "2999-01-01"
COLUMNS = {
    "blocked_at": "wallet_blocked",
    "excluded_until": "player_excluded",
    "cooldown_until": "cooldown_active",
    "bonus_ack_required": "bonus_ack_required",
}
"""Columns of a wallet, and what the wire answers while they say so."""


@pytest.fixture
def studio() -> SpinningStudio:
    return SpinningStudio()


@pytest.fixture
async def api(tenant: Tenant, studio: SpinningStudio) -> AsyncIterator[Api]:
    async with serving_of(tenant, provider=studio) as service:
        studio.service = service
        yield Api(service, tenant)


async def spin(api: Api, spin_id: str | None = "spin", *, player_id: str = "1", **fields: Any) -> httpx.Response:
    content = {"stakeMinor": 1_000, "gameCode": "SLOTS_001", "spinId": spin_id, **fields.pop("content", {})}
    token = fields.pop("token", None) or api.player_token(player_id)
    content = {name: value for name, value in content.items() if value is not None}
    return await api.post("/bet/spin", content, token=token, **fields)


def bets(api: Api) -> list[dict[str, Any]]:
    return [row for row in api.tenant.transactions() if row["kind"] == "debit"]


async def test_a_spin_answers_its_outcome_and_the_same_again(api: Api, studio: SpinningStudio) -> None:
    studio.wins = [300]
    first = await spin(api)
    assert first.status_code == 200, first.text
    content = first.json()
    due_at = content["realityCheck"].pop("dueAt")
    assert due_at.endswith("Z")
    assert content == {
        "ok": True,
        "result": {
            "betId": bets(api)[0]["round_id"],
            "outcome": "WIN",
            "stakeMinor": 1_000,
            "winMinor": 300,
            "balanceMinor": OPENING_BALANCE_MINOR - 700,
            "bonusTriggered": False,
            "events": [{"type": "end", "win": 300}],
        },
        "realityCheck": {"elapsedSeconds": 0, "netMinor": -700},
    }
    other = (await spin(api, "other")).json()["result"]
    assert (other["outcome"], other["winMinor"], other["balanceMinor"]) == ("LOSS", 0, OPENING_BALANCE_MINOR - 1_700)
    assert (await spin(api)).json()["result"] == content["result"], "as it was, whatever has happened since"
    assert len(bets(api)) == len(studio.asked_spins) == 2


async def test_the_sessions_token_is_stored_nowhere_and_its_provider_joins_it_once(
    api: Api, studio: SpinningStudio
) -> None:
    await asyncio.gather(*(spin(api, f"spin-{number}") for number in range(2)))
    (token,) = {each["sessionToken"] for each in studio.asked_spins}
    assert len(bytes.fromhex(token)) == 32
    stored = " ".join(str(api.tenant.rows(table)) for table in ("spins", "spin_sessions", "game_sessions"))
    assert token not in stored
    launches = [each for each in studio.requests if each.url.path == "/provider/launch"]
    assert 1 <= len(launches) <= 2, "a repeated launch joins the same session"
    assert len(api.tenant.rows("game_sessions")) == 1


async def test_the_idempotency_key_is_the_id_of_a_body_without_one_and_nothing_else(
    api: Api, studio: SpinningStudio
) -> None:
    keyed = await spin(api, None, headers={"idempotency-key": "one"})
    assert (await spin(api, "one")).json()["result"] == keyed.json()["result"]
    other = await spin(api, "other", headers={"idempotency-key": "one"})
    assert other.json()["result"]["betId"] != keyed.json()["result"]["betId"]
    assert "idempotent-replay" not in other.headers
    assert (await spin(api, None)).status_code == 200, "an id of its own"
    assert len(studio.asked_spins) == 3
    refused(await spin(api, None, headers={"idempotency-key": "é".encode()}), 400, "INVALID_FIELD", "idempotency-key")


WRONG_BODIES: list[tuple[dict[str, Any], str, str]] = [
    ({"stakeMinor": None, "gameCode": None}, "INVALID_STAKE", "stakeMinor"),
    ({"stakeMinor": -1, "gameCode": 5, "spinId": 5}, "INVALID_STAKE", "stakeMinor"),
    *(({"stakeMinor": stake}, "INVALID_STAKE", "stakeMinor") for stake in (0, "1000", 1000.5, True, 10**13)),
    *(({"stakeMinor": stake}, "INVALID_STAKE", "stakeMinor") for stake in (1, 999, 100_001, 10**12)),
    *(({"gameCode": code}, "GAME_CODE_REQUIRED", "gameCode") for code in (None, "", 7, "x" * 129, "ü")),
    *(({"spinId": spin_id}, "INVALID_FIELD", "spinId") for spin_id in ("", 7, "x" * 129, "ü", "\n")),
]


async def test_what_is_wrong_with_a_body(api: Api) -> None:
    for content, code, field in WRONG_BODIES:
        refused(await spin(api, content=content), 400, code, field)
    assert api.tenant.rows("spins") == []


async def test_who_may_spin(api: Api) -> None:
    refused(await api.post("/bet/spin", {}), 401, "TOKEN_MISSING")
    refused(await api.post("/bet/spin", {}, token=api.owner().token), 401, "TOKEN_INVALID")


@pytest.mark.parametrize("change", [{"stakeMinor": 2_000}, {"gameCode": "CRASH_001"}])
async def test_another_stake_or_game_is_a_mismatch(api: Api, change: dict[str, Any]) -> None:
    await spin(api)
    refused(await spin(api, content=change), 409, "IDEMPOTENCY_MISMATCH")
    assert (await spin(api, player_id="2", content={"stakeMinor": 2_000})).status_code == 200, "another player's"


@pytest.mark.parametrize(
    ("column", "code"),
    [
        ("blocked_at", "PLAYER_NOT_ACTIVE"),
        ("excluded_until", "PLAYER_NOT_ACTIVE"),
        ("cooldown_until", "COOLDOWN_ACTIVE"),
        ("bonus_ack_required", "BONUS_ACK_REQUIRED"),
    ],
)
@pytest.mark.parametrize("when", ["before", "in between"])
async def test_a_refusal_with_403_is_for_ever(
    api: Api, studio: SpinningStudio, column: str, code: str, when: str
) -> None:
    async def refuse(_: Any = None) -> None:
        api.tenant.set_wallet(**{column: True if column == "bonus_ack_required" else LATER})

    if when == "before":
        await refuse()
    else:
        studio.before_bet = refuse
    first = await spin(api)
    refused(first, 403, code)
    told = ERRORS[COLUMNS[column]].extras["playerMessage"]
    assert first.json()["playerMessage"] == told
    assert (first.json()["message"] == told) == (column == "excluded_until")
    asked = len(studio.asked_spins)
    assert asked == (when == "in between")
    api.tenant.set_wallet(**{column: False if column == "bonus_ack_required" else None})
    again = await spin(api)
    refused(again, 403, code)
    assert again.json() | {"requestId": ""} == first.json() | {"requestId": ""}
    assert len(studio.asked_spins) == asked, "the casino knows it"
    studio.before_bet = None
    assert (await spin(api, "a new one")).status_code == 200


async def test_a_balance_that_is_too_low_is_402_for_ever(api: Api, studio: SpinningStudio) -> None:
    api.tenant.open_player("poor", balance_minor=500)
    refused(await spin(api, player_id="poor"), 402, "INSUFFICIENT_BALANCE")
    again = await spin(api, player_id="poor")
    refused(again, 402, "INSUFFICIENT_BALANCE")
    assert again.json()["playerMessage"] == "Your balance is too low for this bet."
    assert len(studio.asked_spins) == 1


async def test_a_loss_limit_is_the_seeds_body(api: Api, studio: SpinningStudio) -> None:
    studio.says = [(403, {"code": "limit_exceeded", "error": "x"}), (403, {"code": "session_time_limit", "error": "x"})]
    answer = await spin(api)
    refused(answer, 403, "LOSS_LIMIT_REACHED")
    assert answer.json()["message"] == "Loss limit reached for this session."
    assert answer.json()["action"] == {"actionType": "STOP"}
    assert "playerMessage" not in answer.json()
    answer = await spin(api, "other")
    refused(answer, 403, "TIME_LIMIT_REACHED")
    assert answer.json()["playerMessage"] == "You have reached your time limit."


async def test_a_stop_is_not_for_ever_and_says_its_reason(api: Api, studio: SpinningStudio) -> None:
    async def stop(_: Any = None) -> None:
        api.tenant.sql(
            "insert into casino.stops (ledger_id, tenant_id, scope, reason, made_by, made_at)"
            " values (%s, %s, 'all', 'We moved house', '1', now())",
            api.tenant.ledger_id,
            api.tenant.tenant_id,
        )

    await stop()
    answer = await spin(api)
    refused(answer, 423, "PLAY_STOPPED")
    assert answer.json()["message"] == "We moved house"
    assert answer.json()["playerMessage"] == "Play is stopped for now."
    api.tenant.sql("delete from casino.stops where ledger_id = %s", api.tenant.ledger_id)
    assert (await spin(api)).status_code == 200
    studio.says = [(423, {"code": "play_stopped", "error": "We moved on"})]
    answer = await spin(api, "other")
    refused(answer, 423, "PLAY_STOPPED")
    assert answer.json()["message"] == "We moved on"
    assert (await spin(api, "other")).status_code == 200
    refused_id, played_id = [each["spinId"] for each in studio.asked_spins[-2:]]
    assert refused_id != played_id, "the studio remembers what was refused"


async def test_games_that_cannot_be_spun(api: Api, studio: SpinningStudio) -> None:
    refused(await spin(api, content={"gameCode": "NOTHING"}), 404, "GAME_NOT_FOUND")
    studio.says = [(404, {"code": "game_not_found", "error": "x"})]
    refused(await spin(api, content={"gameCode": "CRASH_001"}), 404, "GAME_NOT_FOUND")
    api.tenant.set_game(disabled_at="2026-01-01")
    refused(await spin(api, "other"), 423, "GAME_DISABLED")


async def test_an_answer_that_was_lost_is_found_by_asking_again(api: Api, studio: SpinningStudio) -> None:
    studio.wins, studio.is_lost = [5_000], True
    refused(await spin(api), 502, "PROVIDER_UNREACHABLE")
    assert (await spin(api)).json()["result"]["winMinor"] == 5_000
    first, second = studio.asked_spins
    assert first == second, "the same spin in the same session"
    assert len(bets(api)) == 1


DECIDES_NOTHING = [
    (409, "session_busy", (409, "BUSY")),
    (429, "rate_limited", (429, "RATE_LIMITED")),
    (503, "overloaded", (503, "OVERLOADED")),
    (423, "casino_draining", (423, "GAME_DISABLED")),
    (500, "internal", (502, "PROVIDER_UNREACHABLE")),
    (502, "operator_rejected", (502, "PROVIDER_UNREACHABLE")),
    (418, "a_new_code", (502, "PROVIDER_UNREACHABLE")),
    (409, "idempotency_mismatch", (409, "IDEMPOTENCY_MISMATCH")),
]


async def test_what_decides_nothing_leaves_the_id_as_it_is(api: Api, studio: SpinningStudio) -> None:
    for status, code, told in DECIDES_NOTHING:
        studio.says = [(status, {"code": code, "error": "x"})]
        refused(await spin(api, code), *told)
        assert (await spin(api, code)).status_code == 200, code
    assert len({each["spinId"] for each in studio.asked_spins}) == len(DECIDES_NOTHING)
    assert len(studio.asked_spins) == 2 * len(DECIDES_NOTHING)


async def test_a_stake_that_was_returned_leads_to_a_new_spin(api: Api, studio: SpinningStudio) -> None:
    studio.says = [(502, {"code": "operator_unreachable", "error": "x"})]
    refused(await spin(api), 502, "PROVIDER_UNREACHABLE")
    assert (await spin(api)).status_code == 200
    assert len({each["spinId"] for each in studio.asked_spins}) == 2
    assert len({each["sessionToken"] for each in studio.asked_spins}) == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_a_lost_session_is_replaced_in_the_same_request(api: Api, studio: SpinningStudio, times: int) -> None:
    studio.says = [(404, {"code": "session_not_found", "error": "x"})] * times
    assert (await spin(api)).status_code == 200
    asked = studio.asked_spins
    assert asked[0]["spinId"] == asked[1]["spinId"], "another session, the same spin: it may have been played"
    assert len({each["sessionToken"] for each in asked}) == 2
    assert len({each["spinId"] for each in asked}) == times


async def test_a_launch_that_is_refused_is_tried_in_another_session(api: Api, studio: SpinningStudio) -> None:
    studio.status, studio.answer = 422, {"code": "idempotency_mismatch"}
    refused(await spin(api), 502, "PROVIDER_UNREACHABLE")
    studio.status, studio.answer = 200, None
    assert (await spin(api)).status_code == 200
    launches = [place for place, each in enumerate(studio.requests) if each.url.path == "/provider/launch"]
    assert len({studio.asked(place)["casinoSessionId"] for place in launches}) == len(launches) == 2


async def test_an_outcome_that_is_not_in_the_ledger_is_none(api: Api, studio: SpinningStudio) -> None:
    lies: list[dict[str, Any]] = [
        {"win": 9}, {"roundId": "another"}, {"win": -1}, {"win": "0"}, {"balance": 5}, {"balance": "-5"},
        {"events": {}},
    ]  # fmt: skip
    await spin(api, "first")
    status, truth = studio.outcomes["1 first"]
    for number, lie in enumerate(lies):
        studio.outcomes[f"1 lie-{number}"] = (status, {**truth, **lie})
        refused(await spin(api, f"lie-{number}"), 502, "PROVIDER_UNREACHABLE")
    states = {row["spin_id"]: row["state"] for row in api.tenant.rows("spins") if row["spin_id"] != "first"}
    assert states == {f"lie-{number}": "ASKED" for number in range(len(lies))}


async def test_copies_at_once_are_one_bet(api: Api, studio: SpinningStudio) -> None:
    """Whoever is told BUSY asks again with the same id, and finds the first one's outcome."""
    others_are_answered = asyncio.Event()

    async def wait(_: Any) -> None:
        await others_are_answered.wait()

    studio.before_bet = wait
    first = asyncio.create_task(spin(api))
    await until(lambda: bool(studio.asked_spins), "the first is at the studio")
    for answer in await asyncio.gather(*(spin(api) for _ in range(3))):
        refused(answer, 409, "BUSY")
    others_are_answered.set()
    assert (await first).json()["result"] == (await spin(api)).json()["result"]
    assert len(bets(api)) == 1


async def test_spins_that_wait_leave_the_capacity_to_their_bets(tenant: Tenant, studio: SpinningStudio) -> None:
    """Four requests at once are all that this casino serves, and six spins wait: each bet finds a place."""
    async with serving_of(tenant, provider=studio, requests_max=4) as service:
        studio.service, api = service, Api(service, tenant)
        all_wait = asyncio.Barrier(6)

        async def wait(_: Any) -> None:
            await all_wait.wait()

        for number in range(6):
            tenant.open_player(f"p{number}")
        studio.before_bet = wait
        answers = await asyncio.gather(*(spin(api, player_id=f"p{number}") for number in range(6)))
    assert [each.status_code for each in answers] == [200] * 6


async def test_spins_have_a_bound_of_their_own(
    tenant: Tenant, studio: SpinningStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "SPINS_AT_ONCE_MAX", 0)
    async with serving_of(tenant, provider=studio) as service:
        refused(await spin(Api(service, tenant)), 503, "OVERLOADED")
