"""Builds the outbox and the senders for a serving process, for reconciliation and for `provider recover-once`.

The caller opens and closes the pools.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from provider.casinos.registry import Casino, Casinos
from provider.errors import Refused
from provider.outbox.backoff import Backoff
from provider.outbox.books import Books
from provider.outbox.recovery import Outbox
from provider.outbox.sender import Sender
from provider.sessions.peers import Peers, peers_of
from provider.sessions.sealing import Sealer
from provider.settings import Settings
from provider.sql.schema import database_for
from provider.wallet_client.wallets import Wallets
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop

RECOVERY_POOL_MAX: Final = 2
"""The outbox has connections of its own, so that bets cannot delay due payouts and rollbacks."""


@dataclass(frozen=True, slots=True)
class Senders:
    """Makes the sender of each casino. All senders use the same books."""

    pool: Database
    books: Books
    casinos: Casinos
    wallets: Wallets
    wake: Callable[[], None]

    def of(self, casino: Casino) -> Sender:
        """The sender to this casino's wallet."""
        return Sender(
            self.pool,
            self.books,
            self.wallets.of(casino),
            may_bet=lambda: self.casinos.may_bet(casino.code),
            wake=self.wake,
        )

    def outbox(self, sealer: Sealer, called: Callable[[], Sequence[Casino]]) -> Outbox:
        """The outbox for the casinos that `called` returns."""
        return Outbox(self.books, called, self.of, sealer, wake=self.wake)


def senders(
    settings: Settings,
    pool: Database,
    casinos: Casinos,
    wallets: Wallets,
    *,
    wake: Callable[[], None] = lambda: None,
) -> Senders:
    """Build the books and the senders. A caller that runs steps until nothing is due needs no `wake`."""
    books = Books(pool, lease_seconds=settings.lease_seconds, backoff=Backoff(settings.retry_first_seconds))
    return Senders(pool, books, casinos, wallets, wake)


class RunningRounds:
    """Bounds how many rounds of a casino run at once in this process, of whatever kind.

    A casino that does not answer leaves the others' rounds alone. The bound is lower than a wallet client's number of
    connections, so the outbox always finds one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running = Counter[str]()

    @contextmanager
    def one_of(self, casino: Casino) -> Iterator[None]:
        """Count a round of this casino. Raises `overloaded` above the bound."""
        if self._running[casino.code] >= self._most:
            raise Refused("overloaded")
        self._running[casino.code] += 1
        try:
            yield
        finally:
            self._running[casino.code] -= 1


@dataclass(frozen=True, slots=True)
class MoneyCalls:
    """The parts of a serving process that send money calls. Setting `due` wakes the outbox."""

    senders: Senders
    outbox: Outbox
    due: asyncio.Event
    running: RunningRounds


def money_calls(settings: Settings, pool: Database, recovery_pool: Database, *, peers: Peers) -> MoneyCalls:
    """Build the parts for a serving process. The outbox uses `recovery_pool`, rounds use `pool`."""
    due = asyncio.Event()
    of_rounds = senders(settings, pool, peers.casinos, peers.wallets, wake=due.set)
    of_outbox = senders(settings, recovery_pool, peers.casinos, peers.wallets, wake=due.set)
    return MoneyCalls(
        of_rounds, of_outbox.outbox(peers.sealer, peers.casinos.called), due, RunningRounds(settings.rounds_max)
    )


def loops(settings: Settings, money: MoneyCalls) -> list[BackgroundLoop]:
    """The loop that runs the outbox."""
    seconds = settings.outbox_interval_seconds
    return [BackgroundLoop("outbox", money.outbox.step, interval_seconds=seconds, nudged=money.due)]


async def close(settings: Settings, money: MoneyCalls) -> None:
    """Wait for running deliveries, at most `call_seconds`, and for the steps that are being recorded."""
    await money.outbox.drain(timeout_seconds=settings.call_seconds)
    await money.senders.books.close()


async def recover(settings: Settings) -> int:
    """Run the outbox once, without a server; returns the number of transactions without a known outcome."""
    async with database_for(settings) as pool, peers_of(settings).running() as peers:
        outbox = senders(settings, pool, peers.casinos, peers.wallets).outbox(peers.sealer, peers.casinos.called)
        return await outbox.run_until_idle(timeout_seconds=settings.lease_seconds)
