"""Executes a batch until its outcome is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_delay, wait_random_exponential

from shared_service.batches.waiting import I, O, Waiting
from shared_service.postgres.database import OutcomeUnknown, Overloaded

log = structlog.get_logger()

RECONNECT_FIRST_SECONDS: Final = 0.02
RECONNECT_MOST_SECONDS: Final = 0.5


async def execute_surely(
    execute: Callable[[Sequence[I]], Awaitable[Sequence[O | None]]],
    batch: Sequence[Waiting[I, Any]],
    *,
    clock: Callable[[], float],
) -> Sequence[O | None]:
    """Execute a batch. After an unknown outcome, execute the same batch again until its outcome is known.

    `clock` is that of the deadlines. Raises OutcomeUnknown when the last of them has passed.
    """
    items = [entry.item for entry in batch]
    try:
        return await execute(items)
    except OutcomeUnknown:
        log.warning("batch_outcome_unknown", size=len(batch))
        for entry in batch:
            entry.may_be_committed = True
    remaining_seconds = max(entry.deadline for entry in batch) - clock()
    try:
        async for attempt in AsyncRetrying(
            stop=stop_after_delay(max(remaining_seconds, 0.0)),
            wait=wait_random_exponential(multiplier=RECONNECT_FIRST_SECONDS, max=RECONNECT_MOST_SECONDS),
            retry=retry_if_exception_type((OutcomeUnknown, Overloaded)),  # the first attempt may have committed
        ):
            with attempt:
                return await execute(items)
    except RetryError:
        pass
    raise OutcomeUnknown
