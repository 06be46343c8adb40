"""What a casino's terms and jurisdiction change: least cycle, demo play, returns; and demo play itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from provider.settings import casinos_file_at
from provider_testing.casinos import OTHER, OWN
from provider_testing.fake_wallet import FakeWallet
from provider_testing.playing import browser, open_demo, open_page, start
from provider_testing.service import Running, rows, serving
from provider_testing.spinning import code_of, fresh_spin
from provider_testing.two_casinos import ACME_CALLED, ACME_CALLS, Two, entry, write


@asynccontextmanager
async def under(database_url: str, wallet: FakeWallet, file: Path, **terms: Any) -> AsyncIterator[Two]:
    """The environment's casino with these terms, and ACME."""
    with FakeWallet(key=ACME_CALLED) as acme:
        write(file, {"id": OWN, **terms}, entry(acme.url))
        read = casinos_file_at(file, OWN, wallet.url)
        async with serving(database_url, wallet, casinos_file=read) as own:
            await own.ready()
            other = own.of(OTHER, ACME_CALLS)
            async with other.client:
                yield Two(own, other, file, acme.url)


async def test_the_server_holds_the_least_cycle_and_repeats_are_free(
    database_url: str, owner_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    async with under(database_url, wallet, tmp_path / "c.json", jurisdiction="GB") as two:
        page = await open_page(two.own)
        assert page.state["jurisdiction"]["leastCycleMs"]["slot"] == 2500
        first = await page.spin("one")
        with psycopg.connect(owner_url) as connection:
            connection.execute("update provider.rounds set created_at = now() + interval '1 hour'")
        early = await page.spin("two")
        assert (first.status_code, code_of(early)) == (200, (429, "rate_limited"))
        assert early.headers["retry-after"] == "2"
        assert (await page.spin("one")).content == first.content
        await page.post("seeds", {"rotate": True})
        assert code_of(await page.spin("two")) == (429, "rate_limited"), "a rotation shortens nothing"
        with psycopg.connect(owner_url) as connection:
            connection.execute("update provider.rounds set created_at = now() - interval '2.5 s'")
        assert (await page.spin("two")).status_code == 200
        with psycopg.connect(owner_url) as connection:
            connection.execute("update provider.rounds set created_at = now() + interval '1 hour'")
        session = await two.own.launch()
        signed = await two.own.client.post("/provider/spin", json=session | fresh_spin())
        assert code_of(signed) == (429, "rate_limited"), "also for the casino's own client"


async def test_two_early_spins_at_once_are_one_round(database_url: str, wallet: FakeWallet, tmp_path: Path) -> None:
    async with under(database_url, wallet, tmp_path / "c.json", jurisdiction="GB") as two:
        pages = [await open_page(two.own) for _ in range(3)]
        answers = await asyncio.gather(*(page.spin() for page in pages))
        assert [answer.status_code for answer in answers].count(200) == 1
        assert {code_of(answer)[0] for answer in answers} <= {200, 409, 429}
    assert len(wallet.made("debit")) == 1


async def test_a_casinos_limits_rule_its_rounds_and_no_others(
    database_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    wanted = [{"gameId": "SLOTS_001", "currency": "USD", "minBet": 100, "maxBet": 500, "maxWin": 500}]
    async with under(database_url, wallet, tmp_path / "c.json", configurations=wanted) as two:
        page, other = await open_page(two.own), await open_page(two.other)
        assert [page.state[name] for name in ("minBet", "maxBet", "maxWin")] == ["100", "500", "500"]
        assert code_of(await page.spin(stake=99)) == (400, "stake_too_low")
        assert code_of(await page.spin(stake=501)) == (400, "stake_too_high")
        said = (await page.spin(stake=500)).json()
        assert said["configuration"] == page.state["configuration"] != other.state["configuration"]
        document = (await two.own.client.get(f"/v1/configurations/{said['configuration']['hash']}", auth=None)).json()
        assert document["maxWin"] == "500"
        assert Fraction(*document["return"]) < Fraction(2539, 2662)
        assert (await other.spin(stake=501)).status_code == 200


async def test_returns_are_for_the_casino_and_its_players_alone(
    database_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    """Pitfall 17: a page had a divisor of its own, whatever return its operator had."""
    wanted = [{"gameId": "SLOTS_001", "maxBet": 500, "maxWin": 500}]
    async with under(database_url, wallet, tmp_path / "c.json", configurations=wanted) as two:
        path = f"/v1/merchants/{OWN}/rtp?currency=USD"
        signed = await two.own.client.get(path)
        assert signed.status_code == 200, signed.text
        first, second = signed.json()["games"]
        assert (first["gameId"], second["rtp"]) == ("SLOTS_001", "0.955844")
        assert float(first["rtp"]) < 0.953
        page, other = await open_page(two.own), await open_page(two.other)
        assert first["configuration"] == page.state["configuration"]
        asked = {"authorization": f"Bearer {page.started['playToken']}"}
        assert (await page.client.get(path, headers=asked)).json() == signed.json()
        for refused, expected in (
            (await two.other.client.get(path), (404, "not_found")),
            (await other.client.get(path, headers={"authorization": f"Bearer {other.started['playToken']}"}),
             (404, "not_found")),
            (await browser(two.own).get(path), (401, "play_token_invalid")),
            (await browser(two.own).get(path, headers={"x-provider-signature": "k=main"}),
             (401, "signature_malformed")),
            (await two.own.client.get(f"/v1/merchants/{OWN}/rtp"), (400, "invalid_field")),
        ):  # fmt: skip
            assert code_of(refused) == expected


async def test_a_draining_casinos_page_is_a_maintenance_page(
    database_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    async with under(database_url, wallet, tmp_path / "c.json") as two:
        page = await open_page(two.other)
        await two.status("draining")
        answer = await browser(two.own).get(f"/play/{OTHER}/SLOTS_001")
        assert (answer.status_code, "is paused" in answer.text) == (423, True)
        assert code_of(await page.spin()) == (423, "casino_draining")
        assert (await page.get("state")).status_code == 200


async def test_a_page_may_be_embedded_by_its_casino_alone(
    database_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    embed = ["https://casino.example", "http://127.0.0.1:8000"]
    async with under(database_url, wallet, tmp_path / "c.json", embed=embed) as two:
        page = await browser(two.own).get(f"/play/{OWN}/SLOTS_001")
        assert "frame-ancestors https://casino.example http://127.0.0.1:8000" in page.headers["content-security-policy"]
        opened = await open_page(two.own, lobbyUrl="https://casino.example/lobby?x=1")
        assert opened.state["lobbyUrl"] == "https://casino.example/lobby?x=1"


@pytest.fixture
async def provider(database_url: str, wallet: FakeWallet) -> AsyncIterator[Running]:
    async with serving(database_url, wallet) as running:
        yield running


async def test_demo_play_has_books_of_its_own_and_calls_no_wallet(
    provider: Running, owner_url: str, wallet: FakeWallet
) -> None:
    page = await open_demo(provider, "SLOTS_002")
    assert (page.state["currency"], page.state["balance"], page.state["demo"]) == ("FUN", "10000000", True)
    balance = 10_000_000
    for _ in range(4):
        said = (await page.spin(stake=1000)).json()
        balance += said["win"] - 1000
        assert said["balance"] == str(balance)
    again = await page.spin("x", stake=10)
    assert (await page.spin("x", stake=10)).content == again.content
    assert code_of(await page.spin("x", stake=20)) == (422, "idempotency_mismatch")
    recalled = (await page.get("rounds")).json()["rounds"]
    assert (len(recalled), {each["demo"] for each in recalled}) == (5, {True})
    assert wallet.calls == []
    assert rows(owner_url, "select 1 from provider.spins union select 1 from provider.rounds") == []
    rotated = (await page.post("seeds", {"rotate": True, "clientSeed": "lucky"})).json()
    assert (rotated["clientSeed"], rotated["counter"]) == ("lucky", 0)
    revealed = (await page.get("rounds")).json()["rounds"][0]["draw"]
    assert revealed["serverSeed"] == rotated["previous"]["serverSeed"]


async def test_demo_play_ends_with_its_balance_and_takes_each_spin_once(provider: Running, owner_url: str) -> None:
    page = await open_demo(provider)
    answers = await asyncio.gather(*(page.spin("one") for _ in range(5)))
    assert {code_of(answer) for answer in answers} == {(200, "ok")}
    assert len({answer.content for answer in answers}) == 1
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.demo_sessions set balance_minor = 999")
    assert code_of(await page.spin()) == (402, "insufficient_balance")


async def test_demo_play_is_where_the_jurisdiction_allows_it(
    database_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    async with under(database_url, wallet, tmp_path / "c.json", jurisdiction="strict") as two:

        async def asked(**content: Any) -> httpx.Response:
            return await start(two.own, {"demo": True, "gameId": "SLOTS_001"} | content)

        assert code_of(await asked()) == (403, "demo_not_allowed")
        assert (await asked(casino=OTHER)).status_code == 200
        assert code_of(await asked(casino="NOBODY")) == (404, "not_found")
        assert code_of(await asked(casino=OTHER, gameId="CRASH_001")) == (404, "game_not_found")


async def test_what_nobody_needs_any_more_is_deleted(provider: Running, owner_url: str) -> None:
    demo, page = await open_demo(provider), await open_page(provider)
    await demo.spin()
    with psycopg.connect(owner_url, autocommit=True) as connection:
        assert connection.execute("select provider.prune_play(10)").fetchone() == (0,)
        connection.execute("update provider.launch_codes set expires_at = now() - interval '61 minutes'")
        connection.execute("update provider.demo_sessions set created_at = now() - interval '25 hours'")
        connection.execute("update provider.play_tokens set created_at = now() - interval '25 hours'")
        assert connection.execute("select provider.prune_play(10)").fetchone() == (3,)
        assert (await page.get("rounds")).status_code == 200, "an open session keeps its token"
        connection.execute("select provider.stop_session(provider_session_id, 'x') from provider.game_sessions")
        assert connection.execute("select provider.prune_play(10)").fetchone() == (1,)
    assert code_of(await demo.get("rounds")) == (401, "play_token_invalid")


async def test_a_demo_with_more_rounds_than_one_statement_can_delete_is_deleted_in_parts(
    provider: Running, owner_url: str
) -> None:
    await (await open_demo(provider)).spin()
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(
            "insert into provider.demo_rounds select gen_random_uuid(), demo_id, 'n' || n, stake_minor, win_minor,"
            " balance_after_minor, seed_sealed, seed_sha256, client_seed, counter + n, configuration_hash, events"
            " from provider.demo_rounds, generate_series(1, 24) as n"
        )
        connection.execute("update provider.demo_sessions set created_at = now() - interval '25 hours'")
        left = []
        while connection.execute("select provider.prune_play(10)").fetchone() != (0,):
            left.append(rows(owner_url, "select count(*) as n from provider.demo_rounds")[0]["n"])
    assert left == [15, 5, 0]
    assert rows(owner_url, "select from provider.demo_sessions") == []


async def test_a_stranger_begins_few_demos(provider: Running, owner_url: str) -> None:
    asked = {"demo": True, "gameId": "SLOTS_001"}
    codes = [code_of(answer) for answer in await asyncio.gather(*(start(provider, asked) for _ in range(60)))]
    assert set(codes) <= {(200, "ok"), (429, "rate_limited"), (503, "overloaded")}
    assert codes.count((429, "rate_limited")) >= 30
    assert rows(owner_url, "select count(*) from provider.demo_sessions") == [{"count": codes.count((200, "ok"))}]
