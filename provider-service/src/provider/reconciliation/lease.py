"""A run's lease: prolonged while its process lives, so that another may begin when it has gone.

Owns how far a run says that it is. It must never keep a run alive whose work has ended.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from provider.db import DATABASE_AWAY
from provider.reconciliation.queries import LEASE_SECONDS, RunBooks

BEAT_SECONDS: Final = LEASE_SECONDS / 4


@dataclass(slots=True)
class Progress:
    """How far a run is. `changed` is called after each step: for a progress bar.

    `lost`: it must not go on, because another process took over or this one is stopped.
    """

    run_id: int
    changed: Callable[["Progress"], None] = field(default=lambda _: None, repr=False)
    cursor: str = "0"
    compared: int = 0
    open_count: int = 0
    found: int = 0
    healed: int = 0
    step: str = "feed"
    lost: bool = False


@contextlib.asynccontextmanager
async def kept(books: RunBooks, progress: Progress) -> AsyncIterator[None]:
    """Prolong the lease while the work goes on, however long one step of it takes."""

    async def say() -> None:
        progress.lost = not await books.keep(
            progress.run_id, cursor=progress.cursor, compared=progress.compared, open_count=progress.open_count
        )

    async def beat() -> None:
        while not progress.lost:
            await asyncio.sleep(BEAT_SECONDS)
            with contextlib.suppress(*DATABASE_AWAY):
                await say()

    beating = asyncio.create_task(beat())
    try:
        yield
        await say()
    finally:
        beating.cancel()
        await asyncio.wait({beating})
