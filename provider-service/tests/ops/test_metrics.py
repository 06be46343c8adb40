"""/metrics: counters, gauges from the books, an unavailable database, and hostile label values."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httpx
import psycopg
import pytest

from provider.errors import ERRORS
from provider.ops import backlog
from provider.ops.backlog import BacklogReader
from provider.ops.metrics import OTHER, Metrics
from provider.wallet_client.actions import ACTIONS
from provider.wallet_client.health import HealthReport, Status
from provider_testing.fake_wallet import FakeWallet
from provider_testing.scraping import Scrape, read, scrape
from provider_testing.service import PROVIDER_KEY, Running, fresh_launch, rows, serving, settled
from provider_testing.wallet_faults import after_work, answering, cut, spoiling, stall
from shared_service.http.exchange import NO_CODE, OK, UNANSWERED
from shared_service.http.routing import ELSEWHERE
from shared_service.postgres.database import Database
from shared_service_testing.waiting import until
from shared_signing.keys import KeyRing
from shared_signing.signer import Signer

OFTEN = 10_000
WAIT_SECONDS = 60.0


async def seen_after(
    database_url: str, wallet: FakeWallet, work: Callable[[Running], Awaitable[object]], **changed: Any
) -> Scrape:
    """What a provider shows after some work."""
    async with serving(database_url, wallet, **changed) as provider:
        await work(provider)
        return await scrape(provider.client)


async def shown(provider: Running, happened: Callable[[Scrape], bool]) -> Scrape:
    """Scrape until something is seen."""

    async def look() -> Scrape | None:
        seen = await scrape(provider.client)
        return seen if happened(seen) else None

    seen = await until(look)
    assert seen
    return seen


async def test_a_good_round_is_counted_call_by_call(database_url: str, wallet: FakeWallet) -> None:
    seen = await seen_after(database_url, wallet, lambda provider: provider.simulate())
    calls = "provider_wallet_calls_total"
    assert seen.value(calls, endpoint="debit", outcome="accepted", code=OK) == 3
    assert seen.value(calls, endpoint="credit", outcome="accepted", code=OK) == 1
    assert seen.value(calls, endpoint="rollback", outcome="accepted", code=OK) == 2
    assert seen.value(calls, endpoint="rollback", outcome="refused", code="round_has_payout") == 1
    assert seen.value(calls, outcome="unknown") == 0
    assert seen.value("provider_wallet_attempts_total", signature="good") == seen.value(calls)
    assert seen.value("provider_wallet_retries_total") == 0
    assert seen.value("provider_wallet_replays_total", endpoint="debit") == 1
    assert seen.value("provider_wallet_tombstones_total") == 1
    assert seen.value("provider_wallet_call_seconds_count") == seen.value(calls)
    assert 0 < seen.value("provider_wallet_call_seconds_sum") < 600
    assert seen.value("provider_requests_total", endpoint="/provider/simulate", code=OK) == 1
    assert seen.value("provider_request_seconds_count", endpoint="/provider/launch") == 1
    assert seen.label_values("peer") == {"JAQPOT"}
    assert seen.value("provider_wallet_health", peer="JAQPOT", state="healthy") == 1
    assert seen.value("provider_books_readable") == 1
    assert seen.label_values("pool") == {"rounds", "recovery", "reconciliation"}
    assert seen.value("provider_pool_connections", state="open") >= 2


async def test_unknown_outcomes_retries_and_verdicts_on_signatures_are_told_apart(
    database_url: str, wallet: FakeWallet
) -> None:
    async def rounds(provider: Running) -> None:
        wallet.plan("debit", answering(409, "session_busy"), times=1)
        wallet.plan("credit", after_work(cut), times=1)
        await provider.simulate()
        wallet.plan("debit", spoiling(signed="bad"), times=1)
        await provider.simulate()
        wallet.plan("debit", answering(500, "internal", signed="missing"), times=1)
        await provider.simulate()
        await shown(provider, lambda seen: seen.value("provider_wallet_calls_total", endpoint="rollback") >= 3)

    seen = await seen_after(database_url, wallet, rounds)
    calls = "provider_wallet_calls_total"
    assert seen.value(calls, endpoint="debit", outcome="unknown", code="operator_bad_response") == 1
    assert seen.value(calls, endpoint="debit", outcome="unknown", code="operator_unreachable") == 1
    assert seen.value(calls, endpoint="credit", outcome="unknown", code="operator_unreachable") == 1
    assert seen.value("provider_wallet_retries_total", endpoint="debit") == 1
    attempts = "provider_wallet_attempts_total"
    assert [seen.value(attempts, signature=verdict) for verdict in ("bad", "missing", "none")] == [1, 1, 1]


async def test_what_is_pending_and_how_old_it_is_comes_from_the_books(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: Any
) -> None:
    monkeypatch.setattr(backlog, "FRESH_SECONDS", 0.0)

    async def rounds(provider: Running) -> None:
        calm = await scrape(provider.client)
        assert calm.value("provider_pending_transactions") == calm.value("provider_debits_in_doubt") == 0
        assert calm.value("provider_pending_oldest_seconds") == 0
        wallet.plan("credit", cut, times=OFTEN)
        await provider.simulate()
        wallet.plan("debit", cut, times=1)
        wallet.plan("rollback", cut, times=OFTEN)
        await provider.simulate()
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute(
                "update provider.wallet_transactions set created_at = created_at - interval '1 hour'"
                " where state = 'pending'"
            )
        seen = await shown(provider, lambda seen: seen.value("provider_pending_transactions", kind="credit") == 1)
        assert seen.value("provider_debits_in_doubt") == 1
        assert seen.value("provider_pending_transactions", kind="rollback") >= 1
        for kind in ("rollback", "credit"):
            assert 3600 <= seen.value("provider_pending_oldest_seconds", kind=kind) < 3700
        wallet.forget_plans()
        await settled(owner_url)
        await shown(provider, lambda seen: seen.value("provider_pending_transactions") == 0)

    await seen_after(database_url, wallet, rounds)
    assert rows(owner_url, "select 1 as one from provider.wallet_transactions where state = 'pending'") == []


async def test_the_age_of_the_last_reconciliation_and_what_it_left_are_shown(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: Any
) -> None:
    monkeypatch.setattr(backlog, "FRESH_SECONDS", 0.0)
    run = (
        "insert into provider.reconciliation_runs"
        " (ran_by, heals, started_at, lease_until, found, healed, ended_at, exit_status, failure) values"
        " ('test', false, now(), now(), 5, 2, now() - interval '1 hour', 1, null),"
        " ('test', false, now(), now(), 9, 0, now(), 2, 'wallet_away')"
    )

    async def work(provider: Running) -> None:
        before = await scrape(provider.client)
        assert before.value("provider_reconciliation_differences") == 0
        assert 0 <= before.value("provider_reconciliation_age_seconds") < 3600
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute(run)

    seen = await seen_after(database_url, wallet, work)
    assert seen.value("provider_reconciliation_differences") == 3, "those of the last run that came to its end"
    assert 3600 <= seen.value("provider_reconciliation_age_seconds") < 3700


@pytest.mark.usefixtures("own_patience")
async def test_without_a_database_a_scrape_shows_everything_else(wallet: FakeWallet) -> None:
    async def work(provider: Running) -> None:
        await provider.client.get("/health/ready", auth=None)

    seen = await seen_after("postgresql://nobody:x@127.0.0.1:1/none", wallet, work)
    assert seen.value("provider_books_readable") == 0
    assert seen.has("provider_books_readable")
    for absent in ("provider_pending_transactions", "provider_debits_in_doubt", "provider_reconciliation_differences"):
        assert not seen.has(absent), "an old figure would be a lie"
    assert seen.value("provider_requests_total", endpoint="/health/ready", code=NO_CODE) == 1


async def test_scrapes_ask_the_books_once_in_a_while(
    database_url: str, owner_url: str, wallet: FakeWallet, monkeypatch: Any
) -> None:
    monkeypatch.setattr(backlog, "FRESH_SECONDS", 300.0)

    async def work(provider: Running) -> None:
        assert (await scrape(provider.client)).value("provider_pending_transactions") == 0
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute("alter table provider.wallet_transactions rename to gone")
            for _ in range(20):
                assert (await scrape(provider.client)).value("provider_books_readable") == 1
            connection.execute("alter table provider.gone rename to wallet_transactions")

    await seen_after(database_url, wallet, work)


async def test_the_clock_of_the_casino_is_shown(database_url: str, wallet: FakeWallet) -> None:
    async def work(provider: Running) -> None:
        body = json.dumps(fresh_launch()).encode()
        ahead = Signer(KeyRing([PROVIDER_KEY]), lambda: time.time() + 45)
        headers = {"x-provider-signature": ahead.sign_request("POST", "/provider/launch", body).header}
        answer = await provider.client.post("/provider/launch", content=body, headers=headers, auth=None)
        assert answer.status_code == 200

    seen = await seen_after(database_url, wallet, work)
    assert -46 <= seen.value("provider_peer_clock_skew_seconds") <= -30


async def test_every_refused_request_is_logged_once_with_its_code_and_id(
    database_url: str, wallet: FakeWallet, logged: Callable[[], str]
) -> None:
    """Invariant I10."""
    answers: list[httpx.Response] = []

    async def work(provider: Running) -> None:
        post, own_id = provider.client.post, {"x-request-id": "refused-1"}
        answers.append(await post("/provider/launch", content=b"{}", headers=own_id, auth=None))
        answers.append(await post("/provider/launch", content=b"{", headers=own_id))
        answers.append(await post("/provider/launch", content=b"{}", headers=own_id))
        answers.append(await post("/provider/launch", json=fresh_launch(gameId="NONE"), headers=own_id))
        answers.append(await provider.client.get("/nowhere", headers=own_id))
        answers.append(await provider.client.put("/provider/launch", headers=own_id))

    await seen_after(database_url, wallet, work)
    codes = [answer.json()["code"] for answer in answers]
    assert len(set(codes)) == len(answers), codes
    lines = [json.loads(line) for line in logged().splitlines() if '"request_refused"' in line]
    assert [(line["code"], line["request_id"]) for line in lines] == [(code, "refused-1") for code in codes]


async def test_fuzzed_paths_ids_and_codes_of_a_wallet_make_no_new_series(database_url: str, wallet: FakeWallet) -> None:
    """Row H4. The first requests make the series that exist; no later request makes another."""
    known: set[str] = set()
    scrapes: list[Scrape] = []

    async def ask(provider: Running, number: int) -> None:
        path = f"/provider/{number:x}/{'%41' * (number % 7)}?token={number}"
        method = "GET" if number % 2 else "BREW"
        await provider.client.request(method, path, headers={"x-request-id": f"r-{number}"})

    async def work(provider: Running) -> None:
        known.update(route.path for route in provider.app.state.table.routes)
        await scrape(provider.client)  # a scrape is a request, too
        for first in (0, 100):
            for number in range(first, first + 100):
                await ask(provider, number)
            for number in range(first, first + 5):
                wallet.plan("debit", answering(400, f"made_up_{number}"), times=1)
                await provider.simulate()
            scrapes.append(await scrape(provider.client))

    await seen_after(database_url, wallet, work)
    earlier, seen = scrapes
    assert seen.label_values("endpoint") <= known | {ELSEWHERE, "debit", "credit", "rollback", "getBalance"}
    assert seen.label_values("code") <= {*ERRORS, *ACTIONS, OK, NO_CODE, UNANSWERED, OTHER}
    assert seen.value("provider_wallet_calls_total", outcome="refused", code=OTHER) == 10
    assert seen.series() == earlier.series()


async def test_a_stalled_wallet_does_not_stall_a_scrape(database_url: str, wallet: FakeWallet) -> None:
    async def work(provider: Running) -> None:
        wallet.plan("debit", stall)
        playing = asyncio.create_task(provider.simulate())
        await asyncio.to_thread(wallet.reached.wait, WAIT_SECONDS)
        assert (await scrape(provider.client)).value("provider_wallet_calls_total", endpoint="debit") == 0
        wallet.forget_plans()
        await playing

    seen = await seen_after(database_url, wallet, work, call_seconds=60.0)
    assert seen.value("provider_wallet_calls_total", endpoint="debit", outcome="unknown") == 1


class NoBooks(BacklogReader):
    """Books that never answer."""

    def __init__(self) -> None:
        super().__init__(cast("Database", None), list)

    async def refresh(self) -> None:
        """Nothing is known of them."""


async def test_what_calls_change_is_read_on_the_loop_that_they_end_on() -> None:
    """A page is made in a thread: counts of calls that change there under way were an internal error now and then."""
    threads = []

    def health() -> dict[str, HealthReport]:
        threads.append(threading.get_ident())
        return {"JAQPOT": HealthReport(Status.DEGRADED, since=0.0, error_rate=0.06, calls=100)}

    seen = read((await Metrics().scrape_of(NoBooks(), health=health)()).decode())
    assert seen.value("provider_wallet_health", state="degraded") == 1
    assert set(threads) == {threading.get_ident()}


@pytest.mark.parametrize("demo", [True, False])
def test_demo_mode_is_a_metric(demo: bool) -> None:
    assert Metrics(demo=demo).registry.get_sample_value("provider_demo_mode") == demo
