"""Looks again at one transaction that seems different, before anybody is told.

Owns the second look: both sides are asked once more, until these books stood still while the wallet was asked. It
must never change anything.
"""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from provider.outbox.calls import rollback_id_of
from provider.reconciliation.compare import UNREADABLE, differences
from provider.reconciliation.feed import Feed
from provider.reconciliation.queries import RunBooks
from provider.reconciliation.sides import Ours, Theirs, Unreadable

LOOKS_MAX: Final = 5
PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Examined:
    """Both sides of a transaction at one moment, and how they differ."""

    ours: Ours | None
    theirs: Theirs | Unreadable | None
    kinds: tuple[str, ...]

    @property
    def under_way(self) -> bool:
        """Something may still change by itself."""
        return self.ours is not None and self.ours.under_way


class Examiner:
    """Asks both sides."""

    def __init__(self, books: RunBooks, feed: Feed) -> None:
        self._books = books
        self._feed = feed

    async def look(self, transaction_id: UUID, user_id: str, *, told: Theirs | None = None) -> Examined:
        """Both sides of this player's transaction. `told`: what the feed said of it, should it deny that now."""
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
        """What the wallet tells of the bet of a rollback."""
        if ours is None or ours.kind != "rollback" or ours.related_id is None:
            return None
        return await self._feed.transaction(ours.related_id, ours.user_id)

    async def _ours(self, transaction_id: UUID, user_id: str) -> Ours | None:
        """Our side. A transaction of another player with the same id is another transaction."""
        ours = (await self._books.ours([transaction_id])).get(transaction_id)
        return ours if ours is not None and ours.user_id == user_id else None

    async def _is_taken_back(self, bet_id: UUID) -> bool:
        rollback_id = rollback_id_of(bet_id)
        rollback = (await self._books.ours([rollback_id])).get(rollback_id)
        return rollback is not None and rollback.state == "committed"
