"""Looks a second time at a transaction that seems different, before the difference is reported.

The wallet and these books are asked again until the books did not change while the wallet was asked.
"""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from provider.outbox.calls import rollback_id_of
from provider.reconciliation.compare import UNREADABLE, differences
from provider.reconciliation.feed import Feed
from provider.reconciliation.queries import RunBooks
from provider.reconciliation.transactions import Ours, Theirs, Unreadable

LOOKS_MAX: Final = 5
PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Examined:
    """A transaction here and in the wallet at one moment, and the kinds of difference."""

    ours: Ours | None
    theirs: Theirs | Unreadable | None
    kinds: tuple[str, ...]

    @property
    def under_way(self) -> bool:
        """A pending call may still change the transaction."""
        return self.ours is not None and self.ours.under_way


class Examiner:
    """Asks the wallet and these books for single transactions."""

    def __init__(self, books: RunBooks, feed: Feed) -> None:
        self._books = books
        self._feed = feed

    async def look(self, transaction_id: UUID, user_id: str, *, told: Theirs | None = None) -> Examined:
        """This player's transaction here and in the wallet. `told`: the feed's row, if the look-up finds none."""
        before = await self._ours(transaction_id, user_id)
        looked: Examined | None = None
        for look in range(LOOKS_MAX):
            if look:
                await asyncio.sleep(PAUSE_SECONDS)
            # The wallet first: what these books wrote down before is then in its answer, or missing from it.
            theirs = await self._feed.transaction(str(transaction_id), user_id) or told
            ours = await self._ours(transaction_id, user_id)
            if isinstance(theirs, Unreadable):
                return Examined(ours, theirs, (UNREADABLE,))
            taken_back = ours is None and await self._is_taken_back(transaction_id)
            looked = Examined(ours, theirs, tuple(differences(ours, theirs, taken_back_here=taken_back)))
            if not looked.kinds or ours == before:
                break
            before = ours
        if looked is None:
            raise RuntimeError("at least one look is taken")
        return looked

    async def bet_there(self, ours: Ours | None) -> Theirs | Unreadable | None:
        """The wallet's report of the bet that a rollback takes back."""
        if ours is None or ours.kind != "rollback" or ours.related_id is None:
            return None
        return await self._feed.transaction(ours.related_id, ours.user_id)

    async def _ours(self, transaction_id: UUID, user_id: str) -> Ours | None:
        """These books' transaction; None where the id belongs to another player."""
        ours = (await self._books.ours([transaction_id])).get(transaction_id)
        return ours if ours is not None and ours.user_id == user_id else None

    async def _is_taken_back(self, bet_id: UUID) -> bool:
        rollback_id = rollback_id_of(bet_id)
        rollback = (await self._books.ours([rollback_id])).get(rollback_id)
        return rollback is not None and rollback.state == "committed"
