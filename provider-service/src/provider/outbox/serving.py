"""Builds the outbox and the sender for a serving process, for reconciliation and for `provider recover-once`.

The caller opens and closes the pools.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provider.outbox.backoff import Backoff
from provider.outbox.books import Books
from provider.outbox.recovery import Outbox
from provider.outbox.sender import Sender
from provider.sessions.sealing import Sealer, key_watch_for, sealer_for
from provider.settings import Settings
from provider.sql.schema import database_for
from provider.wallet_client.client import WalletClient, http_client_for
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop

RECOVERY_POOL_MAX: Final = 2
"""The outbox has connections of its own, so that bets cannot delay due payouts and rollbacks."""


def books_and_sender(
    settings: Settings, pool: Database, wallet: WalletClient, *, wake: Callable[[], None]
) -> tuple[Books, Sender]:
    """Build the books and the sender that uses them."""
    books = Books(pool, lease_seconds=settings.lease_seconds, backoff=Backoff(settings.retry_first_seconds))
    return books, Sender(pool, books, wallet, wake=wake)


def sender_and_outbox(
    settings: Settings,
    pool: Database,
    wallet: WalletClient,
    sealer: Sealer,
    *,
    wake: Callable[[], None] = lambda: None,
) -> tuple[Sender, Outbox]:
    """Build the sender and the outbox. A caller that runs steps until nothing is due needs no `wake`."""
    books, sender = books_and_sender(settings, pool, wallet, wake=wake)
    return sender, Outbox(books, sender, sealer, wake=wake)


@dataclass(frozen=True, slots=True)
class MoneyCalls:
    """The parts of a serving process that send money calls. Setting `due` wakes the outbox."""

    books: Books
    sender: Sender
    outbox: Outbox
    due: asyncio.Event


def money_calls(
    settings: Settings, pool: Database, recovery_pool: Database, wallet: WalletClient, sealer: Sealer
) -> MoneyCalls:
    """Build the parts for a serving process. The outbox uses `recovery_pool`, rounds use `pool`."""
    due = asyncio.Event()
    books, sender = books_and_sender(settings, pool, wallet, wake=due.set)
    _, outbox = sender_and_outbox(settings, recovery_pool, wallet, sealer, wake=due.set)
    return MoneyCalls(books, sender, outbox, due)


def loops(settings: Settings, money: MoneyCalls) -> list[BackgroundLoop]:
    """The loop that runs the outbox."""
    seconds = settings.outbox_interval_seconds
    return [BackgroundLoop("outbox", money.outbox.step, interval_seconds=seconds, nudged=money.due)]


async def close(settings: Settings, money: MoneyCalls) -> None:
    """Wait for running deliveries, at most `call_seconds`."""
    await money.outbox.drain(timeout_seconds=settings.call_seconds)


async def recover(settings: Settings) -> int:
    """Run the outbox once, without a server; returns the number of transactions without a known outcome."""
    http = http_client_for(settings)
    sealer = sealer_for(settings)
    key_watch = key_watch_for(settings, sealer)
    wallet = WalletClient(http, key_watch.keys.ring("casino"), call_seconds=settings.call_seconds)
    async with database_for(settings) as pool, http, key_watch.running():
        _, outbox = sender_and_outbox(settings, pool, wallet, sealer)
        return await outbox.run_until_idle(timeout_seconds=settings.lease_seconds)
