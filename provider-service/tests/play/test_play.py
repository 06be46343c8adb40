"""What a page asks for while its player plays: state, spins, recall, seeds."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator

import psycopg
import pytest

from provider.catalogue.games import GAMES
from provider.games.fairness.draws import SeededSource, seed_hash
from provider.games.slots.spin import events_of, play_round, win_minor
from provider_testing.fake_wallet import FakeWallet
from provider_testing.playing import open_page
from provider_testing.service import Running, rows, serving
from provider_testing.spinning import code_of, require_fair_draws
from provider_testing.wallet_faults import answering, spoiling


@pytest.fixture
async def provider(database_url: str, wallet: FakeWallet) -> AsyncIterator[Running]:
    wallet.model.keeps_heads = True
    async with serving(database_url, wallet) as running:
        yield running


async def test_the_state_says_all_that_a_page_needs(provider: Running) -> None:
    """Pitfalls 26 and 33: a page began with a balance of 0."""
    state = (await open_page(provider, userId="7", maxWin=50_000)).state
    assert {name: state[name] for name in list(state)[:11]} == {
        "casinoCode": "JAQPOT", "gameId": "SLOTS_001", "kind": "slot", "currency": "USD", "decimals": 2,
        "balance": "1000000", "version": state["version"], "minBet": "1", "maxBet": "100000", "maxWin": "50000",
        "maxX100": 1_000_000,
    }  # fmt: skip
    assert state["jurisdiction"]["name"] == "default"
    assert (state["round"], state["bets"], state["room"], state["curve"]) == (None, [], None, None)
    document = await provider.client.get(f"/v1/configurations/{state['configuration']['hash']}", auth=None)
    assert hashlib.sha256(document.content).hexdigest() == state["configuration"]["hash"]
    assert type(state["serverTime"]) is int


async def test_a_spin_answers_the_same_for_ever_and_its_version_grows(provider: Running, wallet: FakeWallet) -> None:
    page = await open_page(provider)
    first, second = await page.spin("one"), await page.spin("two")
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json()["version"] > first.json()["version"] > page.state["version"]
    made = len(wallet.calls)
    assert (await page.spin("one")).content == first.content
    assert code_of(await page.spin("one", stake=2000)) == (422, "idempotency_mismatch")
    assert len(wallet.calls) == made
    state = (await page.get("state")).json()
    assert (state["balance"], state["version"]) == (second.json()["balance"], second.json()["version"])


async def test_a_double_tap_is_one_bet(provider: Running, wallet: FakeWallet) -> None:
    """Pitfall 6: two taps were two debits."""
    page = await open_page(provider)
    answers = await asyncio.gather(*(page.spin("one") for _ in range(4)))
    assert {code_of(answer) for answer in answers} <= {(200, "ok"), (409, "session_busy")}
    assert (await page.spin("one")).status_code == 200
    assert (len(wallet.made("debit")), len(wallet.made("credit"))) == (1, 1)


async def test_two_tabs_play_one_balance_and_one_round_at_a_time(provider: Running, wallet: FakeWallet) -> None:
    """Pitfall 7: two tabs both bet what only one could pay."""
    first, second = await open_page(provider), await open_page(provider)
    assert first.started["channel"] == second.started["channel"]
    assert first.started["playToken"] != second.started["playToken"]
    answers = await asyncio.gather(first.spin("a"), second.spin("b"))
    assert {code_of(answer) for answer in answers} <= {(200, "ok"), (409, "session_busy")}
    for page, spin_id in ((first, "a"), (second, "b")):
        assert (await page.spin(spin_id)).status_code == 200
    states = [(await page.get("state")).json() for page in (first, second)]
    assert states[0] == states[1] | {"serverTime": states[0]["serverTime"]}
    assert states[0]["balance"] == str(wallet.model.balance_minor)


async def test_what_the_wallet_refuses_is_told_and_cools_the_page_down(
    provider: Running, owner_url: str, wallet: FakeWallet
) -> None:
    """Pitfalls 3b and 8: a refused bet was shown as taken, and was sent again 300 times in four minutes."""
    wallet.plan("debit", answering(402, "insufficient_balance", sentence="Not enough."))
    page = await open_page(provider)
    refused = await page.spin("poor")
    assert code_of(refused) == (402, "insufficient_balance")
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.spin_refusals set created_at = now() + interval '1 hour'")
    again = await page.spin("next")
    assert code_of(again) == (429, "rate_limited")
    assert again.headers["retry-after"] == "2"
    assert len(wallet.made("debit")) == 1
    assert (await page.spin("poor")).json()["code"] == "insufficient_balance", "a repetition comes before every gate"
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.spin_refusals set created_at = now() - interval '2 s'")
    assert (await page.spin("next")).status_code == 200


async def test_every_id_on_the_wire_is_text(provider: Running, wallet: FakeWallet) -> None:
    """Pitfall 3b: a round's id was a number on the way to the wallet."""
    page = await open_page(provider)
    said = (await page.post("slots/SLOTS_001/spin", {"spinId": 17, "stake": 1000})).json()
    assert said["spinId"] == "17"
    for call in wallet.made("debit") + wallet.made("credit"):
        assert all(
            isinstance(call.members[name], str) for name in ("transactionId", "roundId", "userId", "sessionToken")
        )


@pytest.mark.parametrize(("stake", "code"), [(0, "invalid_field"), (1.5, "invalid_field"), (100_001, "stake_too_high")])
async def test_the_server_holds_the_stake_to_the_limits(provider: Running, stake: int, code: str) -> None:
    """Pitfall 19: a bot placed a bet of 9,999,999."""
    page = await open_page(provider)
    assert code_of(await page.spin(stake=stake)) == (400, code)


