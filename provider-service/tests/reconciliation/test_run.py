"""Runs of reconciliation: one at a time, bounded, and stopped when another process took over."""

from __future__ import annotations

import asyncio
import uuid

import psycopg
import pytest

from provider.casinos.registry import Casino
from provider.reconciliation import feed, run
from provider.reconciliation.queries import ReconciliationBooks
from provider.reconciliation.run import Progress
from provider.reconciliation.serving import reconcile
from provider.sessions.sealing import sealer_for
from provider.sql.schema import database_for
from provider_testing.fake_wallet import FakeWallet
from provider_testing.reconciling import play, reconciled, with_books
from provider_testing.service import rows, settings_for
from provider_testing.wallet_faults import stall
from shared_service.postgres.database import Database
from shared_service_testing.waiting import until
from shared_signing.keys import KeyRing


async def test_too_many_differences_end_the_run(
    database_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "DIFFERENCES_MAX", 3)
    for _ in range(5):
        asked = {"sessionToken": "t", "userId": "1", "transactionId": str(uuid.uuid4()), "roundId": "r", "amount": 1}
        wallet.model.execute("debit", asked)
    report = await reconciled(database_url, wallet)
    assert (report["exitStatus"], report["failure"], report["found"]) == (2, "too_many_differences", 3)


async def test_a_feed_without_end_is_read_to_a_bound(
    database_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PAGES_MAX", 5)
    monkeypatch.setattr(feed, "PAGE_ROWS", 1)
    await play(database_url, wallet, rounds=2)
    report = await reconciled(database_url, wallet)
    assert (report["exitStatus"], report["failure"]) == (2, "feed_without_end")


async def test_a_run_that_takes_too_long_ends_and_the_next_one_compares_all(
    database_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "RUN_SECONDS_MAX", -1.0)
    for amount in (1, 2):
        asked = {"sessionToken": "t", "userId": "1", "transactionId": str(uuid.uuid4()), "roundId": "r"}
        wallet.model.execute("debit", asked | {"amount": amount})
    report = await reconciled(database_url, wallet)
    assert (report["exitStatus"], report["failure"], report["found"]) == (2, "too_long", 0)
    monkeypatch.undo()
    assert (await reconciled(database_url, wallet))["found"] == 2


async def test_one_run_at_a_time_whoever_asks(database_url: str, owner_url: str) -> None:
    async def work(books: ReconciliationBooks, pool: Database) -> None:
        begun = await asyncio.gather(*(books.begin(f"p{n}", heals=True, scheduled_for=None) for n in range(8)))
        ids = [run_id for run_id in begun if run_id is not None]
        assert len(ids) == 1
        assert await books.end(ids[0], None) == 0
        assert await books.begin("p", heals=True, scheduled_for=None) is not None

    await with_books(database_url, work)


async def test_a_run_whose_process_has_gone_makes_room_and_cannot_come_back(database_url: str, owner_url: str) -> None:
    async def work(books: ReconciliationBooks, pool: Database) -> None:
        first = await books.begin("dead", heals=True, scheduled_for=None)
        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute("update provider.reconciliation_runs set lease_until = now()")
        second = await books.begin("alive", heals=True, scheduled_for=None)
        assert first is not None
        assert second is not None
        assert await books.keep(first, cursor="1", compared=1, open_count=0) is False
        assert await books.keep(second, cursor="1", compared=1, open_count=0) is True

    await with_books(database_url, work)
    told = rows(owner_url, "select ran_by, exit_status, failure from provider.reconciliation_runs order by run_id")
    assert told[0] == {"ran_by": "dead", "exit_status": 2, "failure": "abandoned"}


async def test_a_run_that_was_overtaken_stops_and_says_so(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """Row G7. Its lease ran out while it waited: the other run reports and heals, and this one must not."""
    await play(database_url, wallet)

    settings = settings_for(database_url, wallet.url)
    async with database_for(settings) as pool:
        run_id = await ReconciliationBooks(pool, "JAQPOT").begin("slow", heals=True, scheduled_for=None)
        assert run_id is not None
        progress = Progress(run_id, lost=True)
        casino, sealer = Casino("JAQPOT", wallet.url, KeyRing(settings.casino_keys)), sealer_for(settings)
        assert await reconcile(settings, pool, progress, casino=casino, sealer=sealer, heals=True) == 2
    told = rows(owner_url, "select exit_status, failure, found from provider.reconciliation_runs")
    assert told == [{"exit_status": 2, "failure": "interrupted", "found": 0}]


async def test_a_run_that_is_cancelled_makes_room_at_once(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("transactions", stall)

    running = asyncio.create_task(reconciled(database_url, wallet))
    await until(wallet.reached.is_set)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    told = rows(owner_url, "select exit_status, failure from provider.reconciliation_runs")
    assert told == [{"exit_status": 2, "failure": "interrupted"}]
    wallet.forget_plans()
    assert (await reconciled(database_url, wallet))["exitStatus"] == 0
