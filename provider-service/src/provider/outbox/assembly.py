"""Puts books, courier and outbox together, for a serving process, for reconciliation and for the command alike.

Owns which of them share connections, and that the outbox of a serving process has its own. It must never hold a rule,
and never open what it makes: whoever asked for a pool opens and closes it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from provider.db import Pool, create_pool
from provider.outbox.backoff import Backoff
from provider.outbox.books import Books
from provider.outbox.courier import Courier
from provider.outbox.recovery import Outbox
from provider.sessions.sealing import Sealer
from provider.settings import Settings
from provider.wallet_client.client import WalletClient

RECOVERY_POOL_MAX: Final = 2


def books_and_courier(
    settings: Settings, pool: Pool, wallet: WalletClient, *, nudge: Callable[[], None]
) -> tuple[Books, Courier]:
    """What a money call is written down in, and who carries it."""
    books = Books(pool, lease_seconds=settings.lease_seconds, backoff=Backoff(settings.retry_first_seconds))
    return books, Courier(pool, books, wallet, nudge=nudge)


def courier_and_outbox(
    settings: Settings, pool: Pool, wallet: WalletClient, sealer: Sealer, *, nudge: Callable[[], None] = lambda: None
) -> tuple[Courier, Outbox]:
    """What finishes old calls. Without a `nudge` for whoever calls step after step until nothing is due."""
    books, courier = books_and_courier(settings, pool, wallet, nudge=nudge)
    return courier, Outbox(books, courier, sealer, nudge=nudge)


def outbox_beside_rounds(
    settings: Settings, wallet: WalletClient, sealer: Sealer, *, nudge: Callable[[], None]
) -> tuple[Pool, Outbox]:
    """An outbox and its own connections: payouts and rollbacks that are due go out however many bets are being placed.

    The pool is not open yet.
    """
    pool = create_pool(replace(settings, pool_max=RECOVERY_POOL_MAX))
    _, outbox = courier_and_outbox(settings, pool, wallet, sealer, nudge=nudge)
    return pool, outbox
