"""Reads a transaction again from both sides before a difference is reported.

It repeats the reads until these books did not change while the wallet answered.
"""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from provider.outbox.calls import rollback_id_of
from provider.reconciliation.compare import UNREADABLE, differences
from provider.reconciliation.feed import Feed
from provider.reconciliation.queries import ReconciliationBooks
from provider.reconciliation.transactions import Ours, Theirs, Unreadable

LOOKS_MAX: Final = 5
PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Examined:
    """A transaction in these books and in the wallet at one moment, and the kinds of difference."""

    ours: Ours | None
    theirs: Theirs | Unreadable | None
    kinds: tuple[str, ...]

    @property
    def under_way(self) -> bool:
        """A pending call may still change the transaction."""
        return self.ours is not None and self.ours.under_way


class Examiner:
    """Reads single transactions from the wallet and from these books, and compares them."""

    def __init__(self, books: ReconciliationBooks, feed: Feed) -> None:
        self._books = books
        self._feed = feed

    async def look(self, transaction_id: UUID, user_id: str, *, feed_row: Theirs | None = None) -> Examined:
        """Read a player's transaction on both sides. `feed_row` is used when the wallet's look-up finds nothing."""
        before = await self._ours(transaction_id, user_id)
        looked: Examined | None = None
        for look in range(LOOKS_MAX):
            if look:
                await asyncio.sleep(PAUSE_SECONDS)
            # Read the wallet first. The reverse order would report a call that ends between the two reads.
            theirs = await self._feed.transaction(str(transaction_id), user_id) or feed_row
            ours = await self._ours(transaction_id, user_id)
            if isinstance(theirs, Unreadable):
                return Examined(ours, theirs, (UNREADABLE,))
            taken_back = ours is None and await self._is_taken_back(transaction_id)
            looked = Examined(ours, theirs, tuple(differences(ours, theirs, taken_back_here=taken_back)))
            if not looked.kinds or ours == before:
                break
            before = ours
        if looked is None:
            raise RuntimeError("LOOKS_MAX is at least 1")
        return looked

    async def bet_there(self, ours: Ours | None) -> Theirs | Unreadable | None:
        """The wallet's report of a rollback's bet; None when `ours` is not a rollback."""
        if ours is None or ours.kind != "rollback" or ours.related_id is None:
            return None
        return await self._feed.transaction(ours.related_id, ours.user_id)

    async def _ours(self, transaction_id: UUID, user_id: str) -> Ours | None:
        """The transaction in these books; None when the id belongs to another player."""
        ours = (await self._books.ours([transaction_id])).get(transaction_id)
        return ours if ours is not None and ours.user_id == user_id else None

    async def _is_taken_back(self, bet_id: UUID) -> bool:
        rollback_id = rollback_id_of(bet_id)
        rollback = (await self._books.ours([rollback_id])).get(rollback_id)
        return rollback is not None and rollback.state == "committed"
