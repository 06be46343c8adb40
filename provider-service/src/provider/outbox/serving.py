"""Builds the outbox and what sends money calls: for a serving process, for reconciliation, for `provider recover-once`.

Whoever passes a pool opens and closes it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provider.outbox.backoff import Backoff
from provider.outbox.books import Books
from provider.outbox.courier import Courier
from provider.outbox.recovery import Outbox
from provider.sessions.sealing import Sealer, key_watch_for, sealer_for
from provider.settings import Settings
from provider.sql.schema import database_for
from provider.wallet_client.client import WalletClient, http_client_for
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop

RECOVERY_POOL_MAX: Final = 2
"""Connections of the outbox alone: due payouts and rollbacks go out however many bets are being placed."""


def books_and_courier(
    settings: Settings, pool: Database, wallet: WalletClient, *, nudge: Callable[[], None]
) -> tuple[Books, Courier]:
    """The records of money calls, and what sends them."""
    books = Books(pool, lease_seconds=settings.lease_seconds, backoff=Backoff(settings.retry_first_seconds))
    return books, Courier(pool, books, wallet, nudge=nudge)


def courier_and_outbox(
    settings: Settings,
    pool: Database,
    wallet: WalletClient,
    sealer: Sealer,
    *,
    nudge: Callable[[], None] = lambda: None,
) -> tuple[Courier, Outbox]:
    """What finishes old calls. A caller that takes step after step until nothing is due needs no `nudge`."""
    books, courier = books_and_courier(settings, pool, wallet, nudge=nudge)
    return courier, Outbox(books, courier, sealer, nudge=nudge)


@dataclass(frozen=True, slots=True)
class MoneyCalls:
    """What a serving process sends and finishes money calls with. Setting `due` wakes the outbox."""

    books: Books
    courier: Courier
    outbox: Outbox
    due: asyncio.Event


def money_calls(
    settings: Settings, pool: Database, recovery_pool: Database, wallet: WalletClient, sealer: Sealer
) -> MoneyCalls:
    """Money calls of a serving process. The outbox uses `recovery_pool`, everything else `pool`."""
    due = asyncio.Event()
    books, courier = books_and_courier(settings, pool, wallet, nudge=due.set)
    _, outbox = courier_and_outbox(settings, recovery_pool, wallet, sealer, nudge=due.set)
    return MoneyCalls(books, courier, outbox, due)


def loops(settings: Settings, money: MoneyCalls) -> list[BackgroundLoop]:
    """The loop that finishes old calls."""
    seconds = settings.outbox_interval_seconds
    return [BackgroundLoop("outbox", money.outbox.step, interval_seconds=seconds, nudged=money.due)]


async def close(settings: Settings, money: MoneyCalls) -> None:
    """Wait for the deliveries under way, at most as long as a call may take."""
    await money.outbox.drain(timeout_seconds=settings.call_seconds)


async def recover(settings: Settings) -> int:
    """Finish what is due without a server; returns how many transactions are still open."""
    http = http_client_for(settings)
    sealer = sealer_for(settings)
    key_watch = key_watch_for(settings, sealer)
    wallet = WalletClient(http, key_watch.keys.ring("casino"), call_seconds=settings.call_seconds)
    async with database_for(settings) as pool, http, key_watch.running():
        _, outbox = courier_and_outbox(settings, pool, wallet, sealer)
        return await outbox.run_until_idle(timeout_seconds=settings.lease_seconds)
