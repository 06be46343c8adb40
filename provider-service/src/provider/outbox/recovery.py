"""The outbox: finishes what a crash, a time-out or a restart left over.

Owns one step of recovery: give up bets without a caller, end rounds without a player, send what is due. Any number of
processes may run it. It must never give up a payout or a rollback, and never keep in memory what the database knows.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from provider.outbox.books import Books
from provider.outbox.calls import DueCall
from provider.outbox.courier import Courier
from provider.sessions.sealing import SealBroken, Sealer
from shared_service.http.exchange import fresh_request_id

log = structlog.get_logger(__name__)

PAGE_MAX: Final = 100
DELIVERIES_MAX: Final = 16
ROUNDS_OF_DRAINING_MAX: Final = 1000


class Outbox:
    """Recovery's work. `nudge` asks for a step when a slot is free again while more is due."""

    def __init__(self, books: Books, courier: Courier, sealer: Sealer, *, nudge: Callable[[], None]) -> None:
        self._books = books
        self._courier = courier
        self._sealer = sealer
        self._nudge = nudge
        self._deliveries: set[asyncio.Task[None]] = set()
        self._backlog = False

    async def step(self) -> bool:
        """Do what is due now; true when there is more. Deliveries go on in the background, within their bound."""
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
        """Wait for the deliveries under way. What does not end in time comes back when its lease ends."""
        if self._deliveries:
            _, late = await asyncio.wait(self._deliveries, timeout=timeout_seconds)
            for task in late:
                task.cancel()

    async def run_until_idle(self, *, timeout_seconds: float) -> int:
        """Steps until nothing is due; returns how many transactions still have no known end."""
        for _ in range(ROUNDS_OF_DRAINING_MAX):
            more = await self.step()
            if not more and not self._deliveries:
                break
            await self.drain(timeout_seconds=timeout_seconds)
        return await self._books.count_pending()

    async def _deliver(self, call: DueCall) -> None:
        try:
            token = self._sealer.open(call.token_sealed)
        except SealBroken:
            # A secret was removed too early. The row stays due, lease by lease, until the secret is back.
            log.error("token_seal_broken", transaction_id=str(call.transaction_id))
            return
        try:
            await self._courier.deliver(call.opened(token, fresh_request_id=fresh_request_id()))
        except Exception as error:
            # The lease ends and the row comes back; the text of a database error can hold values.
            log.error("delivery_failed", transaction_id=str(call.transaction_id), error_type=type(error).__name__)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        if self._backlog:
            self._nudge()
