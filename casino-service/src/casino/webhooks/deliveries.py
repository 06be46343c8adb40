"""Takes deliveries that are due and sends them, side by side, a bounded number for each webhook.

One step claims (casino.claim_deliveries) and starts sending; it waits for no receiver. A receiver that hangs holds
`IN_FLIGHT_AFTER_FAILURE` of its own sendings for ten seconds each, and delays no other. However many hang,
they have a part of all (`IN_FLIGHT_FAILING_MAX`), and those of one tenant its share. What is sent to a webhook that was
deleted is broken off.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from psycopg.types.json import Jsonb

from casino.settings import Settings
from casino.webhooks import signing
from casino.webhooks.addresses import endpoint_of
from casino.webhooks.sender import Outcome, Sender
from shared_service.postgres.database import DATABASE_DOWN, Database

log = structlog.get_logger()

IN_FLIGHT_OF_ONE: Final = 8
IN_FLIGHT_AFTER_FAILURE: Final = 1
IN_FLIGHT_MAX: Final = 256
IN_FLIGHT_FAILING_MAX: Final = 48
"""Of these, what goes to webhooks whose newest try failed: however many hang, the others have the rest. A look-up that
hangs outlasts its try, so there are more than twice as many threads for look-ups (casino.webhooks.sender)."""
FAILING_MAX: Final = 10_000
"""Webhooks that are remembered as failing, deleted ones too."""
CLOSE_SECONDS: Final = 2.0
CLAIM: Final = "select * from casino.claim_deliveries(%s, %s::uuid[], %s::integer[], %s, %s, %s)"
ENDED: Final = "select casino.ended_webhooks(%s, %s::uuid[])"
FINISH: Final = "select casino.finish_delivery(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
HEADERS: Final = {"content-type": "application/json", "user-agent": "casino-webhooks"}
TAKEN_OVER: Final = "taken_over"

Count = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process sends."""

    delivery_id: int
    webhook_id: UUID
    tenant_id: str | None
    url: str
    event_id: UUID
    type: str
    told_at: str
    data: str
    attempt: int
    sent_at: datetime


@dataclass(slots=True)
class Dispatcher:
    """Sends what is due. `count` is called with how each try ended; `wake` is set when a sending has ended."""

    database: Database
    settings: Settings
    sender: Sender
    count: Count
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _in_flight: dict[UUID, set[asyncio.Task[None]]] = field(default_factory=lambda: defaultdict(set))
    _tenants: dict[UUID, str] = field(default_factory=dict)
    """Whose webhooks they are; an empty name: owners'."""
    _failing: set[UUID] = field(default_factory=set)

    async def step(self) -> bool:
        """Claim what is due, as much as may be in flight. Returns whether there was something."""
        if len(self._failing) > FAILING_MAX:
            self._failing.clear()
        failing, well = list(self._failing), [each for each in self._in_flight if each not in self._failing]
        free = [0] * len(failing) + [IN_FLIGHT_OF_ONE - self._running([each]) for each in well]
        found = await self._claim([*failing, *well], free, IN_FLIGHT_OF_ONE, IN_FLIGHT_MAX, well)
        free = [IN_FLIGHT_AFTER_FAILURE - self._running([each]) for each in failing]
        most = min(self._running(self._in_flight) - self._running(failing) + IN_FLIGHT_FAILING_MAX, IN_FLIGHT_MAX)
        return (bool(failing) and await self._claim(failing, free, 0, most, failing)) or found

    async def _claim(
        self, known: list[UUID], free: list[int], free_else: int, most: int, counted: Iterable[UUID]
    ) -> bool:
        """Claim and send until `most` are in flight in all. What goes to `counted` is in its tenant's share."""
        most -= self._running(self._in_flight)
        if most <= 0:
            return False
        held = Jsonb(self._held(counted))
        rows = await self.database.call(CLAIM, (self.settings.ledger_id, known, free, free_else, held, most))
        for row in rows:
            self._start(Claimed(*row))
        return bool(rows)

    async def break_off(self) -> None:
        """Break off what is sent to webhooks that were deleted: they hold no place any more."""
        if not self._in_flight:
            return
        for (webhook_id,) in await self.database.call(ENDED, (self.settings.ledger_id, list(self._in_flight))):
            for task in list(self._in_flight.get(webhook_id, ())):
                task.cancel()

    async def close(self) -> None:
        """Wait for what is in flight, and give up what takes long: another process sends it again after its lease."""
        tasks = [task for each in self._in_flight.values() for task in each]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self.sender.close()

    def _running(self, webhooks: Iterable[UUID]) -> int:
        """How many are in flight to these webhooks."""
        return sum(len(self._in_flight.get(each, ())) for each in webhooks)

    def _held(self, webhooks: Iterable[UUID]) -> Counter[str]:
        """How many are in flight to these webhooks, by tenant."""
        held = Counter[str]()
        for each in webhooks:
            if each in self._tenants:
                held[self._tenants[each]] += len(self._in_flight[each])
        return held

    def _start(self, claimed: Claimed) -> None:
        task = asyncio.create_task(self._deliver(claimed), name="webhook")
        self._in_flight[claimed.webhook_id].add(task)
        self._tenants[claimed.webhook_id] = claimed.tenant_id or ""
        task.add_done_callback(lambda done: self._end(claimed.webhook_id, done))

    def _end(self, webhook_id: UUID, task: asyncio.Task[None]) -> None:
        self._in_flight[webhook_id].discard(task)
        if not self._in_flight[webhook_id]:
            del self._in_flight[webhook_id], self._tenants[webhook_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("webhook_failed", error_type=type(error).__name__)
        self.wake.set()

    async def _deliver(self, claimed: Claimed) -> None:
        outcome = await self._send(claimed)
        (self._failing.discard if outcome.is_success else self._failing.add)(claimed.webhook_id)
        parameters: tuple[Any, ...] = (
            self.settings.ledger_id, claimed.delivery_id, claimed.attempt, outcome.is_success, outcome.status,
            outcome.body, outcome.error, outcome.duration_ms, outcome.retry_after,
        )  # fmt: skip
        try:
            ((status,),) = await self.database.call(FINISH, parameters)
        except DATABASE_DOWN as error:  # its lease ends, and it is sent again
            log.warning("webhook_outcome_lost", error_type=type(error).__name__)
            return
        self.count((status or TAKEN_OVER).lower())

    async def _send(self, claimed: Claimed) -> Outcome:
        try:
            endpoint = endpoint_of(claimed.url, demo=self.settings.demo)
        except ValueError:  # of the demo mode, or of a release with other rules
            return Outcome(None, None, "ADDRESS_REFUSED", 0)
        body = signing.body_of(claimed.type, claimed.told_at, claimed.data)
        signed = signing.headers_of(
            self.settings.pepper, str(claimed.webhook_id), event_id=str(claimed.event_id),
            at=int(claimed.sent_at.timestamp()), body=body,
        )  # fmt: skip
        return await self.sender.send(endpoint, {**HEADERS, **signed}, body)