async def test_the_cap_of_the_session_holds_each_win(provider: Running, owner_url: str) -> None:
    """Pitfall 18: a win was larger than the operator could pay."""
    page = await open_page(provider, maxWin=1)
    for _ in range(8):
        said = (await page.spin(stake=100_000)).json()
        assert said["win"] in (0, 1)
        assert said["events"][-1]["win"] == said["win"]


async def test_a_wallet_that_is_away_is_said_and_the_token_holds(provider: Running, wallet: FakeWallet) -> None:
    """Pitfalls 2 and 28: a page went on in a broken state."""
    page = await open_page(provider)
    wallet.plan("getBalance", answering(500, "internal"), times=2)
    assert code_of(await page.get("state")) == (502, "operator_unreachable")
    wallet.forget_plans()
    assert (await page.get("state")).status_code == 200


async def test_recall_shows_rounds_as_they_were(provider: Running) -> None:
    page = await open_page(provider)
    spun = [(await page.spin()).json() for _ in range(3)]
    rounds = (await page.get("rounds")).json()["rounds"]
    assert [each["roundId"] for each in rounds] == [each["roundId"] for each in reversed(spun)]
    for shown, said in zip(rounds, reversed(spun), strict=True):
        assert (shown["events"], shown["configuration"]) == (said["events"], said["configuration"])
        assert (shown["stake"], shown["win"], shown["state"]) == ("1000", str(said["win"]), "settled")
        assert int(shown["balanceAfter"]) == int(shown["balanceBefore"]) - 1000 + said["win"]
        assert shown["balanceAfter"] == said["balance"]
        assert shown["draw"]["serverSeed"] is None, "the seed serves"
    (one,) = [(await page.get(f"rounds/{rounds[0]['roundId']}")).json()]
    assert one == rounds[0]
    assert (await page.get("state")).json()["round"] == rounds[0]
    other = await open_page(provider, userId="2")
    for path in (f"rounds/{rounds[0]['roundId']}", f"rounds/{uuid.uuid4()}", "rounds/x"):
        assert code_of(await other.get(path)) == (404, "not_found")


async def test_a_player_sets_a_seed_rotates_and_computes_every_spin_again(provider: Running, owner_url: str) -> None:
    page = await open_page(provider)
    seeds = (await page.get("seeds")).json()
    assert (seeds["gameId"], seeds["clientSeed"], seeds["counter"]) == ("SLOTS_001", None, 0)
    assert (await page.spin("first")).status_code == 200
    assert (await page.post("seeds", {"clientSeed": "lucky"})).json()["clientSeed"] == "lucky"
    assert (await page.spin("second")).status_code == 200
    rotated = (await page.post("seeds", {"rotate": True})).json()
    assert (rotated["counter"], rotated["clientSeed"]) == (0, None)
    assert rotated["serverSeedHash"] != seeds["serverSeedHash"] == rotated["previous"]["serverSeedHash"]
    secret = bytes.fromhex(rotated["previous"]["serverSeed"])
    assert seed_hash(secret) == seeds["serverSeedHash"]
    slot = GAMES["SLOTS_001"].slot
    assert slot is not None
    rounds = (await page.get("rounds")).json()["rounds"]
    for shown, client_seed, counter in zip(reversed(rounds), ("first", "lucky"), (0, 1), strict=True):
        assert shown["draw"] == {
            "serverSeedHash": seeds["serverSeedHash"], "clientSeed": client_seed, "counter": counter,
            "serverSeed": rotated["previous"]["serverSeed"],
        }  # fmt: skip
        played = play_round(slot.game.model, SeededSource(secret, client_seed, counter))
        win = win_minor(played, stake_minor=1000, max_win_minor=slot.game.max_win)
        assert shown["events"] == json.loads(json.dumps(events_of(played, win_minor=win)))
    require_fair_draws(owner_url)


async def test_a_seed_that_serves_a_round_is_neither_changed_nor_revealed(provider: Running, owner_url: str) -> None:
    page = await open_page(provider)
    assert (await page.spin()).status_code == 200
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.rounds set state = 'open', ended_code = null, ended_at = null")
    for asked in ({"rotate": True}, {"clientSeed": "lucky"}):
        assert code_of(await page.post("seeds", asked)) == (409, "session_busy")
    assert rows(owner_url, "select 1 from provider.server_seeds where retired_at is not null") == []


@pytest.mark.parametrize("bad", ["", "a" * 65, "a b", "a:b", 1.5, True])
async def test_a_client_seed_that_is_not_plain_is_refused(provider: Running, bad: object) -> None:
    page = await open_page(provider)
    assert code_of(await page.post("seeds", {"clientSeed": bad})) == (400, "invalid_field")


async def test_an_excluded_player_plays_no_more(provider: Running, wallet: FakeWallet) -> None:
    """Pitfall 22: a session that was open went on."""
    wallet.plan("debit", answering(403, "player_excluded", sentence="Excluded."))
    page = await open_page(provider)
    refused = await page.spin("one")
    assert (code_of(refused), refused.json()["error"]) == ((403, "player_excluded"), "Excluded.")
    for answer in (await page.spin("two"), await page.get("state")):
        assert code_of(answer) == (401, "play_token_invalid")
    assert len(wallet.made("debit")) == 1


async def test_a_balance_below_zero_is_a_wallet_error(provider: Running, wallet: FakeWallet) -> None:
    """Pitfall 5: a page showed -47.00."""
    page = await open_page(provider)
    wallet.plan("getBalance", spoiling(balance="-47"))
    assert code_of(await page.get("state")) == (502, "operator_bad_response")
