"""Runs one reconciliation: compares the wallet's feed with these books, and repairs or records each difference.

The process renews the run's lease, so that another process may begin a run when this one dies.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from provider.reconciliation import compare
from provider.reconciliation.examine import Examined, Examiner
from provider.reconciliation.feed import Feed, FeedRefused, Page, WalletAway
from provider.reconciliation.queries import LEASE_SECONDS, ReconciliationBooks
from provider.reconciliation.repairs import Healer
from provider.reconciliation.transactions import Ours, Theirs, Unreadable, own_id
from shared_service.postgres.database import DATABASE_DOWN

log = structlog.get_logger(__name__)

PAGES_MAX: Final = 100_000
OWN_PAGE_ROWS: Final = 5000
CONTRADICTIONS_PAGE_ROWS: Final = 200
LEASE_RENEWAL_SECONDS: Final = LEASE_SECONDS / 4
DIFFERENCES_MAX: Final = 10_000
RUN_SECONDS_MAX: Final = 12 * 3600.0
"""Bounds a run against a slow wallet, so that the next night's run can begin."""
FIRST_CURSOR: Final = "0"
NO_ID: Final = UUID(int=0)
NEVER: Final = datetime.min.replace(tzinfo=UTC)
FAILED: Final = 2
INTERRUPTED: Final = "interrupted"


@dataclass(slots=True)
class Progress:
    """The progress of a run; `changed` is called after each page. `lost`: the lease was lost, or this process stops."""

    run_id: int
    changed: Callable[["Progress"], None] = field(default=lambda _: None, repr=False)
    cursor: str = "0"
    compared: int = 0
    open_count: int = 0
    found: int = 0
    healed: int = 0
    step: str = "feed"
    lost: bool = False
    began: float = field(default_factory=time.monotonic, repr=False)

    def check(self) -> None:
        """Raise `RunStopped` when the lease is lost, the process stops, or RUN_SECONDS_MAX have passed."""
        if self.lost:
            raise RunStopped(INTERRUPTED)
        if time.monotonic() - self.began > RUN_SECONDS_MAX:
            raise RunStopped("too_long")


class RunStopped(Exception):  # noqa: N818 - an outcome, named as the others are
    """The run must stop. The text is the failure's code."""


