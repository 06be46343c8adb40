"""The nightly run: done by one of many processes, and made up for when it was missed."""

from __future__ import annotations

import asyncio
import datetime as dt

import psycopg
import pytest

from provider.reconciliation.queries import ReconciliationBooks
from provider.reconciliation.run import Progress
from provider.reconciliation.serving import PAUSE_SECONDS, Nightly, last_due
from provider_testing.fake_wallet import FakeWallet
from provider_testing.reconciling import play, with_books
from provider_testing.service import rows, serving
from shared_service.postgres.database import Database
from shared_service_testing.waiting import until

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

    def __init__(self, books: ReconciliationBooks, *, processes: int, at: dt.time | None = AT) -> None:
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


async def test_the_nightly_run_is_done_once_by_any_number_of_processes_and_caught_up_when_missed(
    database_url: str, owner_url: str
) -> None:
    async def work(books: ReconciliationBooks, pool: Database) -> None:
        night = Night(books, processes=6)
        with psycopg.connect(owner_url, autocommit=True) as owner:  # whatever time of day it is in truth
            owner.execute("insert into provider.casinos values ('JAQPOT', %s)", (night.now,))
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

    await with_books(database_url, work)


async def test_a_nightly_run_that_could_not_finish_is_tried_again_later_and_not_for_ever(
    database_url: str, owner_url: str
) -> None:
    async def work(books: ReconciliationBooks, pool: Database) -> None:
        night = Night(books, processes=2)
        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute("insert into provider.casinos values ('JAQPOT', %s)", (night.now,))
        night.now, night.exit = night.now + dt.timedelta(days=1), "wallet_away"
        await night.steps()
        await night.steps()
        assert len(night.ran) == 1, "not at once"
        for tried in range(2, 28):
            with psycopg.connect(owner_url, autocommit=True) as owner:
                ago = dt.timedelta(seconds=PAUSE_SECONDS + 1)
                owner.execute("update provider.reconciliation_runs set started_at = started_at - %s", (ago,))
            await night.steps()
            assert len(night.ran) == min(tried, 24)

    await with_books(database_url, work)


async def test_a_process_that_stops_ends_its_nightly_run_at_the_next_page(database_url: str, owner_url: str) -> None:
    async def work(books: ReconciliationBooks, pool: Database) -> None:
        stopped = list[bool]()

        async def run_until_stopped(progress: Progress) -> int:
            nightly.interrupt()
            stopped.append(progress.lost)
            return await books.end(progress.run_id, "interrupted")

        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute("insert into provider.casinos values ('JAQPOT', now())")
        tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
        nightly = Nightly(books, run_until_stopped, at=AT, ran_by="p", clock=tomorrow.timestamp)
        nightly.interrupt()
        await nightly.step()
        assert stopped == [True]

    await with_books(database_url, work)


async def test_a_night_that_is_switched_off_never_runs(database_url: str) -> None:
    async def work(books: ReconciliationBooks, pool: Database) -> None:
        night = Night(books, processes=1, at=None)
        night.now += dt.timedelta(days=5)
        await night.steps()
        assert night.ran == []

    await with_books(database_url, work)


async def test_a_serving_provider_catches_up_on_a_night_that_it_missed(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    await play(database_url, wallet)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("insert into provider.casinos values ('JAQPOT', now() - interval '3 days')")

    async with serving(database_url, wallet, reconcile_at=AT), serving(database_url, wallet, reconcile_at=AT):
        ended = "select from provider.reconciliation_runs where ended_at is not null"
        await until(lambda: rows(owner_url, ended))
    done = rows(owner_url, "select exit_status, compared, scheduled_for from provider.reconciliation_runs")
    assert [(row["exit_status"], row["compared"]) for row in done] == [(0, 5)]
    assert done[0]["scheduled_for"].time() == AT
