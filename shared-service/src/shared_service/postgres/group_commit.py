"""Group commit: items that wait at the same moment are executed together, in one database transaction.

No item waits for a timer. A single item is executed at once; under load, the items that arrive while a batch is in
flight form the next one. A second lane opens when enough items wait (`OVERLAP_FROM`), so that Python and Postgres work
at the same time, or when the batch in flight takes long. Always open, it would only make the batches smaller.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from typing import Final, Generic, TypeVar

import structlog

from shared_service.batches.unknown import execute_surely
from shared_service.batches.waiting import KeyBusy, Line, Waiting
from shared_service.postgres.database import OutcomeUnknown, Overloaded

__all__ = ("GroupCommit", "KeyBusy")

log = structlog.get_logger()

I = TypeVar("I")  # noqa: E741 - item
O = TypeVar("O")  # noqa: E741 - outcome

BUSY_RETRY_SECONDS: Final = 0.005
"""Pause before the next attempt for an item whose key another process held: about the time of one batch."""
BUSY_PATIENCE_SECONDS: Final = 2.0
"""How long an item waits for a key that another process holds. Equals the database's lock time-out."""
LANE_PATIENCE_SECONDS: Final = 0.01
"""After this time a batch counts as slow, and another lane may open. On a healthy disk no batch takes so long."""
OVERLAP_FROM: Final = 24
"""So many items open another lane while a batch is in flight; fewer wait for it, because small batches cost more."""


