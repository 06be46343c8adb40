"""A casino that drains, is off, moves, or whose file is wrong: what the provider does and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from provider_testing.casinos import OTHER, OWN
from provider_testing.fake_wallet import FakeWallet
from provider_testing.scraping import OPS_URL, scrape
from provider_testing.service import (
    end_leases,
    fresh_launch,
    pending,
    settled,
)
from provider_testing.two_casinos import ACME_CALLED, Two, code_of, entry, late, write
from provider_testing.wallet_faults import cut
from shared_service_testing.waiting import until


async def test_a_draining_casino_begins_nothing_and_ends_what_it_began(
    two: Two, owner_url: str, acme: FakeWallet
) -> None:
    acme.plan("debit", late, skip=1)
    session, idle = await two.other.launch(), await two.other.launch(userId="2")
    playing = asyncio.create_task(two.other.simulate(session))
    await until(acme.reached.is_set)
    await two.status("draining")
    assert code_of(await two.other.client.post("/provider/simulate", json=idle)) == (423, "casino_draining", "good")
    answer = await two.other.client.post("/provider/launch", json=fresh_launch(casinoCode=OTHER))
    assert code_of(answer) == (423, "casino_draining", "good")
    acme.forget_plans()
    assert (await playing)["passed"] is True, "its bets were sent before"
    await settled(owner_url)
    await two.status("live")
    assert (await two.other.simulate(idle))["passed"] is True


async def test_a_round_that_is_overtaken_by_draining_sends_no_further_bet(
    two: Two, owner_url: str, acme: FakeWallet
) -> None:
    acme.plan("debit", late)
    playing = asyncio.create_task(two.other.simulate(await two.other.launch()))
    await until(acme.reached.is_set)
    await two.status("draining")
    acme.forget_plans()
    report = await playing
    assert report["steps"][2]["problem"] == "Not sent: casino_draining."
    await settled(owner_url)
    assert (len(acme.made("debit")), acme.model.live_bets()) == (1, 0), "the first bet was given back"


async def test_a_casino_that_is_off_is_neither_heard_nor_called_and_is_paid_when_it_is_on_again(
    two: Two, owner_url: str, wallet: FakeWallet, acme: FakeWallet
) -> None:
    acme.plan("credit", cut, times=50)
    await two.other.simulate()
    await two.status("off")
    acme.forget_plans()
    heard = len(acme.calls)
    answer = await two.other.client.post("/provider/launch", json=fresh_launch(casinoCode=OTHER))
    assert code_of(answer) == (401, "unknown_key", "missing")
    end_leases(owner_url)
    assert (await two.own.simulate())["passed"] is True
    health = (await two.own.client.get(f"{OPS_URL}/health/wallet", auth=None)).json()
    assert list(health["casinos"]) == [OWN]
    assert len(pending(owner_url)) == 1
    assert len(acme.calls) == heard
    write(two.file)
    await until(lambda: len(pending(owner_url)) == 1)
    await two.status("live")
    end_leases(owner_url)
    await settled(owner_url)
    assert acme.model.payouts() > 0


async def test_the_own_casino_drains_by_an_entry_of_its_name(two: Two) -> None:
    write(two.file, entry(two.acme_url), {"id": OWN, "status": "draining"})

    async def refused() -> bool:
        answer = await two.own.client.post("/provider/launch", json=fresh_launch())
        return answer.status_code == 423

    await until(refused)
    assert (await two.other.simulate())["passed"] is True


async def test_a_casino_without_a_key_to_call_it_with_drains(two: Two, logged: Callable[[], str]) -> None:
    ended = entry(two.acme_url)
    ended["keys"]["casino"][0]["notAfter"] = "2020-01-01T00:00:00Z"
    session = await two.other.launch()
    write(two.file, ended)

    async def refused() -> bool:
        answer = await two.other.client.post("/provider/launch", json=fresh_launch(casinoCode=OTHER))
        return answer.status_code == 423

    await until(refused)
    for path, content in (("launch", fresh_launch(casinoCode=OTHER)), ("simulate", session)):
        answer = await two.other.client.post(f"/provider/{path}", json=content)
        assert code_of(answer) == (423, "casino_draining", "good")
    assert (await two.own.simulate())["passed"] is True
    await two.status("live")
    assert (await two.other.simulate(session))["passed"] is True
    assert logged().count("peer_without_live_key") == 1


async def test_a_bad_file_changes_nothing_and_is_said_once(two: Two, logged: Callable[[], str]) -> None:
    two.file.write_text("[{")
    await until(lambda: "key_file_refused" in logged())
    assert (await two.other.simulate())["passed"] is True

    async def is_shown() -> bool:
        return (await scrape(two.own.client)).value("provider_key_file_refused", direction="peers") == 1

    await until(is_shown)
    write(two.file, entry(two.acme_url))  # as it was
    await until(lambda: "key_file_good_again" in logged())
    assert logged().count("key_file_refused") == logged().count("key_file_good_again") == 1


async def test_a_casino_that_moves_is_called_at_its_new_address(two: Two, acme: FakeWallet) -> None:
    with FakeWallet(key=ACME_CALLED) as moved:
        write(two.file, entry(moved.url))

        async def arrived() -> bool:
            await two.other.simulate()
            return bool(moved.calls)

        await until(arrived)
        acme.calls.clear()
        assert (await two.other.simulate())["passed"] is True
    assert acme.calls == []
