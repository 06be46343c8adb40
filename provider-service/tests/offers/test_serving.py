"""The public pages of the games: the catalogue, configurations and PAR sheets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from provider.catalogue.files import data_file
from provider.catalogue.games import GAMES
from provider.offers import serving as module
from provider.offers.configurations import OFFERED_MAX, Configurations
from provider.sql.schema import database_for
from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import Running, rows, serving, settings_for

SLOT = GAMES["SLOTS_001"].slot
assert SLOT is not None


@pytest.fixture
async def provider(database_url: str, wallet: FakeWallet) -> AsyncIterator[Running]:
    async with serving(database_url, wallet) as running:
        yield running


async def get(provider: Running, path: str) -> httpx.Response:
    return await provider.client.get(path, auth=None)


async def test_the_catalogue_names_each_game_that_can_be_played(provider: Running) -> None:
    answer = await get(provider, "/v1/games")
    game, second = answer.json()["games"]
    assert list(game) == [
        "gameId", "name", "kind", "page", "rtp", "volatility", "minBet", "maxBet", "maxWin", "enabled", "configuration",
    ]  # fmt: skip
    assert game | {"configuration": None} == {
        "gameId": "SLOTS_001", "name": "Five Lines", "kind": "slot", "page": "/play/JAQPOT/SLOTS_001",
        "rtp": "0.953794", "volatility": "medium", "minBet": "1", "maxBet": "100000", "maxWin": "100000000",
        "enabled": True, "configuration": None,
    }  # fmt: skip
    assert second | {"configuration": None} == {
        "gameId": "SLOTS_002", "name": "Ten Orbits", "kind": "slot", "page": "/play/JAQPOT/SLOTS_002",
        "rtp": "0.955844", "volatility": "high", "minBet": "10", "maxBet": "100000", "maxWin": "1000000000",
        "enabled": True, "configuration": None,
    }  # fmt: skip
    other = (await get(provider, "/v1/games?casino=ACME&currency=EUR")).json()["games"][0]
    assert other["page"] == "/play/ACME/SLOTS_001"
    assert other["configuration"]["hash"] != game["configuration"]["hash"]


async def test_the_hash_of_a_configuration_finds_its_bytes_and_its_sheet(provider: Running) -> None:
    for currency in ("USD", "EUR"):
        game, _ = (await get(provider, f"/v1/games?currency={currency}")).json()["games"]
        for _ in range(2):
            answer = await get(provider, f"/v1/configurations/{game['configuration']['hash']}")
            assert hashlib.sha256(answer.content).hexdigest() == game["configuration"]["hash"]
        content = answer.json()
        assert list(content) == [
            "gameId", "version", "currency", "return", "minBet", "maxBet", "maxWin", "maxX100", "jurisdiction",
            "model", "parHash",
        ]  # fmt: skip
        assert (content["currency"], content["return"], content["maxX100"]) == (currency, [2539, 2662], 1_000_000)
        assert content["model"] == json.loads(data_file("SLOTS_001.json"))["model"]
        sheet = await get(provider, "/v1/games/SLOTS_001/par")
        assert hashlib.sha256(sheet.content).hexdigest() == content["parHash"]
        assert (sheet.json()["return"], sheet.json()["rtp"]) == (content["return"], game["rtp"])


UNANSWERED = [
    ("/v1/games?currency=usd", 400, "invalid_field"),
    ("/v1/games?casino=a%20b", 400, "invalid_field"),
    ("/v1/games?casino=A&casino=B", 400, "invalid_field"),
    ("/v1/games?other=1", 400, "invalid_field"),
    ("/v1/games/CRASH_001/par", 404, "game_not_found"),
    ("/v1/games/NOTHING/par", 404, "game_not_found"),
    ("/v1/configurations/" + "0" * 64, 404, "not_found"),
    ("/v1/configurations/" + "A" * 64, 404, "not_found"),
    ("/v1/configurations/x", 404, "not_found"),
]


async def test_a_question_that_has_no_answer_is_refused(provider: Running) -> None:
    for path, status, code in UNANSWERED:
        answer = await get(provider, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path


async def test_strangers_use_few_connections_and_few_rows(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKS_MAX", 0)
    async with serving(database_url, wallet) as provider:
        assert (await get(provider, "/v1/games")).status_code == 503
        assert (await get(provider, "/v1/configurations/" + "0" * 64)).status_code == 503
    async with database_for(settings_for(database_url, "http://unused")) as pool:
        configurations = Configurations(pool)
        for number in range(OFFERED_MAX + 3):
            await configurations.stored(SLOT, f"A{number:03}", offered=True)
        assert rows(owner_url, "select count(*) from provider.configurations") == [{"count": OFFERED_MAX}]
        await configurations.stored(SLOT, "ZZZ")
    assert rows(owner_url, "select count(*) from provider.configurations") == [{"count": OFFERED_MAX + 1}]
