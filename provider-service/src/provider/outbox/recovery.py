"""The outbox: finishes calls after a crash, a time-out or a restart. Any number of processes may run it.

One step gives up bets whose lease ended, ends rounds whose lease ended, and sends the payouts and rollbacks that are
due. Payouts and rollbacks stay due until the wallet accepts or refuses them.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from provider.outbox.books import Books
from provider.outbox.calls import DueCall
from provider.outbox.sender import Sender
from provider.sessions.sealing import SealBroken, Sealer
from shared_service.http.exchange import fresh_request_id

log = structlog.get_logger(__name__)

PAGE_MAX: Final = 100
DELIVERIES_MAX: Final = 16
DRAIN_STEPS_MAX: Final = 1000


class Outbox:
    """Runs recovery. `wake` requests a step when a delivery ends while more are due."""

    def __init__(self, books: Books, sender: Sender, sealer: Sealer, *, wake: Callable[[], None]) -> None:
        self._books = books
        self._sender = sender
        self._sealer = sealer
        self._wake = wake
        self._deliveries: set[asyncio.Task[None]] = set()
        self._backlog = False

    async def step(self) -> bool:
        """Run one step; true when another one is needed at once.

        Deliveries continue in the background, at most `DELIVERIES_MAX` at once.
        """
        given_up = await self._books.give_up_expired_bets(PAGE_MAX)
        ended = await self._books.end_abandoned_rounds(PAGE_MAX)
        if given_up or ended:
            log.warning("abandoned_work_taken_over", bets=given_up, rounds=ended)
        free = DELIVERIES_MAX - len(self._deliveries)
        due = await self._books.claim_due(free) if free else []
        self._backlog = len(due) == free
        for call in due:
            task = asyncio.create_task(self._deliver(call))
            self._deliveries.add(task)
            task.add_done_callback(self._delivered)
        return PAGE_MAX in (given_up, ended)

    async def drain(self, *, timeout_seconds: float) -> None:
        """Wait for running deliveries, then cancel the rest: they are due again when their leases end."""
        if self._deliveries:
            _, late = await asyncio.wait(self._deliveries, timeout=timeout_seconds)
            for task in late:
                task.cancel()

    async def run_until_idle(self, *, timeout_seconds: float) -> int:
        """Run steps until nothing is due; returns the number of transactions without a known outcome."""
        for _ in range(DRAIN_STEPS_MAX):
            more = await self.step()
            if not more and not self._deliveries:
                break
            await self.drain(timeout_seconds=timeout_seconds)
        return await self._books.count_pending()

    async def _deliver(self, call: DueCall) -> None:
        try:
            token = self._sealer.open(call.token_sealed)
        except SealBroken:
            # A key was removed too early. The row is due again after each lease, until the key is back.
            log.error("token_seal_broken", transaction_id=str(call.transaction_id))
            return
        try:
            await self._sender.deliver(call.opened(token, fresh_request_id=fresh_request_id()))
        except Exception as error:
            # The row is due again when its lease ends. The error's text is not logged: it can quote values.
            log.error("delivery_failed", transaction_id=str(call.transaction_id), error_type=type(error).__name__)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        if self._backlog:
            self._wake()
