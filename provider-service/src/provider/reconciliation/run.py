"""One run: reads the wallet's feed, compares it with these books, heals what it may, writes down the rest.

Owns the order of the steps and their bounds. It must never hold more of either side than a page, never hold a
database connection while it waits for a wallet, and never report what may still change by itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from provider.db import DATABASE_AWAY
from provider.reconciliation.compare import (
    CONTRADICTION,
    MISSING_HERE,
    PLAYER,
    REPEATED,
    UNREADABLE,
    can_settle,
    differences,
)
from provider.reconciliation.examine import Examined, Examiner
from provider.reconciliation.feed import Feed, FeedRefused, Page, WalletAway
from provider.reconciliation.healing import Healer
from provider.reconciliation.lease import Progress, kept
from provider.reconciliation.queries import Difference, RunBooks
from provider.reconciliation.repairs import proposal
from provider.reconciliation.sides import Ours, Theirs, Unreadable, own_id

log = structlog.get_logger(__name__)

PAGES_MAX: Final = 100_000
OWN_PAGE_ROWS: Final = 5000
FINDINGS_PAGE_ROWS: Final = 200
DIFFERENCES_MAX: Final = 10_000
FIRST_CURSOR: Final = "0"
NO_ID: Final = UUID(int=0)
NEVER: Final = datetime.min.replace(tzinfo=UTC)

FOR_PEOPLE: Final = frozenset({PLAYER, CONTRADICTION, UNREADABLE, REPEATED})
"""Kinds that a second look cannot clear up, and that nothing is done about."""

FAILED: Final = 2
INTERRUPTED: Final = "interrupted"


class RunStopped(Exception):  # noqa: N818 - an outcome, named as the others are
    """The run cannot go on. The text is its code."""


class Reconciliation:
    """Compares one wallet with these books."""

    def __init__(self, books: RunBooks, feed: Feed, healer: Healer | None) -> None:
        self._books = books
        self._feed = feed
        self._healer = healer
        self._examiner = Examiner(books, feed)

    async def run(self, progress: Progress) -> int:
        """Run to the end, whatever it is; returns the exit status."""
        failure: str | None = None
        try:
            async with kept(self._books, progress):
                await self._steps(progress)
        except WalletAway as error:
            failure = "wallet_away"
            log.warning("reconciliation_stopped", run_id=progress.run_id, code=failure, why=str(error))
        except FeedRefused as error:
            failure = "feed_refused"
            log.error("reconciliation_stopped", run_id=progress.run_id, code=failure, why=str(error))
        except RunStopped as error:
            failure = str(error)
            log.error("reconciliation_stopped", run_id=progress.run_id, code=failure)
        except DATABASE_AWAY as error:
            log.error("reconciliation_stopped", run_id=progress.run_id, code="books_away", error=type(error).__name__)
            with contextlib.suppress(*DATABASE_AWAY):  # if they are still away the lease ends the run
                await self._books.end(progress.run_id, "books_away")
            return FAILED
        except asyncio.CancelledError:
            with contextlib.suppress(*DATABASE_AWAY):  # so that the next run need not wait for the lease to end
                await self._books.end(progress.run_id, INTERRUPTED)
            raise
        exit_status = await self._books.end(progress.run_id, failure)
        log.info(
            "books_reconciled", run_id=progress.run_id, exit_status=exit_status, compared=progress.compared,
            open=progress.open_count, found=progress.found, healed=progress.healed,
        )  # fmt: skip
        return exit_status

    async def _steps(self, progress: Progress) -> None:
        page = await self._feed.page(FIRST_CURSOR)  # a wallet that is away ends the run before anything else begins
        if self._healer is not None:
            await self._healer.finish_what_is_due()
        await self._read_feed(progress, page)
        await self._find_what_it_lacks(progress)
        await self._find_contradictions(progress)
        if self._healer is not None:
            await self._heal(progress, self._healer)

    async def _read_feed(self, progress: Progress, page: Page) -> None:
        """Compare every transaction of the feed, up to those that were made while it was read."""
        began = (await self._books.run(progress.run_id)).started_at
        await self._books.forget_seen()
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
        """Compare a page; returns when the newest of its transactions was written down here."""
        asked = [(row, own_id(row.transaction_id or "")) for row in rows]
        known = await self._books.ours([found for _, found in asked if found is not None])
        told = [(row, found, None if found is None else known.get(found)) for row, found in asked]
        own = [ours.transaction_id for row, _, ours in told if ours is not None and ours.user_id == row.user_id]
        unseen = await self._books.note_seen(own)
        suspects = list[tuple[Theirs, UUID | None]]()
        for number, (row, transaction_id, ours) in enumerate(told, start=1):
            if isinstance(row, Unreadable):
                await self._report_unreadable(progress, row, ours, number)
                continue
            if ours is not None and ours.user_id == row.user_id:
                if ours.transaction_id not in unseen:
                    await self._report(progress, Examined(ours, row, (REPEATED,)), row.user_id, row.transaction_id)
                    continue
                unseen.discard(ours.transaction_id)
                if ours.under_way and not await self._settled(ours, row):
                    progress.open_count += 1
            if differences(ours, row):
                suspects.append((row, transaction_id))
        for suspect in suspects:
            await self._suspect(progress, *suspect)
        progress.compared += len(rows)
        self._tell(progress)
        return max((ours.created_at for ours in known.values()), default=NEVER)

    async def _report_unreadable(self, progress: Progress, row: Unreadable, ours: Ours | None, number: int) -> None:
        """Report a row that cannot be compared, under its ids or, where those are what is wrong, by its place."""
        ours = ours if ours is not None and ours.user_id == row.user_id else None
        transaction_id = row.transaction_id or f"row {number} after {progress.cursor}"
        await self._report(progress, Examined(ours, row, (UNREADABLE,)), row.user_id or "?", transaction_id)

    async def _settled(self, ours: Ours, theirs: Theirs) -> bool:
        return self._healer is not None and can_settle(ours, theirs) and await self._healer.settle(ours, theirs)

    async def _suspect(self, progress: Progress, row: Theirs, transaction_id: UUID | None) -> None:
        """Look again at what the feed tells and these books do not."""
        if transaction_id is None:  # no id that these books ever gave
            await self._report(progress, Examined(None, row, (MISSING_HERE,)), row.user_id, row.transaction_id)
            return
        owner = (await self._books.ours([transaction_id])).get(transaction_id)
        if owner is not None and owner.user_id != row.user_id:
            own = await self._examiner.look(transaction_id, owner.user_id)
            if own.theirs is None:
                await self._books.note_seen([transaction_id])
                await self._report(progress, Examined(owner, row, (PLAYER,)), owner.user_id, row.transaction_id)
                return
        looked = await self._examiner.look(transaction_id, row.user_id, told=row)
        await self._report(progress, looked, row.user_id, row.transaction_id)

    async def _find_what_it_lacks(self, progress: Progress) -> None:
        """Look again at every transaction of these books that the feed has not shown."""
        progress.step = "books"
        began, after = (await self._books.run(progress.run_id)).started_at, NO_ID
        while page := await self._books.unseen_page(after, began, OWN_PAGE_ROWS):
            after = page[-1][0]
            unseen = [(transaction_id, user_id) for transaction_id, user_id, lacking in page if lacking]
            known = await self._books.ours([transaction_id for transaction_id, _ in unseen])
            for transaction_id, user_id in unseen:
                if known[transaction_id].under_way:
                    progress.open_count += 1
                elif differences(known[transaction_id], None):
                    looked = await self._examiner.look(transaction_id, user_id)
                    await self._report(progress, looked, user_id, str(transaction_id))
            self._tell(progress)

    async def _find_contradictions(self, progress: Progress) -> None:
        """Report what the wallet decided otherwise than these books count on."""
        after = NO_ID
        while page := await self._books.contradictions_page(after, FINDINGS_PAGE_ROWS):
            after = page[-1]
            for ours in (await self._books.ours(page)).values():
                looked = Examined(ours, None, (CONTRADICTION,))
                await self._report(progress, looked, ours.user_id, str(ours.transaction_id))
            self._tell(progress)

    async def _heal(self, progress: Progress, healer: Healer) -> None:
        """Do what is allowed about each difference, once; then see what was healed with another."""
        progress.step = "repairs"
        async for difference, transaction_id in self._unhealed(progress):
            looked = await self._examiner.look(transaction_id, difference.user_id)
            if looked.kinds:
                done = await healer.heal(difference, self._examiner, looked)
                if done is not None:
                    looked = await self._examiner.look(transaction_id, difference.user_id)
                    await self._close_if_gone(progress, difference, looked, done)
            self._tell(progress)
        async for difference, transaction_id in self._unhealed(progress):
            looked = await self._examiner.look(transaction_id, difference.user_id)
            await self._close_if_gone(progress, difference, looked, "healed with another")
            self._tell(progress)

    async def _unhealed(self, progress: Progress) -> AsyncIterator[tuple[Difference, UUID]]:
        after = 0
        while page := await self._books.differences_page(
            progress.run_id, after, FINDINGS_PAGE_ROWS, unhealed_only=True
        ):
            after = page[-1].difference_id
            for difference in page:
                transaction_id = own_id(difference.transaction_id)
                if transaction_id is not None and difference.kind not in FOR_PEOPLE:
                    yield difference, transaction_id

    async def _close_if_gone(
        self, progress: Progress, difference: Difference, looked: Examined, healed_by: str
    ) -> None:
        if difference.kind in looked.kinds or UNREADABLE in looked.kinds or looked.under_way:
            return
        await self._books.close(difference.difference_id, healed_by)
        progress.healed += 1

    async def _report(self, progress: Progress, looked: Examined, user_id: str, transaction_id: str) -> None:
        if looked.under_way and not looked.kinds:
            progress.open_count += 1
        for kind in looked.kinds:
            if progress.found >= DIFFERENCES_MAX:
                raise RunStopped("too_many_differences")
            progress.found += 1
            sides = (looked.ours, looked.theirs)
            await self._books.report(
                progress.run_id, kind, who=(user_id, transaction_id), sides=sides, proposed=proposal(kind, *sides)
            )
            log.warning("difference_found", kind=kind, transaction_id=transaction_id, run_id=progress.run_id)
        if progress.lost:
            raise RunStopped(INTERRUPTED)

    def _tell(self, progress: Progress) -> None:
        if progress.lost:
            raise RunStopped(INTERRUPTED)
        progress.changed(progress)
