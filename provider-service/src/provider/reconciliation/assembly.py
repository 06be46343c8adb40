"""Puts reconciliation together, for a serving process and for the command alike.

Owns its connections to the wallet: a page of the feed is larger than any other answer, so they have a bound of their
own. It must never hold a rule.
"""

import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from provider.db import Pool
from provider.key_watch import KeyWatch
from provider.outbox.assembly import courier_and_outbox
from provider.reconciliation.feed import PAGE_MAX_BYTES, Feed
from provider.reconciliation.healing import Healer
from provider.reconciliation.lease import Progress
from provider.reconciliation.nightly import Nightly
from provider.reconciliation.queries import RunBooks
from provider.reconciliation.run import Reconciliation
from provider.sessions.sealing import Sealer
from provider.settings import Settings
from provider.wallet_client.client import WalletClient
from provider.wallet_client.transport import create_http_client
from shared_service.http import fresh_request_id
from shared_signing.keys import KeyRing


def this_process() -> str:
    """Which process, for the table of runs."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def reconcile(
    settings: Settings,
    pool: Pool,
    progress: Progress,
    *,
    key_ring: KeyRing,
    sealer: Sealer,
    heals: bool,
    clock: Callable[[], float] = time.time,
) -> int:
    """Do a run that has begun; returns its exit status."""
    books = RunBooks(pool)
    async with _wallet(settings, key_ring, clock, answer_max_bytes=PAGE_MAX_BYTES) as reader:
        feed = Feed(reader, request_id=fresh_request_id())
        if not heals:
            return await Reconciliation(books, feed, None).run(progress)
        async with _wallet(settings, key_ring, clock) as wallet:
            courier, outbox = courier_and_outbox(settings, pool, wallet, sealer)
            healer = Healer(pool, books, feed, courier=courier, outbox=outbox, sealer=sealer)
            return await Reconciliation(books, feed, healer).run(progress)


def nightly_reconciliation(
    settings: Settings, pool: Pool, *, key_ring: KeyRing, sealer: Sealer, clock: Callable[[], float]
) -> Nightly:
    """The runs of a serving process, which heal."""
    run = partial(reconcile, settings, pool, key_ring=key_ring, sealer=sealer, heals=True, clock=clock)
    return Nightly(RunBooks(pool), run, at=settings.reconcile_at, ran_by=this_process(), clock=clock)


async def reconcile_without_server(settings: Settings, pool: Pool, progress: Progress, *, heals: bool) -> int:
    """Do a run that has begun, with keys that are watched as those of a server are; returns its exit status."""
    sealer = Sealer(settings.sealing_secrets)
    key_watch = KeyWatch(settings, sealer)
    async with key_watch.running():
        key_ring = key_watch.keys.casino
        return await reconcile(settings, pool, progress, key_ring=key_ring, sealer=sealer, heals=heals)


@asynccontextmanager
async def _wallet(
    settings: Settings, key_ring: KeyRing, clock: Callable[[], float], **bounds: int
) -> AsyncIterator[WalletClient]:
    http = create_http_client(
        base_url=settings.casino_url,
        call_seconds=settings.call_seconds,
        connect_seconds=settings.connect_seconds,
        ca_file=settings.ca_file,
        **bounds,
    )
    wallet = WalletClient(http, key_ring, call_seconds=settings.call_seconds, clock=clock)
    try:
        yield wallet
    finally:
        await wallet.aclose()
