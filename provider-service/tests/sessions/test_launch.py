"""POST /provider/launch: what is stored, what is answered, what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx

from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import fresh_launch, rows, serving
from provider_testing.wallet_faults import hold
from shared_service_testing.waiting import until


async def launch(database_url: str, wallet: FakeWallet, *bodies: dict[str, Any]) -> list[httpx.Response]:
    async with serving(database_url, wallet) as provider:
        return [await provider.client.post("/provider/launch", json=body) for body in bodies]


async def test_a_launch_answers_the_session_the_limits_and_the_player(database_url: str, wallet: FakeWallet) -> None:
    answer = (await launch(database_url, wallet, fresh_launch(casinoSessionId=17, userId=1)))[0]
    assert answer.status_code == 200
    body = answer.json()
    assert UUID(body.pop("providerSessionId"))
    assert body.pop("playerId").isdecimal()
    assert body.pop("launchUrl").startswith("http://127.0.0.1:8100/play/JAQPOT/SLOTS_001#code=")
    assert body == {"gameId": "SLOTS_001", "currency": "USD", "minBet": "1000", "maxBet": "100000"}


async def test_a_repeated_launch_finds_the_same_session(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    body = fresh_launch()
    first, second = await launch(database_url, wallet, body, body)
    said, again = first.json(), second.json()
    assert said.pop("launchUrl") != again.pop("launchUrl"), "a code of its own"
    assert said == again
    assert rows(owner_url, "select count(*) from provider.game_sessions") == [{"count": 1}]


async def test_simultaneous_launches_of_one_session_make_one(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    body = fresh_launch()

    async with serving(database_url, wallet) as provider:
        posts = (provider.client.post("/provider/launch", json=body) for _ in range(8))
        result = {answer.json()["providerSessionId"] for answer in await asyncio.gather(*posts)}
    assert len(result) == 1
    assert rows(owner_url, "select count(*) from provider.players") == [{"count": 1}]


async def test_a_player_stays_the_same_over_sessions_and_differs_from_others(
    database_url: str, wallet: FakeWallet
) -> None:
    bodies = [fresh_launch(), fresh_launch(), fresh_launch(userId="2")]
    first, second, other = [answer.json()["playerId"] for answer in await launch(database_url, wallet, *bodies)]
    assert first == second != other


async def test_a_session_launched_again_with_other_content_is_a_mismatch_with_its_field(
    database_url: str, wallet: FakeWallet
) -> None:
    body = fresh_launch(userId="the-first-player")
    others = {"userId": "2", "gameId": "CRASH_001", "currency": "EUR", "sessionToken": "another"}
    _, *answers = await launch(database_url, wallet, body, *(body | {field: other} for field, other in others.items()))
    for field, answer in zip(others, answers, strict=True):
        said = answer.json()
        assert (answer.status_code, said["code"], said["field"]) == (422, "idempotency_mismatch", field)
        assert body[field] not in answer.text


async def test_a_field_that_is_not_what_it_must_be_is_named(database_url: str, wallet: FakeWallet) -> None:
    async with serving(database_url, wallet) as provider:
        for field in ("sessionToken", "casinoSessionId", "userId", "gameId", "currency", "casinoCode"):
            without = fresh_launch()
            del without[field]
            wrong = [fresh_launch() | {field: value} for value in (None, "", "x" * 129, "ä", 1.5, True, ["1"])]
            for body in (without, *wrong):
                answer = await provider.client.post("/provider/launch", json=body)
                said = answer.json()
                assert (answer.status_code, said["code"], said["field"]) == (400, "invalid_field", field), body


async def test_an_unknown_game_is_not_found(database_url: str, wallet: FakeWallet) -> None:
    (answer,) = await launch(database_url, wallet, fresh_launch(gameId="SLOTS_999"))
    assert (answer.status_code, answer.json()["code"]) == (404, "game_not_found")


async def test_the_token_stands_in_clear_in_no_table(
    database_url: str, owner_url: str, wallet: FakeWallet, logged: Callable[[], str]
) -> None:
    token = "canary" * 10

    async with serving(database_url, wallet) as provider:
        await provider.simulate(await provider.launch(sessionToken=token))
    tables = rows(owner_url, "select tablename from pg_tables where schemaname = 'provider'")
    assert len(tables) >= 7
    for table in tables:
        content = rows(owner_url, f"select t::text as line, t as whole from provider.{table['tablename']} as t")
        assert token not in str(content)
        assert token.encode().hex() not in str(content)
    assert "round_played" in logged()
    assert "canary" not in logged()


async def test_a_simulation_names_its_session_rightly_in_every_field(database_url: str, wallet: FakeWallet) -> None:
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"providerSessionId": "00000000-0000-4000-8000-000000000000"}, 404, "session_not_found"),
        ({"providerSessionId": "not-a-uuid"}, 404, "session_not_found"),
        ({"sessionToken": "another"}, 404, "session_not_found"),
        ({"userId": "2"}, 403, "session_player_mismatch"),
        ({"currency": "EUR"}, 400, "currency_mismatch"),
        ({"gameId": "CRASH_001"}, 404, "game_not_found"),
        ({"gameId": "NONE"}, 404, "game_not_found"),
        ({"casinoCode": "OTHER"}, 404, "not_found"),
        ({"providerSessionId": None}, 400, "invalid_field"),
    ]
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        for changed, status, code in cases:
            answer = await provider.client.post("/provider/simulate", json=session | changed)
            assert (answer.status_code, answer.json()["code"]) == (status, code), changed
    assert wallet.calls == []


async def test_two_rounds_of_one_session_do_not_play_at_once(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("getBalance", hold, times=4)

    async with serving(database_url, wallet) as provider:
        body = await provider.launch()
        posts = [asyncio.create_task(provider.client.post("/provider/simulate", json=body)) for _ in range(4)]
        await until(lambda: sum(post.done() for post in posts) == 3)
        wallet.forget_plans()
        assert sorted(answer.status_code for answer in await asyncio.gather(*posts)) == [200, 409, 409, 409]
    assert wallet.model.balance_minor == wallet.model.start_minor + 1000


async def test_the_casino_that_may_launch_is_the_one_of_the_settings(database_url: str, wallet: FakeWallet) -> None:
    """It was `JAQPOT` for every provider: no other tenant could launch a game."""
    async with serving(database_url, wallet, casino_code="ACME") as provider:
        bodies = [fresh_launch(casinoCode=code) for code in ("ACME", "JAQPOT")]
        own, other = [await provider.client.post("/provider/launch", json=body) for body in bodies]
    assert own.status_code == 200
    assert (other.status_code, other.json()["code"]) == (404, "not_found")


async def test_a_parameter_that_no_endpoint_has_is_refused_by_name_and_stores_nothing(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    async with serving(database_url, wallet) as provider:
        for path in ("/provider/launch", "/provider/simulate"):
            answer = await provider.client.post(f"{path}?x=1", json=fresh_launch())
            assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "invalid_field", "x")
    assert rows(owner_url, "select count(*) from provider.game_sessions") == [{"count": 0}]