class Reconciliation:
    """Compares one wallet with these books. Without a healer it repairs nothing."""

    def __init__(self, books: ReconciliationBooks, feed: Feed, healer: Healer | None) -> None:
        self._books = books
        self._feed = feed
        self._healer = healer
        self._examiner = Examiner(books, feed)

    async def run(self, progress: Progress) -> int:
        """Run, and record the end; returns the exit status: 0 no open difference, 1 some, 2 unfinished."""
        failure: str | None = None
        try:
            async with renewed_lease(self._books, progress):
                await self._steps(progress)
        except (WalletAway, FeedRefused) as error:
            failure, say = (
                ("wallet_away", log.warning) if isinstance(error, WalletAway) else ("feed_refused", log.error)
            )
            say("reconciliation_stopped", run_id=progress.run_id, code=failure, why=str(error))
        except RunStopped as error:
            failure = str(error)
            log.error("reconciliation_stopped", run_id=progress.run_id, code=failure)
        except DATABASE_DOWN as error:
            kind = type(error).__name__
            log.error("reconciliation_stopped", run_id=progress.run_id, code="books_away", error_type=kind)
            with contextlib.suppress(*DATABASE_DOWN):  # if the database is still unavailable, the lease ends the run
                await self._books.end(progress.run_id, "books_away")
            return FAILED
        except asyncio.CancelledError:
            with contextlib.suppress(*DATABASE_DOWN):  # otherwise the next run waits for the lease to end
                await self._books.end(progress.run_id, INTERRUPTED)
            raise
        exit_status = await self._books.end(progress.run_id, failure)
        log.info(
            "books_reconciled", run_id=progress.run_id, exit_status=exit_status, compared=progress.compared,
            open=progress.open_count, found=progress.found, healed=progress.healed,
        )  # fmt: skip
        return exit_status

    async def _steps(self, progress: Progress) -> None:
        page = await self._feed.page(FIRST_CURSOR)  # fails early when the wallet is unavailable
        if self._healer is not None:
            await self._healer.finish_due_calls()
        await self._read_feed(progress, page)
        await self._find_missing_there(progress)
        await self._find_contradictions(progress)
        if self._healer is not None:
            await self._heal(progress, self._healer)

    async def _read_feed(self, progress: Progress, page: Page) -> None:
        """Compare the feed up to the transactions that were created after the run began."""
        began = (await self._books.run(progress.run_id)).started_at
        cursors = {FIRST_CURSOR}
        for _ in range(PAGES_MAX):
            newest = await self._compare_page(progress, page.rows)
            if page.next is None:
                raise FeedRefused("a page and its cursor do not fit")
            if not page.rows or newest > began:
                return
            if page.next in cursors:
                raise FeedRefused("a cursor came twice")
            cursors.add(page.next)
            progress.cursor = page.next
            page = await self._feed.page(page.next)
        raise RunStopped("feed_without_end")

    async def _compare_page(self, progress: Progress, rows: Sequence[Theirs | Unreadable]) -> datetime:
        """Compare a page; returns when its newest transaction was created in these books."""
        asked = [(row, own_id(row.transaction_id or "")) for row in rows]
        known = await self._books.ours([found for _, found in asked if found is not None])
        matched = [(row, found, None if found is None else known.get(found)) for row, found in asked]
        own = [ours.transaction_id for row, _, ours in matched if ours is not None and ours.user_id == row.user_id]
        unseen = await self._books.mark_seen(progress.run_id, own)
        healer, suspects = self._healer, list[tuple[Theirs, UUID | None]]()
        for number, (row, transaction_id, ours) in enumerate(matched, start=1):
            progress.check()  # settling a row may take several calls
            if isinstance(row, Unreadable):
                await self._report_unreadable(progress, row, ours, number)
                continue
            if ours is not None and ours.user_id == row.user_id:
                if ours.transaction_id not in unseen:
                    repeated = Examined(ours, row, (compare.REPEATED,))
                    await self._report(progress, repeated, row.user_id, row.transaction_id)
                    continue
                unseen.discard(ours.transaction_id)
                settled = healer is not None and compare.can_settle(ours, row) and await healer.settle(ours, row)
                if ours.under_way and not settled:
                    progress.open_count += 1
            if compare.differences(ours, row):
                suspects.append((row, transaction_id))
        for suspect in suspects:
            await self._recheck(progress, *suspect)
        progress.compared += len(rows)
        self._publish(progress)
        return max((ours.created_at for ours in known.values()), default=NEVER)

    async def _report_unreadable(self, progress: Progress, row: Unreadable, ours: Ours | None, number: int) -> None:
        """Report an unreadable row under its ids or, without valid ids, under its position in the feed."""
        ours = ours if ours is not None and ours.user_id == row.user_id else None
        transaction_id = row.transaction_id or f"row {number} after {progress.cursor}"
        await self._report(progress, Examined(ours, row, (compare.UNREADABLE,)), row.user_id or "?", transaction_id)

    async def _recheck(self, progress: Progress, row: Theirs, transaction_id: UUID | None) -> None:
        """Read both sides again for a feed row that differs, and report the difference."""
        if transaction_id is None:  # these books cannot have issued this id
            await self._report(progress, Examined(None, row, (compare.MISSING_HERE,)), row.user_id, row.transaction_id)
            return
        owner = (await self._books.ours([transaction_id])).get(transaction_id)
        if owner is not None and owner.user_id != row.user_id:
            own = await self._examiner.look(transaction_id, owner.user_id)
            if own.theirs is None:
                await self._books.mark_seen(progress.run_id, [transaction_id])
                await self._report(progress, Examined(owner, row, (compare.PLAYER,)), owner.user_id, row.transaction_id)
                return
        looked = await self._examiner.look(transaction_id, row.user_id, feed_row=row)
        await self._report(progress, looked, row.user_id, row.transaction_id)

    async def _find_missing_there(self, progress: Progress) -> None:
        """Read both sides again for each transaction of these books that the feed has not shown."""
        progress.step = "books"
        began, after = (await self._books.run(progress.run_id)).started_at, NO_ID
        while page := await self._books.unseen_page(progress.run_id, after, began, OWN_PAGE_ROWS):
            after = page[-1][0]
            unseen = [(transaction_id, user_id) for transaction_id, user_id, lacking in page if lacking]
            known = await self._books.ours([transaction_id for transaction_id, _ in unseen])
            for transaction_id, user_id in unseen:
                if known[transaction_id].under_way:
                    progress.open_count += 1
                elif compare.differences(known[transaction_id], None):
                    looked = await self._examiner.look(transaction_id, user_id)
                    await self._report(progress, looked, user_id, str(transaction_id))
            self._publish(progress)

    async def _find_contradictions(self, progress: Progress) -> None:
        """Report every transaction with a difference code: its outcome contradicts these books."""
        after = NO_ID
        while page := await self._books.contradictions_page(after, CONTRADICTIONS_PAGE_ROWS):
            after = page[-1]
            for ours in (await self._books.ours(page)).values():
                looked = Examined(ours, None, (compare.CONTRADICTION,))
                await self._report(progress, looked, ours.user_id, str(ours.transaction_id))
            self._publish(progress)

    async def _heal(self, progress: Progress, healer: Healer) -> None:
        progress.step = "repairs"

        def count_closed(closed: bool) -> None:
            progress.healed += closed
            self._publish(progress)

        await healer.heal_run(progress.run_id, count_closed)

    async def _report(self, progress: Progress, looked: Examined, user_id: str, transaction_id: str) -> None:
        if looked.under_way and not looked.kinds:
            progress.open_count += 1
        for kind in looked.kinds:
            if progress.found >= DIFFERENCES_MAX:
                raise RunStopped("too_many_differences")
            progress.found += 1
            both = (looked.ours, looked.theirs)
            await self._books.report(progress.run_id, kind, who=(user_id, transaction_id), both=both)
            log.warning("difference_found", kind=kind, transaction_id=transaction_id, run_id=progress.run_id)
        progress.check()

    def _publish(self, progress: Progress) -> None:
        progress.check()
        progress.changed(progress)


@contextlib.asynccontextmanager
async def renewed_lease(books: ReconciliationBooks, progress: Progress) -> AsyncIterator[None]:
    """Renew the run's lease in the background while the body runs."""

    async def renew() -> None:
        progress.lost = not await books.keep(
            progress.run_id, cursor=progress.cursor, compared=progress.compared, open_count=progress.open_count
        )

    async def renew_repeatedly() -> None:
        while not progress.lost:
            await asyncio.sleep(LEASE_RENEWAL_SECONDS)
            with contextlib.suppress(*DATABASE_DOWN):
                await renew()

    renewing = asyncio.create_task(renew_repeatedly())
    try:
        yield
        await renew()
    finally:
        renewing.cancel()
        await asyncio.wait({renewing})