class GroupCommit(Generic[I, O]):
    """Executes items in batches, with one item of each key.

    A batch of fewer than `turns_max` items is filled up with the next items of its keys, in their order. Whoever sets
    `turns_max` executes them in turns: each as if it had come in a batch of its own.

    `execute` runs one batch in one database transaction and returns its outcomes in order, None for an item whose
    key another process holds. It raises OutcomeUnknown when the transaction may have been committed, Overloaded when
    nothing was started, and any other error when nothing was committed. Then the batch is split until the bad item is
    alone.

        queue = GroupCommit(execute, batch_max=64, lanes=2, queue_max=4096, key_queue_max=256)
        outcome = await queue.submit(item, key=item.key, deadline=time.monotonic() + 5)
    """

    def __init__(
        self, execute: Callable[[Sequence[I]], Awaitable[Sequence[O | None]]],
        *, batch_max: int, lanes: int, queue_max: int, key_queue_max: int, turns_max: int = 1,
    ) -> None:  # fmt: skip
        self._execute = execute
        self._batch_max = batch_max
        self._turns_max = min(batch_max, turns_max)
        self._overlap_from = min(batch_max, OVERLAP_FROM)
        self._lanes = lanes
        self._queue_max = queue_max
        self._key_queue_max = key_queue_max
        self._lines: dict[Hashable, Line[I, O]] = {}  # a key is in here while it waits or is in flight
        self._ready: deque[Hashable] = deque()  # keys with nothing in flight
        self._size = 0
        self._running: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[None]] = set()  # those of them that take long
        self._pump_is_due = False
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def size(self) -> int:
        """Items that wait or are in flight."""
        return self._size

    def submit(self, item: I, *, key: Hashable, deadline: float) -> asyncio.Future[O]:
        """Queue an item. The future gets its outcome, or its error: Overloaded, KeyBusy or OutcomeUnknown.

        `deadline` is on the monotonic clock: an item that has not been started by then is refused. Raises Overloaded or
        KeyBusy when a queue is full. Cancelling the future does not stop an item that was started.
        """
        if self._closed or self._size >= self._queue_max:
            raise Overloaded
        loop = self._loop
        if loop is None:  # kept: before Python 3.12 get_running_loop makes a system call
            loop = self._loop = asyncio.get_running_loop()
        entry: Waiting[I, O] = Waiting(item, key, deadline, loop.create_future())
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = Line(deque((entry,)))
            self._ready.append(key)
        elif len(line.entries) >= self._key_queue_max:
            raise KeyBusy
        else:
            line.entries.append(entry)
        self._size += 1
        if not self._pump_is_due and self._has_lane():
            self._pump_is_due = True
            loop.call_soon(self._pump)
        return entry.future

    async def close(self) -> None:
        """Refuse new items and finish those that wait."""
        self._closed = True
        while self._size:
            self._pump()
            if self._running:
                await asyncio.gather(*self._running, return_exceptions=True)
            else:
                await asyncio.sleep(BUSY_RETRY_SECONDS)  # the remaining items wait for a busy key

    def _has_lane(self) -> bool:
        running = len(self._running)
        return running < self._lanes and (running == len(self._slow) or len(self._ready) >= self._overlap_from)

    def _pump(self) -> None:
        self._pump_is_due = False
        while self._ready and self._has_lane():
            if batch := self._take_batch():
                # An empty context: what is logged about a batch belongs to no one request.
                task = asyncio.create_task(self._run_lane(batch), context=Context())
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _run_lane(self, batch: list[Waiting[I, O]]) -> None:
        """Run batches while there are items for this lane. The database gets the next one before a caller wakes up."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        while batch:
            self._running.add(task)
            patience = loop.call_later(LANE_PATIENCE_SECONDS, self._note_slow, task)
            await self._run(batch)
            patience.cancel()
            self._running.discard(task)
            self._slow.discard(task)
            batch = self._take_batch() if self._has_lane() else []

    def _note_slow(self, task: asyncio.Task[None]) -> None:
        if task in self._running:
            self._slow.add(task)
            self._pump()

    def _take_batch(self) -> list[Waiting[I, O]]:
        batch: list[Waiting[I, O]] = []
        keys: list[Hashable] = []
        while self._ready and len(batch) < self._batch_max:
            key = self._ready.popleft()
            if self._take_next(key, batch):
                keys.append(key)
        while keys and len(batch) < self._turns_max:
            keys = [key for key in keys if len(batch) < self._turns_max and self._take_next(key, batch)]
        return batch

    def _take_next(self, key: Hashable, batch: list[Waiting[I, O]]) -> bool:
        """Put the key's next item into the batch. False if it has none that may be executed."""
        line = self._lines[key]
        while len(line.entries) > line.in_flight:
            entry = line.entries[line.in_flight]
            if not entry.future.cancelled() and self._is_in_time(entry):
                line.in_flight += 1
                batch.append(entry)
                return True
            self._resolve(entry, Overloaded())
        if not line.entries:
            del self._lines[key]
        return False

    def _is_in_time(self, entry: Waiting[I, O]) -> bool:
        return entry.deadline > time.monotonic()

    async def _run(self, batch: list[Waiting[I, O]]) -> None:
        outcomes: Sequence[O | Exception | None]
        try:
            outcomes = await execute_surely(self._execute, batch, clock=time.monotonic)
            if len(outcomes) != len(batch):
                raise RuntimeError(f"{len(outcomes)} outcomes of {len(batch)} items")
        except (Overloaded, OutcomeUnknown) as error:
            outcomes = [error] * len(batch)
        except Exception as error:
            if len(batch) > 1:
                log.warning("batch_split", size=len(batch), error_type=type(error).__name__)
                for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                    if due := [entry for entry in half if self._is_still_due(entry)]:
                        await self._run(due)
                return
            log.exception("command_failed", error_type=type(error).__name__)
            outcomes = [error]
        for entry, outcome in zip(batch, outcomes, strict=True):
            self._settle(entry, outcome)

    def _is_still_due(self, entry: Waiting[I, O]) -> bool:
        """Whether an entry of a split batch may be executed: in time, and not before an earlier one of its key."""
        if not self._is_in_time(entry):
            self._settle(entry, Overloaded())
        elif self._lines[entry.key].is_busy:
            self._settle(entry, None)
        else:
            return True
        return False

    def _settle(self, entry: Waiting[I, O], outcome: O | Exception | None) -> None:
        """End the execution of an entry. None: another process holds its key, so it is tried again later."""
        line = self._lines[entry.key]
        line.in_flight -= 1
        if outcome is not None:
            self._resolve(entry, outcome)
        elif self._has_patience(entry):
            line.is_busy = True
        else:
            self._resolve(entry, KeyBusy())
        if line.in_flight:
            return
        if not line.entries:
            del self._lines[entry.key]
        elif line.is_busy:
            line.is_busy = False
            asyncio.get_running_loop().call_later(BUSY_RETRY_SECONDS, self._make_ready, entry.key)
        else:
            self._ready.append(entry.key)

    def _has_patience(self, entry: Waiting[I, O]) -> bool:
        now = time.monotonic()
        entry.busy_until = entry.busy_until or now + BUSY_PATIENCE_SECONDS
        return now < entry.busy_until

    def _make_ready(self, key: Hashable) -> None:
        self._ready.append(key)
        self._pump()

    def _resolve(self, entry: Waiting[I, O], outcome: O | Exception) -> None:
        """Take the entry out of its line, and give the outcome to the caller, unless it has gone away."""
        self._size -= 1
        self._lines[entry.key].entries.remove(entry)
        if entry.future.done():
            return
        if entry.may_be_committed and isinstance(outcome, Exception):
            outcome = OutcomeUnknown()
        if isinstance(outcome, Exception):
            entry.future.set_exception(outcome)
        else:
            entry.future.set_result(outcome)
