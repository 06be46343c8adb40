"""Starts reconciliation: every night in a serving process, and once for `provider reconcile`.

With several processes, `provider.begin_run` lets one of them begin the nightly run. A missed run is made up for.
"""

import datetime as dt
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from provider.outbox.serving import sender_and_outbox
from provider.reconciliation.feed import PAGE_MAX_BYTES, Feed
from provider.reconciliation.queries import ReconciliationBooks
from provider.reconciliation.repairs import Healer
from provider.reconciliation.run import Progress, Reconciliation
from provider.sessions.sealing import Sealer, key_watch_for, sealer_for
from provider.settings import Settings
from provider.wallet_client.client import WalletClient, http_client_for
from shared_service.http.exchange import fresh_request_id
from shared_service.http.transport import ANSWER_MAX_BYTES
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop
from shared_signing.keys import KeyRing

NIGHTLY_LOOK_SECONDS: Final = 60.0
TRIES_MAX: Final = 24
PAUSE_SECONDS: Final = 900.0
"""The pause between tries of a nightly run: `TRIES_MAX` tries take six hours."""


def last_due(now: dt.datetime, at: dt.time) -> dt.datetime:
    """The last time, at or before now, when a nightly run was due. In UTC, so there is no daylight saving time."""
    today = dt.datetime.combine(now.date(), at, tzinfo=dt.UTC)
    return today if today <= now else today - dt.timedelta(days=1)


class Nightly:
    """Begins the nightly run when it is due. `run`: executes a run that has begun."""

    def __init__(
        self,
        books: ReconciliationBooks,
        run: Callable[[Progress], Awaitable[int]],
        *,
        at: dt.time | None,
        ran_by: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._books = books
        self._run = run
        self._at = at
        self._ran_by = ran_by
        self._clock = clock
        self._progress: Progress | None = None

    async def step(self) -> bool:
        """Do the nightly run if it is due and no process has done it. For a background loop; always false."""
        if self._at is None:
            return False
        due = last_due(dt.datetime.fromtimestamp(self._clock(), dt.UTC), self._at)
        run_id = await self._books.begin(
            self._ran_by, heals=True, scheduled_for=due, tries_max=TRIES_MAX, pause_seconds=PAUSE_SECONDS
        )
        if run_id is not None:
            self._progress = Progress(run_id)
            await self._run(self._progress)
        return False

    async def interrupt(self) -> None:
        """Stop the current run at its next page. Another process, or the next start, repeats it."""
        if self._progress is not None:
            self._progress.lost = True


def nightly_reconciliation(
    settings: Settings, pool: Database, *, key_ring: KeyRing, sealer: Sealer, clock: Callable[[], float]
) -> Nightly:
    """Build the nightly reconciliation of a serving process, with repairs."""
    run = partial(reconcile, settings, pool, key_ring=key_ring, sealer=sealer, heals=True, clock=clock)
    return Nightly(ReconciliationBooks(pool), run, at=settings.reconcile_at, ran_by=this_process(), clock=clock)


def loops(nightly: Nightly) -> list[BackgroundLoop]:
    """The loop that begins nightly runs."""
    return [BackgroundLoop("reconciliation", nightly.step, interval_seconds=NIGHTLY_LOOK_SECONDS)]


async def close(nightly: Nightly) -> None:
    """Stop the current run."""
    await nightly.interrupt()


def this_process() -> str:
    """The host and process id, as `reconciliation_runs.ran_by` stores them."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def reconcile(
    settings: Settings,
    pool: Database,
    progress: Progress,
    *,
    key_ring: KeyRing,
    sealer: Sealer,
    heals: bool,
    clock: Callable[[], float] = time.time,
) -> int:
    """Execute a run that has begun; returns its exit status. `heals`: also repair."""
    books = ReconciliationBooks(pool)
    async with _wallet(settings, key_ring, clock, answer_max_bytes=PAGE_MAX_BYTES) as reader:
        feed = Feed(reader, request_id=fresh_request_id())
        if not heals:
            return await Reconciliation(books, feed, None).run(progress)
        async with _wallet(settings, key_ring, clock) as wallet:
            sender, outbox = sender_and_outbox(settings, pool, wallet, sealer)
            healer = Healer(pool, books, feed, sender=sender, outbox=outbox, sealer=sealer)
            return await Reconciliation(books, feed, healer).run(progress)


async def reconcile_without_server(settings: Settings, pool: Database, progress: Progress, *, heals: bool) -> int:
    """Execute a run that has begun, with a key watch of its own; returns its exit status."""
    sealer = sealer_for(settings)
    key_watch = key_watch_for(settings, sealer)
    async with key_watch.running():
        key_ring = key_watch.keys.ring("casino")
        return await reconcile(settings, pool, progress, key_ring=key_ring, sealer=sealer, heals=heals)


@asynccontextmanager
async def _wallet(
    settings: Settings, key_ring: KeyRing, clock: Callable[[], float], *, answer_max_bytes: int = ANSWER_MAX_BYTES
) -> AsyncIterator[WalletClient]:
    http = http_client_for(settings, answer_max_bytes=answer_max_bytes)
    wallet = WalletClient(http, key_ring, call_seconds=settings.call_seconds, clock=clock)
    try:
        yield wallet
    finally:
        await wallet.aclose()
