"""The way from a launch to a play token: addresses, codes that hold once, tokens that hold in one browser."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest

from provider.errors import Refused
from provider.play.guard import BURST, Rates
from provider.play.serving import STARTS_MAX
from provider.sessions.links import origin_of, page_url
from provider_testing.fake_wallet import FakeWallet
from provider_testing.playing import Page, browser, code_in, launch_url, open_page, start
from provider_testing.service import Running, fresh_launch, rows, serving
from provider_testing.spinning import code_of
from provider_testing.wallet_faults import stall
from shared_service_testing.waiting import until


@pytest.fixture
async def provider(database_url: str, wallet: FakeWallet) -> AsyncIterator[Running]:
    async with serving(database_url, wallet, public_url="https://games.example/studio?theme=dark") as running:
        yield running


async def test_a_launch_url_opens_exactly_its_game_and_has_its_code_in_the_fragment_alone(provider: Running) -> None:
    url = await launch_url(provider, gameId="SLOTS_002")
    page, code = url.split("#code=")
    assert page == "https://games.example/studio/play/JAQPOT/SLOTS_002?theme=dark"
    assert re.fullmatch(r"[0-9A-Za-z_-]{43}", code)


JOINED = [
    ("https://g.example", "https://g.example/play/JAQPOT/SLOTS_001?a=1#code=c"),
    ("https://g.example/", "https://g.example/play/JAQPOT/SLOTS_001?a=1#code=c"),
    ("https://g.example/x", "https://g.example/x/play/JAQPOT/SLOTS_001?a=1#code=c"),
    ("https://g.example/x/", "https://g.example/x/play/JAQPOT/SLOTS_001?a=1#code=c"),
    ("https://g.example?t=1", "https://g.example/play/JAQPOT/SLOTS_001?t=1&a=1#code=c"),
    ("https://g.example/x?t=1&u=2#top", "https://g.example/x/play/JAQPOT/SLOTS_001?t=1&u=2&a=1#code=c"),
    ("http://[::1]:8100", "http://[::1]:8100/play/JAQPOT/SLOTS_001?a=1#code=c"),
]


@pytest.mark.parametrize(("public_url", "expected"), JOINED)
def test_every_public_address_is_joined_right(public_url: str, expected: str) -> None:
    """Pitfall 32: a path without `?` got `&merchant=…`, and became part of the path."""
    assert page_url(public_url, "JAQPOT", "SLOTS_001", query=[("a", "1")], code="c") == expected


def test_whatever_stands_in_a_parameter_stays_that_parameter() -> None:
    query = [("a", "x&y=1"), ("b", "ü #?/%"), ("a", ""), ("lobby", "https://c.example/?p=1#x")]
    parts = urlsplit(page_url("https://g.example", "a/b?c#d", "e f", query=query))
    assert parse_qsl(parts.query, keep_blank_values=True) == query
    assert (parts.path, parts.fragment) == ("/play/a%2Fb%3Fc%23d/e%20f", "")


async def test_a_start_trades_the_code_for_a_token_and_the_state(provider: Running) -> None:
    page = await open_page(provider)
    assert re.fullmatch(r"[0-9A-Za-z_-]{43}", page.started["playToken"])
    assert (page.state["gameId"], page.state["balance"], page.state["currency"]) == ("SLOTS_001", "1000000", "USD")
    assert (await page.get("state")).status_code == 200


async def test_a_code_holds_once_also_for_two_at_once(provider: Running) -> None:
    asked = {"code": code_in(await launch_url(provider)), "gameId": "SLOTS_001"}
    answers = await asyncio.gather(*(start(provider, asked) for _ in range(4)))
    assert sorted(code_of(answer) for answer in answers) == [(200, "ok"), *[(401, "launch_code_invalid")] * 3]


async def test_a_wallet_that_hangs_holds_up_no_other_start(provider: Running, wallet: FakeWallet) -> None:
    codes = [code_in(await launch_url(provider)) for _ in range(STARTS_MAX)]
    wallet.plan("getBalance", stall, times=STARTS_MAX)
    hanging = [asyncio.ensure_future(start(provider, {"code": code, "gameId": "SLOTS_001"})) for code in codes]
    await until(lambda: len(wallet.made("getBalance")) == STARTS_MAX)
    assert (await start(provider, {"demo": True, "gameId": "SLOTS_001"})).status_code == 200
    wallet.forget_plans()
    assert {each.status_code for each in await asyncio.gather(*hanging)} == {200}


async def test_unknown_used_expired_and_forged_codes_are_one_answer(
    provider: Running, owner_url: str, wallet: FakeWallet
) -> None:
    code = code_in(await launch_url(provider))
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.launch_codes set expires_at = now()")
    token = (await open_page(provider)).started["playToken"]
    for bad in (code, "A" * 43, code[:-1], token, None):
        answer = await start(provider, {"code": bad, "gameId": "SLOTS_001"})
        assert code_of(answer) == (401, "launch_code_invalid"), bad
        assert code not in answer.text


async def test_no_page_boots_another_game_and_the_code_stays_good(provider: Running) -> None:
    """Pitfall 31: a page that ignored the game's id showed its own game."""
    code = code_in(await launch_url(provider, gameId="SLOTS_002"))
    assert code_of(await start(provider, {"code": code, "gameId": "SLOTS_001"})) == (404, "game_not_found")
    assert (await start(provider, {"code": code, "gameId": "SLOTS_002"})).json()["state"]["gameId"] == "SLOTS_002"
    page = await open_page(provider)
    answer = await page.post("slots/SLOTS_002/spin", {"spinId": "s", "stake": 1000})
    assert code_of(answer) == (404, "game_not_found")


