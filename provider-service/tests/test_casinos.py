"""A provider with two casinos: what one signs reaches only its own, and one that does not answer delays no other."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import psycopg

from provider.outbox.recovery import DELIVERIES_MAX
from provider_testing.casinos import OTHER, OWN
from provider_testing.fake_wallet import Exchange, FakeWallet
from provider_testing.scraping import OPS_URL, scrape
from provider_testing.service import (
    end_leases,
    fresh_launch,
    rows,
    settled,
)
from provider_testing.two_casinos import ACME_CALLED, ACME_CALLS, Two, code_of, late, serving_two
from provider_testing.wallet_faults import after_work, cut, stall
from shared_service_testing.waiting import until
from shared_signing.keys import Key


async def test_two_casinos_use_the_same_ids_and_play_each_against_its_own_wallet(
    two: Two, owner_url: str, wallet: FakeWallet, acme: FakeWallet
) -> None:
    same = {"sessionToken": "ab" * 32, "casinoSessionId": "1001", "userId": "1"}
    for casino in (two.own, two.other):
        assert (await casino.simulate(await casino.launch(**same)))["passed"] is True
    players = rows(owner_url, "select casino_code, user_id from provider.players order by casino_code")
    assert players == [{"casino_code": OTHER, "user_id": "1"}, {"casino_code": OWN, "user_id": "1"}]
    by_casino = {
        row["transaction_id"]: row["casino_code"]
        for row in rows(
            owner_url,
            "select t.transaction_id::text, s.casino_code from provider.wallet_transactions as t"
            " join provider.game_sessions as s using (provider_session_id) where t.state <> 'refused'",
        )
    }
    for each, code in ((wallet, OWN), (acme, OTHER)):
        assert {by_casino[transaction_id] for transaction_id in each.model.transactions} == {code}


async def test_a_casino_reaches_no_session_of_another(two: Two, wallet: FakeWallet, acme: FakeWallet) -> None:
    """It knows everything about the session, and has only the wrong key."""
    for owner, thief in ((two.own, two.other), (two.other, two.own)):
        session = await owner.launch()
        stolen = [
            await thief.client.post("/provider/simulate", json=session | changed)
            for changed in ({}, {"casinoCode": thief.casino_code})
        ]
        assert [code_of(answer) for answer in stolen] == [
            (404, "not_found", "good"),
            (404, "session_not_found", "good"),
        ]
        launched = await thief.client.post("/provider/launch", json=fresh_launch(casinoCode=owner.casino_code))
        assert code_of(launched) == (404, "not_found", "good")
    assert (wallet.calls, acme.calls) == ([], [])


async def test_a_key_of_one_casino_under_the_id_of_anothers_is_no_key(two: Two) -> None:
    forged = two.own.of(OTHER, Key(ACME_CALLS.key_id, b"provider-secret"))
    async with forged.client:
        answer = await forged.client.post("/provider/launch", json=fresh_launch(casinoCode=OTHER))
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")


async def test_an_answer_signed_by_another_casino_decides_nothing(
    database_url: str, owner_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    """Casino B answers under B's key where casino A was called: that is no answer of A."""
    with FakeWallet(key=ACME_CALLED) as acme:
        async with serving_two(database_url, wallet, acme, tmp_path / "casinos.json") as two:
            session = await two.own.launch()
            wallet.signer = acme.signer  # its requests are still verified with its own key
            report = await two.own.simulate(session)
            assert report["passed"] is False
    assert rows(owner_url, "select from provider.wallet_transactions where state = 'committed'") == []


async def test_a_casino_that_hangs_delays_no_round_of_another(
    two: Two, owner_url: str, wallet: FakeWallet, acme: FakeWallet
) -> None:
    """More rounds of the one that hangs are under way than one wallet's deliveries and database connections."""
    hanging = 24
    acme.plan("getBalance", stall, times=hanging)
    sessions = [await two.other.launch(userId=f"u{number}") for number in range(hanging)]
    playing = [asyncio.create_task(two.other.simulate(session)) for session in sessions]
    await until(lambda: len(acme.made("getBalance")) == hanging)
    for _ in range(3):
        assert (await two.own.simulate())["passed"] is True
    assert not any(task.done() for task in playing)
    acme.forget_plans()
    await asyncio.gather(*playing)


async def test_rounds_of_one_casino_do_not_use_up_those_of_another(
    database_url: str, wallet: FakeWallet, acme: FakeWallet, tmp_path: Path
) -> None:
    file = tmp_path / "casinos.json"
    async with serving_two(database_url, wallet, acme, file, rounds_max=1, call_seconds=60.0) as two:
        acme.plan("getBalance", late)
        first, second = await two.other.launch(), await two.other.launch(userId="2")
        playing = asyncio.create_task(two.other.simulate(first))
        await until(acme.reached.is_set)
        answer = await two.other.client.post("/provider/simulate", json=second)
        assert code_of(answer) == (503, "overloaded", "good")
        assert (await two.own.simulate())["passed"] is True
        acme.forget_plans()
        assert (await playing)["passed"] is True


