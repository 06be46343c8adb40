"""The outbox: finishes calls after a crash, a time-out or a restart. Any number of processes may run it.

One step gives up bets whose lease ended, ends rounds whose lease ended, and sends the payouts and rollbacks that are
due. Payouts and rollbacks stay due until the wallet accepts or refuses them. Each casino has deliveries of its own, so
a wallet that is slow or away does not delay those to another.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from provider.casinos.registry import Casino
from provider.outbox.books import Books
from provider.outbox.calls import DueCall
from provider.outbox.sender import Sender
from provider.sessions.sealing import SealBroken, Sealer
from shared_service.http.exchange import fresh_request_id

log = structlog.get_logger(__name__)

PAGE_MAX: Final = 100
DELIVERIES_MAX: Final = 16
"""Deliveries to one casino at once."""
DRAIN_STEPS_MAX: Final = 1000


class Outbox:
    """Runs recovery for the casinos that `called` returns; `sender_of` returns a casino's sender.

    `wake` requests a step when a delivery ends while more are due.
    """

    def __init__(
        self,
        books: Books,
        called: Callable[[], Sequence[Casino]],
        sender_of: Callable[[Casino], Sender],
        sealer: Sealer,
        *,
        wake: Callable[[], None],
    ) -> None:
        self._books = books
        self._called = called
        self._sender_of = sender_of
        self._sealer = sealer
        self._wake = wake
        self._deliveries: dict[asyncio.Task[None], str] = {}  # with the casino's code
        self._backlogs: set[str] = set()

    async def step(self) -> bool:
        """Run one step; true when another one is needed at once.

        Deliveries continue in the background, at most `DELIVERIES_MAX` to each casino.
        """
        given_up = await self._books.give_up_expired_bets(PAGE_MAX)
        ended = await self._books.end_abandoned_rounds(PAGE_MAX)
        if given_up or ended:
            log.warning("abandoned_work_taken_over", bets=given_up, rounds=ended)
        await self._deliver_due()
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
        return await self._books.count_pending([casino.code for casino in self._called()])

    async def _deliver_due(self) -> None:
        """Begin a delivery for each due call, as far as its casino has some free."""
        casinos = {casino.code: casino for casino in self._called()}
        running = Counter(self._deliveries.values())
        free = {code: DELIVERIES_MAX - running[code] for code in casinos if running[code] < DELIVERIES_MAX}
        due = await self._books.claim_due(free) if free else []
        claimed = Counter(call.casino_code for call in due)
        self._backlogs = {code for code in casinos if claimed[code] == free.get(code, 0)}
        for call in due:
            task = asyncio.create_task(self._deliver(call, self._sender_of(casinos[call.casino_code])))
            self._deliveries[task] = call.casino_code
            task.add_done_callback(self._delivered)

    async def _deliver(self, call: DueCall, sender: Sender) -> None:
        try:
            token = self._sealer.open(call.token_sealed)
        except SealBroken:
            # A key was removed too early. The row is due again after each lease, until the key is back.
            log.error("token_seal_broken", transaction_id=str(call.transaction_id))
            return
        try:
            await sender.deliver(call.opened(token, fresh_request_id=fresh_request_id()))
        except Exception as error:
            # The row is due again when its lease ends. The error's text is not logged: it can quote values.
            log.error("delivery_failed", transaction_id=str(call.transaction_id), error_type=type(error).__name__)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        if self._deliveries.pop(task) in self._backlogs:
            self._wake()