async def test_a_token_holds_for_its_user_agent_alone(provider: Running) -> None:
    """Pitfall 21: a shared link let a friend play with the player's balance."""
    page = await open_page(provider)
    assert code_of(await page.get("state", user_agent="Other/2.0")) == (401, "play_token_invalid")
    assert (await page.get("state")).status_code == 200


async def test_what_is_no_token_is_refused_before_the_database(provider: Running) -> None:
    page = await open_page(provider)
    token = page.started["playToken"]
    client = browser(provider)
    for value in (
        None,
        "",
        "Bearer",
        f"Basic {token}",
        "Bearer " + "A" * 43,
        f"Bearer {token}x",
        f"Bearer {token[::-1]}",
    ):
        headers = {} if value is None else {"authorization": value}
        answer = await client.get("/v1/play/state", headers=headers)
        assert code_of(answer) == (401, "play_token_invalid"), value
    assert (await client.get("/v1/play/state", headers={"authorization": f"bearer {token}"})).status_code == 200


async def test_a_token_dies_with_its_session(provider: Running, owner_url: str) -> None:
    page = await open_page(provider)
    with psycopg.connect(owner_url) as connection:
        connection.execute("select provider.stop_session(provider_session_id, 'x') from provider.game_sessions")
    assert code_of(await page.get("state")) == (401, "play_token_invalid")


async def test_no_table_and_no_answer_of_a_page_has_a_token_in_clear(provider: Running, owner_url: str) -> None:
    """Pitfall 10: session tokens were in URLs, and so in logs and histories."""
    asked = fresh_launch()
    answer = await provider.client.post("/provider/launch", json=asked)
    code = code_in(answer.json()["launchUrl"])
    started = await start(provider, {"code": code, "gameId": "SLOTS_001"})
    page = Page(browser(provider), started.json() | {"game": "SLOTS_001"})
    spun = await page.spin()
    secret = (asked["sessionToken"], code, page.started["playToken"])
    assert asked["sessionToken"] not in answer.text + started.text + spun.text
    for table in ("launch_codes", "play_tokens", "game_sessions", "spins", "rounds"):
        stored = str(rows(owner_url, f"select row_to_json(t)::text as row from provider.{table} as t"))
        assert not [each for each in secret if each in stored], table