async def test_one_casino_leaves_half_of_the_capacity_to_the_others(
    database_url: str, wallet: FakeWallet, acme: FakeWallet, tmp_path: Path
) -> None:
    file = tmp_path / "casinos.json"
    async with serving_two(database_url, wallet, acme, file, requests_max=4, call_seconds=60.0) as two:
        sessions = [await two.other.launch(userId=f"u{number}") for number in range(2)]
        acme.plan("getBalance", late, times=2)
        playing = [asyncio.create_task(two.other.simulate(session)) for session in sessions]
        await until(lambda: len(acme.made("getBalance")) == 2)
        answer = await two.other.client.post("/provider/launch", json=fresh_launch(casinoCode=OTHER))
        assert code_of(answer) == (503, "overloaded", "missing"), "before its nonce is used"
        assert (await two.own.simulate())["passed"] is True
        acme.forget_plans()
        await asyncio.gather(*playing)


async def test_deliveries_to_a_casino_that_hangs_leave_those_to_another(
    two: Two, owner_url: str, wallet: FakeWallet, acme: FakeWallet
) -> None:
    """Everything that is due to the one that hangs is older, and more than may be under way."""
    owed, hangs = DELIVERIES_MAX + 4, asyncio.Event()

    async def cut_or_hang(exchange: Exchange) -> None:
        await (stall(exchange) if hangs.is_set() else cut(exchange))

    acme.plan("credit", cut_or_hang, times=10_000)
    for number in range(owed):
        await two.other.simulate(await two.other.launch(userId=f"u{number}"))
    hangs.set()
    wallet.plan("credit", after_work(cut))
    await two.own.simulate()
    end_leases(owner_url)
    due = "select from provider.wallet_transactions where kind = 'credit' and state = 'pending'"
    await until(lambda: len(rows(owner_url, due)) == owed)
    await until(acme.reached.is_set)
    seen = await scrape(two.own.client)
    assert seen.value("provider_pending_transactions", peer=OTHER, kind="credit") == owed
    assert seen.value("provider_pending_transactions", peer=OWN, kind="credit") == 0
    acme.forget_plans()
    end_leases(owner_url)
    await settled(owner_url)


async def test_health_and_metrics_tell_the_casinos_apart(database_url: str, wallet: FakeWallet, tmp_path: Path) -> None:
    with FakeWallet(key=ACME_CALLED) as acme:
        pass
    async with serving_two(database_url, wallet, acme, tmp_path / "casinos.json") as two:

        async def acme_is_down() -> bool:
            await two.own.simulate()
            answer = await two.own.client.get(f"{OPS_URL}/health/wallet", auth=None)
            body = answer.json()
            assert answer.status_code == 200, "one of two is served"
            return bool(body["casinos"][OTHER]["status"] == "down")

        await until(acme_is_down)
        body = (await two.own.client.get(f"{OPS_URL}/health/wallet", auth=None)).json()
        assert (body["status"], body["casinos"][OWN]["status"]) == ("down", "healthy")
        assert body["since"] == body["casinos"][OTHER]["since"]
        assert (await two.own.simulate())["passed"] is True
        seen = await scrape(two.own.client)
        assert seen.label_values("peer") == {OWN, OTHER}
        assert seen.value("provider_wallet_health", peer=OTHER, state="down") == 1
        assert seen.value("provider_wallet_calls_total", peer=OTHER) == 0
        assert seen.value("provider_wallet_calls_total", peer=OWN) > 0


async def test_one_feed_that_hangs_holds_up_no_other_nightly_run(
    database_url: str, owner_url: str, wallet: FakeWallet, acme: FakeWallet, tmp_path: Path
) -> None:
    with psycopg.connect(owner_url, autocommit=True) as owner:
        for code in (OWN, OTHER):
            owner.execute("insert into provider.casinos values (%s, now() - interval '3 days')", (code,))
    acme.plan("transactions", stall)
    file, at = tmp_path / "casinos.json", dt.time(3, 30)
    async with serving_two(database_url, wallet, acme, file, reconcile_at=at, call_seconds=60.0):
        await until(acme.reached.is_set)
        ended = "select casino_code, exit_status from provider.reconciliation_runs where ended_at is not null"
        await until(lambda: rows(owner_url, ended))
        assert rows(owner_url, ended) == [{"casino_code": OWN, "exit_status": 0}]
        acme.forget_plans()
        await until(lambda: len(rows(owner_url, ended)) == 2)
