"""Runs: one at a time, every night in one process, and refusing what a hostile wallet tells."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from fake_wallet import Exchange, FakeWallet
from provider_bench import fresh_launch, rows, serving, settings_for, until
from reconciling import play, reconciled, run_once
from wallet_faults import answering, cut, endless_body, html, redirect, spoiling, stall

from provider.db import Pool, create_pool
from provider.reconciliation import feed, run
from provider.reconciliation.queries import RunBooks
from provider.reconciliation.run import Progress
from provider.reconciliation.serving import PAUSE_SECONDS, TRIES_MAX, Nightly, last_due, reconcile
from provider.sessions.sealing import sealer_for
from provider.sessions.serving import stop_stale_sessions
from shared_signing.keys import KeyRing

ROW = {
    "transactionId": "a9429bb3-9f71-4497-9fa4-f5f7592a46af",
    "userId": "1",
    "roundId": "r",
    "type": "debit",
    "amount": 1000,
    "currency": "USD",
    "state": "committed",
    "balanceAfter": "5",
}


def telling(content: Any, *, signed: str = "good", status: int = 200) -> Callable[[Exchange], Awaitable[None]]:
    async def fault(exchange: Exchange) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        await exchange.send_bytes(status, raw, signed=signed)

    return fault


def page_of(*page: Any, after: str = "1") -> dict[str, Any]:
    return {"transactions": list(page), "next": after}


HOSTILE: dict[str, Any] = {
    "a page of HTML": html,
    "no list": telling({"transactions": {}, "next": "1"}),
    "no cursor": telling({"transactions": []}),
    "a cursor that is a number": telling({"transactions": [ROW], "next": 1}),
    "a cursor that is a word": telling(page_of(ROW, after="abc")),
    "a cursor too long": telling(page_of(ROW, after="1" * 20)),
    "a cursor that stands still": telling(page_of(ROW, after="0")),
    "an empty page that goes on": telling(page_of()),
    "more rows than asked for": telling(page_of(*[ROW] * 1001)),
    "a key twice": telling(b'{"transactions": [], "transactions": [], "next": "0"}'),
    "an endless body": endless_body,
    "a body over its bound": telling(b" " * (feed.PAGE_MAX_BYTES + 1)),
    "not found": telling({"code": "not_found"}, status=404),
}


@pytest.mark.parametrize("wrong", HOSTILE)
def test_a_hostile_page_is_refused_and_ends_the_run(
    database_url: str, wallet: FakeWallet, wrong: str, logged: Callable[[], str]
) -> None:
    """Row B11 for the feed: signed nonsense is nonsense. Of one row it is a difference: test_hostile_rows.py."""
    wallet.plan("transactions", HOSTILE[wrong], times=50)
    report = reconciled(database_url, wallet)
    assert (report["exitStatus"], report["failure"]) == (2, "feed_refused")
    (told,) = [json.loads(line) for line in logged().splitlines() if "reconciliation_stopped" in line]
    assert (told["level"], told["code"], told["run_id"]) == ("error", "feed_refused", report["runId"])
    assert len(wallet.made("transactions")) == 1, "asking again would not help"


AWAY: dict[str, Any] = {
    "cut": cut,
    "unsigned": spoiling(signed="missing"),
    "badly signed": spoiling(signed="bad"),
    "a redirect": redirect,
    "a signed 500": answering(500, "internal"),
    "a signed 503": answering(503, "overloaded"),
    "an unsigned 404": answering(404, "not_found", signed="missing"),
}


@pytest.mark.parametrize("how", AWAY)
def test_a_wallet_that_is_away_is_asked_a_few_times_and_then_the_run_cannot_finish(
    database_url: str, owner_url: str, wallet: FakeWallet, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "WAIT_MAX_SECONDS", 0.01)
    monkeypatch.setattr(feed.Feed.__init__, "__kwdefaults__", {"first_wait_seconds": 0.001})
    wallet.plan("transactions", AWAY[how], times=50)
    report = reconciled(database_url, wallet)
    assert (report["exitStatus"], report["failure"]) == (2, "wallet_away")
    assert len(wallet.made("transactions")) == feed.TRIES_MAX
    assert rows(owner_url, "select provider.open_differences() as open") == [{"open": 0}]


def test_a_short_outage_in_the_middle_is_waited_out(database_url: str, wallet: FakeWallet) -> None:
    play(database_url, wallet)
    wallet.plan("transactions", cut, skip=1)
    wallet.plan("transactions", answering(503, "overloaded"))
    assert reconciled(database_url, wallet)["exitStatus"] == 0


def test_a_wallet_whose_clock_is_off_is_asked_again_with_its_time(database_url: str) -> None:
    with FakeWallet(clock=lambda: time.time() + 300) as wallet:
        assert reconciled(database_url, wallet)["exitStatus"] == 0


def test_too_many_differences_end_the_run(
    database_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "DIFFERENCES_MAX", 3)
    for _ in range(5):
        asked = {"sessionToken": "t", "userId": "1", "transactionId": str(uuid.uuid4()), "roundId": "r", "amount": 1}
        wallet.model.execute("debit", asked)
    report = reconciled(database_url, wallet)
    assert (report["exitStatus"], report["failure"], report["found"]) == (2, "too_many_differences", 3)


def test_a_feed_without_end_is_read_to_a_bound(
    database_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PAGES_MAX", 5)
    monkeypatch.setattr(feed, "PAGE_ROWS", 1)
    play(database_url, wallet, rounds=2)
    report = reconciled(database_url, wallet)
    assert (report["exitStatus"], report["failure"]) == (2, "feed_without_end")


def with_books(database_url: str, work: Callable[[RunBooks, Pool], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        async with create_pool(settings_for(database_url, "http://unused")) as pool:
            return await work(RunBooks(pool), pool)

    return asyncio.run(go())


def test_one_run_at_a_time_whoever_asks(database_url: str, owner_url: str) -> None:
    async def work(books: RunBooks, pool: Pool) -> None:
        begun = await asyncio.gather(*(books.begin(f"p{n}", heals=True, scheduled_for=None) for n in range(8)))
        ids = [run_id for run_id in begun if run_id is not None]
        assert len(ids) == 1
        assert await books.end(ids[0], None) == 0
        assert await books.begin("p", heals=True, scheduled_for=None) is not None

    with_books(database_url, work)


def test_a_run_whose_process_has_gone_makes_room_and_cannot_come_back(database_url: str, owner_url: str) -> None:
    async def work(books: RunBooks, pool: Pool) -> None:
        first = await books.begin("dead", heals=True, scheduled_for=None)
        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute("update provider.reconciliation_runs set lease_until = now()")
        second = await books.begin("alive", heals=True, scheduled_for=None)
        assert first is not None
        assert second is not None
        assert await books.keep(first, cursor="1", compared=1, open_count=0) is False
        assert await books.keep(second, cursor="1", compared=1, open_count=0) is True

    with_books(database_url, work)
    told = rows(owner_url, "select ran_by, exit_status, failure from provider.reconciliation_runs order by run_id")
    assert told[0] == {"ran_by": "dead", "exit_status": 2, "failure": "abandoned"}


def test_a_run_that_was_overtaken_stops_and_says_so(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    """Row G7. Its lease ran out while it waited: the other run reports and heals, and this one must not."""
    play(database_url, wallet)

    async def overtaken() -> int:
        settings = settings_for(database_url, wallet.url)
        async with create_pool(settings) as pool:
            run_id = await RunBooks(pool).begin("slow", heals=True, scheduled_for=None)
            assert run_id is not None
            progress = Progress(run_id, lost=True)
            ring, sealer = KeyRing(settings.casino_keys), sealer_for(settings)
            return await reconcile(settings, pool, progress, key_ring=ring, sealer=sealer, heals=True)

    assert asyncio.run(overtaken()) == 2
    told = rows(owner_url, "select exit_status, failure, found from provider.reconciliation_runs")
    assert told == [{"exit_status": 2, "failure": "interrupted", "found": 0}]


AT = dt.time(3, 30)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-21T03:29:59+00:00", "2026-11-20T03:30:00+00:00"),
        ("2026-11-21T03:30:00+00:00", "2026-11-21T03:30:00+00:00"),
        ("2026-11-21T23:59:59+00:00", "2026-11-21T03:30:00+00:00"),
        ("2026-03-01T00:00:00+00:00", "2026-02-28T03:30:00+00:00"),
    ],
)
def test_the_latest_moment_that_was_due(now: str, due: str) -> None:
    assert last_due(dt.datetime.fromisoformat(now), AT) == dt.datetime.fromisoformat(due)


class Night:
    """Several processes with one clock that a test moves, and what they ran."""

    def __init__(self, books: RunBooks, *, processes: int, at: dt.time | None = AT) -> None:
        self.now = dt.datetime.now(dt.UTC).replace(hour=12, minute=0)
        self.ran: list[int] = []
        self.exit: str | None = None
        self._books = books
        self.nightlies = [Nightly(books, self._run, at=at, ran_by=f"p{n}", clock=self.time) for n in range(processes)]

    def time(self) -> float:
        return self.now.timestamp()

    async def _run(self, progress: Progress) -> int:
        self.ran.append(progress.run_id)
        return await self._books.end(progress.run_id, self.exit)

    async def steps(self) -> None:
        await asyncio.gather(*(nightly.step() for nightly in self.nightlies))


def test_the_nightly_run_is_done_once_by_any_number_of_processes_and_caught_up_when_missed(
    database_url: str, owner_url: str
) -> None:
    async def work(books: RunBooks, pool: Pool) -> None:
        night = Night(books, processes=6)
        with psycopg.connect(owner_url, autocommit=True) as owner:  # whatever time of day it is in truth
            owner.execute("update provider.reconciliation_schedule set installed_at = %s", (night.now,))
        await night.steps()
        assert night.ran == [], "what was due before the installation is not missed"
        night.now += dt.timedelta(days=1)
        for _ in range(3):
            await night.steps()
        assert len(night.ran) == 1
        night.now += dt.timedelta(days=3, hours=5)  # all of them were stopped for three nights
        await night.steps()
        assert len(night.ran) == 2
        await night.steps()
        assert len(night.ran) == 2

    with_books(database_url, work)


def test_a_nightly_run_that_could_not_finish_is_tried_again_later_and_not_for_ever(
    database_url: str, owner_url: str
) -> None:
    async def work(books: RunBooks, pool: Pool) -> None:
        night = Night(books, processes=2)
        night.now, night.exit = night.now + dt.timedelta(days=1), "wallet_away"
        await night.steps()
        await night.steps()
        assert len(night.ran) == 1, "not at once"
        for tried in range(2, TRIES_MAX + 4):
            with psycopg.connect(owner_url, autocommit=True) as owner:
                ago = dt.timedelta(seconds=PAUSE_SECONDS + 1)
                owner.execute("update provider.reconciliation_runs set started_at = started_at - %s", (ago,))
            await night.steps()
            assert len(night.ran) == min(tried, TRIES_MAX)

    with_books(database_url, work)


def test_a_run_that_is_cancelled_makes_room_at_once(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    wallet.plan("transactions", stall)

    async def work() -> None:
        running = asyncio.create_task(run_once(database_url, wallet))
        await until(wallet.reached.is_set)
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled()

    asyncio.run(work())
    told = rows(owner_url, "select exit_status, failure from provider.reconciliation_runs")
    assert told == [{"exit_status": 2, "failure": "interrupted"}]
    wallet.forget_plans()
    assert reconciled(database_url, wallet)["exitStatus"] == 0


def test_a_process_that_stops_ends_its_nightly_run_at_the_next_page(database_url: str) -> None:
    async def work(books: RunBooks, pool: Pool) -> None:
        stopped = list[bool]()

        async def run_until_stopped(progress: Progress) -> int:
            await nightly.interrupt()
            stopped.append(progress.lost)
            return await books.end(progress.run_id, "interrupted")

        tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
        nightly = Nightly(books, run_until_stopped, at=AT, ran_by="p", clock=tomorrow.timestamp)
        await nightly.interrupt()
        assert await nightly.step() is False
        assert stopped == [True]

    with_books(database_url, work)


def test_a_night_that_is_switched_off_never_runs(database_url: str) -> None:
    async def work(books: RunBooks, pool: Pool) -> None:
        night = Night(books, processes=1, at=None)
        night.now += dt.timedelta(days=5)
        await night.steps()
        assert night.ran == []

    with_books(database_url, work)


def test_a_serving_provider_catches_up_on_a_night_that_it_missed(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    play(database_url, wallet)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("update provider.reconciliation_schedule set installed_at = now() - interval '3 days'")

    async def work() -> None:
        async with serving(database_url, wallet, reconcile_at=AT), serving(database_url, wallet, reconcile_at=AT):
            ended = "select from provider.reconciliation_runs where ended_at is not null"
            await until(lambda: rows(owner_url, ended))

    asyncio.run(work())
    done = rows(owner_url, "select exit_status, compared, scheduled_for from provider.reconciliation_runs")
    assert [(row["exit_status"], row["compared"]) for row in done] == [(0, 5)]
    assert done[0]["scheduled_for"].time() == AT


def test_a_session_that_nobody_plays_in_is_stopped_and_one_that_owes_is_not(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    async def work() -> list[str]:
        async with serving(database_url, wallet, retry_first_seconds=600.0) as provider:
            idle, played, owing, fresh = [await provider.launch(**fresh_launch()) for _ in range(4)]
            await provider.simulate(played)
            wallet.plan("credit", cut, times=50)
            await provider.simulate(owing)
            ids = [session["providerSessionId"] for session in (idle, played, owing, fresh)]
            with psycopg.connect(owner_url, autocommit=True) as owner:
                owner.execute(
                    "update provider.game_sessions set created_at = now() - interval '25 hours'"
                    " where provider_session_id = any(%s::uuid[])",
                    (ids[:3],),
                )
                owner.execute("update provider.rounds set created_at = now() - interval '25 hours'")
        async with create_pool(settings_for(database_url, wallet.url)) as pool:
            assert await stop_stale_sessions(pool) is False
            return ids

    ids = asyncio.run(work())
    told = {
        str(row["provider_session_id"]): row["stopped_code"]
        for row in rows(owner_url, "select provider_session_id, stopped_code from provider.game_sessions")
    }
    assert [told[name] for name in ids] == ["stale", "stale", None, None]
