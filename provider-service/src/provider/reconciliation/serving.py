"""Starts reconciliation: with each casino every night in a serving process, and once for `provider reconcile`.

With several processes, `provider.begin_run_of` lets one of them begin a casino's nightly run. A missed run is made up
for. The runs of different casinos do not wait for each other.
"""

import asyncio
import datetime as dt
import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import structlog

from provider.casinos.registry import Casino, Casinos, only
from provider.outbox.serving import senders
from provider.reconciliation.feed import PAGE_MAX_BYTES, Feed
from provider.reconciliation.queries import ReconciliationBooks
from provider.reconciliation.repairs import Healer
from provider.reconciliation.run import Progress, Reconciliation
from provider.sessions.sealing import Sealer
from provider.settings import Settings
from provider.wallet_client.client import WalletClient, http_client_for
from provider.wallet_client.wallets import Wallets
from shared_service.http.exchange import fresh_request_id
from shared_service.postgres.database import Database
from shared_service.run.loops import STOP_WAIT_SECONDS, BackgroundLoop

log = structlog.get_logger(__name__)

NIGHTLY_LOOK_SECONDS: Final = 60.0
RECONCILIATION_POOL_MAX: Final = 2
"""Reconciliation has connections of its own, so that the runs of many casinos do not delay bets."""
TRIES_MAX: Final = 24
PAUSE_SECONDS: Final = 900.0
"""The pause between tries of a nightly run: `TRIES_MAX` tries take six hours."""


def last_due(now: dt.datetime, at: dt.time) -> dt.datetime:
    """The last time, at or before now, when a nightly run was due. In UTC, so there is no daylight saving time."""
    today = dt.datetime.combine(now.date(), at, tzinfo=dt.UTC)
    return today if today <= now else today - dt.timedelta(days=1)


class Nightly:
    """Begins one casino's nightly run when it is due. `run`: executes a run that has begun."""

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

    async def step(self) -> None:
        """Do the nightly run if it is due and no process has done it."""
        if self._at is None:
            return
        due = last_due(dt.datetime.fromtimestamp(self._clock(), dt.UTC), self._at)
        run_id = await self._books.begin(
            self._ran_by, heals=True, scheduled_for=due, tries_max=TRIES_MAX, pause_seconds=PAUSE_SECONDS
        )
        if run_id is not None:
            self._progress = Progress(run_id)
            await self._run(self._progress)

    def interrupt(self) -> None:
        """Stop the current run at its next page. Another process, or the next start, repeats it."""
        if self._progress is not None:
            self._progress.lost = True


class Nights:
    """Runs each casino's nightly reconciliation in a task of its own."""

    def __init__(self, called: Callable[[], Sequence[Casino]], nightly_of: Callable[[Casino], Nightly]) -> None:
        self._called = called
        self._nightly_of = nightly_of
        self._running: dict[str, tuple[Nightly, asyncio.Task[None]]] = {}
        self._closing = False

    async def step(self) -> bool:
        """Look at each casino without a run in this process. For a background loop; always false."""
        for casino in self._called():
            if casino.code not in self._running and not self._closing:
                nightly = self._nightly_of(casino)
                task = asyncio.create_task(_step_of(casino.code, nightly))
                self._running[casino.code] = nightly, task
                task.add_done_callback(partial(self._ended, casino.code))
        return False

    async def close(self) -> None:
        """Stop the runs at their next pages, and cancel those that do not stop within `STOP_WAIT_SECONDS`."""
        self._closing = True
        running = list(self._running.values())
        for nightly, _ in running:
            nightly.interrupt()
        if running:
            _, late = await asyncio.wait([task for _, task in running], timeout=STOP_WAIT_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, code: str, _: asyncio.Task[None]) -> None:
        del self._running[code]


async def _step_of(code: str, nightly: Nightly) -> None:
    structlog.contextvars.bind_contextvars(casino_code=code)  # of this task
    try:
        await nightly.step()
    except Exception as error:
        log.error("nightly_run_failed", error_type=type(error).__name__)


def nights_of(
    settings: Settings, pool: Database, casinos: Casinos, *, sealer: Sealer, clock: Callable[[], float]
) -> Nights:
    """Build the nightly reconciliation of a serving process, with repairs."""

    def nightly_of(casino: Casino) -> Nightly:
        run = partial(reconcile, settings, pool, casino=casino, sealer=sealer, heals=True, clock=clock)
        books = ReconciliationBooks(pool, casino.code)
        return Nightly(books, run, at=settings.reconcile_at, ran_by=this_process(), clock=clock)

    return Nights(casinos.called, nightly_of)


def loops(nights: Nights) -> list[BackgroundLoop]:
    """The loop that begins nightly runs."""
    return [BackgroundLoop("reconciliation", nights.step, interval_seconds=NIGHTLY_LOOK_SECONDS)]


async def close(nights: Nights) -> None:
    """Stop the present runs."""
    await nights.close()


def this_process() -> str:
    """The host and process id, as `reconciliation_runs.ran_by` stores them."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def reconcile(
    settings: Settings,
    pool: Database,
    progress: Progress,
    *,
    casino: Casino,
    sealer: Sealer,
    heals: bool,
    clock: Callable[[], float] = time.time,
) -> int:
    """Execute a run with this casino that has begun; returns its exit status. `heals`: also repair.

    The run has HTTP connections of its own.
    """
    books = ReconciliationBooks(pool, casino.code)
    http = http_client_for(settings, casino.url, answer_max_bytes=PAGE_MAX_BYTES)
    reader = WalletClient(http, casino.key_ring, call_seconds=settings.call_seconds, clock=clock)
    feed = Feed(reader, request_id=fresh_request_id())
    alone = only(casino)
    wallets = Wallets(settings, alone, clock=clock)
    try:
        healer = None
        if heals:
            sending = senders(settings, pool, alone, wallets)
            outbox = sending.outbox(sealer, alone.called)
            healer = Healer(pool, books, feed, sender=sending.of(casino), outbox=outbox, sealer=sealer)
        return await Reconciliation(books, feed, healer).run(progress)
    finally:
        await reader.aclose()
        await wallets.aclose()