def test_a_session_calls_ten_times_at_once_and_five_times_a_second() -> None:
    """Pitfall 20: a script placed a thousand bets a second."""
    now = [0.0]
    rates = Rates(lambda: now[0])

    def taken(key: str = "one", tries: int = 30) -> int:
        count = 0
        for _ in range(tries):
            with contextlib.suppress(Refused):
                rates.take(key)
                count += 1
        return count

    assert taken() == BURST == 10
    assert taken("another") == 10
    now[0] += 1
    assert taken() == 5
    now[0] += 60
    assert taken() == 10


async def test_too_many_calls_are_429_with_the_time_to_wait(provider: Running) -> None:
    page = await open_page(provider)
    answers = await asyncio.gather(*(page.get("rounds") for _ in range(60)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) >= 30
    assert {code_of(answer) for answer in refused} == {(429, "rate_limited")}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}


async def test_a_player_stores_few_seeds(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provider.play.serving.ROTATIONS_PER_SECOND", 1e-6)
    async with serving(database_url, wallet) as provider:
        page = await open_page(provider)

        async def is_held() -> bool:
            answer = await page.post("seeds", {"rotate": True})
            return int(answer.headers.get("retry-after", "0")) > 1

        await until(is_held)
        assert len(rows(owner_url, "select from provider.server_seeds where retired_at is not null")) == BURST
        assert (await page.spin()).status_code in (200, 429), "other calls have a rate of their own"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://c.example/lobby?x=1", "https://c.example"),
        ("http://c.example:81/", "http://c.example:81"),
        ("HTTPS://C.example/", "https://c.example"),
        ("javascript:alert(1)", None),
        ("https://u@c.example/", None),
        ("//c.example/", None),
        ("https://c.example\\@evil.example/", None),
        ("https://c.example:x/", None),
        ("https:///x", None),
        ("https://c.example/\n", None),
    ],
)
def test_the_origin_of_an_address(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin


async def test_a_page_leads_only_to_origins_that_may_embed_it(provider: Running) -> None:
    for name in ("lobbyUrl", "cashierUrl"):
        answer = await provider.client.post("/provider/launch", json=fresh_launch(**{name: "https://evil.example/"}))
        assert code_of(answer) == (400, "invalid_field")
        assert answer.json()["field"] == name
    for bad in ("e", "a b", "en_US", "e" * 36, 5):
        assert code_of(await provider.client.post("/provider/launch", json=fresh_launch(language=bad))) == (
            400,
            "invalid_field",
        )
    page = await open_page(provider, language="pt-BR")
    assert page.state["language"] == "pt-BR"


async def test_the_launch_redirect_keeps_other_parameters_and_knows_every_game(provider: Running) -> None:
    client = browser(provider)
    answer = await client.get("/v1/launch?gameId=SLOTS_002&lang=de&x=a%26b&lang=fr")
    assert answer.status_code == 302
    assert answer.headers["location"] == (
        "https://games.example/studio/play/JAQPOT/SLOTS_002?theme=dark&lang=de&x=a%26b&lang=fr"
    )
    games = (await client.get("/v1/games?casino=ACME")).json()["games"]
    for game in games:
        found = await client.get(f"/v1/launch?gameId={game['gameId']}&casino=ACME")
        assert urlsplit(found.headers["location"]).path == "/studio" + game["page"]
    assert code_of(await client.get("/v1/launch")) == (400, "invalid_field")
    for query in ("?gameId=", "?gameId=NOTHING", "?gameId=slots_001"):
        assert code_of(await client.get(f"/v1/launch{query}")) == (404, "game_not_found")
    assert code_of(await client.get("/v1/launch?gameId=SLOTS_001&casino=a%20b")) == (400, "invalid_field")
    assert code_of(await client.get("/v1/launch?gameId=SLOTS_001&gameId=SLOTS_002")) == (400, "invalid_field")


async def test_an_address_that_names_no_game_is_a_page_that_says_so(provider: Running) -> None:
    client = browser(provider)
    for path in ("/play/JAQPOT/NOTHING", "/play/NOBODY/SLOTS_001", "/play/JAQPOT/slots_001"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "There is no such game" in answer.text
    page = await client.get("/play/JAQPOT/SLOTS_001")
    assert page.status_code == 200
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
