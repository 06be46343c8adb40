"""Repairs differences as far as the protocol allows: rolls back bets that these books do not have, resends lost calls.

Every repair goes through the outbox's sender. No repair sends a debit or changes a booked transaction.
"""

from collections.abc import AsyncIterator, Callable
from enum import Enum
from typing import Final
from uuid import UUID

import structlog

from provider.outbox.books import NotRecorded
from provider.outbox.calls import MoneyCall, rollback_id_of
from provider.outbox.recovery import Outbox
from provider.outbox.sender import Sender
from provider.reconciliation.compare import CONTRADICTION, PLAYER, REPEATED, UNREADABLE
from provider.reconciliation.examine import Examined, Examiner
from provider.reconciliation.feed import Feed
from provider.reconciliation.queries import Difference, ReconciliationBooks
from provider.reconciliation.transactions import Ours, Theirs, Unreadable, own_id
from provider.sessions.queries import session_by_id
from provider.sessions.sealing import SealBroken, Sealer
from provider.wallet_client.messages import WalletSession
from provider.wallet_client.outcomes import Accepted
from shared_service.http.exchange import fresh_request_id
from shared_service.postgres.database import Database

log = structlog.get_logger(__name__)

REASON: Final = "reconciliation"
HASTENED_MAX: Final = 1000
DRAIN_SECONDS: Final = 30.0
PAGE_ROWS: Final = 200

MANUAL_KINDS: Final = frozenset({PLAYER, CONTRADICTION, UNREADABLE, REPEATED})
"""Kinds of difference that only an operator can resolve."""


class Remedy(Enum):
    """A repair that the protocol allows without an operator's decision."""

    ROLL_BACK = "the wallet was told to roll the bet back"
    REPEAT = "the wallet was sent it again, under its id"


class Healer:
    """Repairs the differences of a run, and settles calls whose outcome the feed proves."""

    def __init__(
        self, pool: Database, books: ReconciliationBooks, feed: Feed, *, sender: Sender, outbox: Outbox, sealer: Sealer
    ) -> None:
        self._pool = pool
        self._books = books
        self._feed = feed
        self._examiner = Examiner(books, feed)
        self._sender = sender
        self._outbox = outbox
        self._sealer = sealer

    async def finish_due_calls(self) -> None:
        """Send every payout and rollback that is due or waits for its next attempt."""
        await self._books.hasten_due(HASTENED_MAX)
        await self._outbox.run_until_idle(timeout_seconds=DRAIN_SECONDS)

    async def settle(self, ours: Ours, theirs: Theirs) -> bool:
        """Record the wallet's outcome for a call whose outcome is unknown here; true when that ended the call."""
        bet = (
            await self._feed.transaction(ours.related_id, ours.user_id)
            if ours.related_id is not None and ours.kind == "rollback"
            else None
        )
        if isinstance(bet, Unreadable):
            return False
        tombstone = ours.kind == "rollback" and (bet is None or bet.state in ("cancelled", "refused"))
        return await self._books.settle(ours.transaction_id, theirs, tombstone=tombstone)

    async def heal_run(self, run_id: int, on_checked: Callable[[bool], None]) -> None:
        """Repair each difference of a run once, then close those that another repair resolved.

        `on_checked` is called after each difference: true when it was closed. It may raise to stop.
        """
        async for difference, transaction_id in self._unhealed(run_id):
            looked = await self._examiner.look(transaction_id, difference.user_id)
            done = await self._repair(transaction_id, difference.user_id, looked) if looked.kinds else None
            closed = False
            if done is not None:
                looked = await self._examiner.look(transaction_id, difference.user_id)
                closed = await self._close_if_gone(difference, looked, done)
            on_checked(closed)
        async for difference, transaction_id in self._unhealed(run_id):
            looked = await self._examiner.look(transaction_id, difference.user_id)
            on_checked(await self._close_if_gone(difference, looked, "healed with another"))

    async def _unhealed(self, run_id: int) -> AsyncIterator[tuple[Difference, UUID]]:
        after = 0
        while page := await self._books.differences_page(run_id, after, PAGE_ROWS, unhealed_only=True):
            after = page[-1].difference_id
            for difference in page:
                transaction_id = own_id(difference.transaction_id)
                if transaction_id is not None and difference.kind not in MANUAL_KINDS:
                    yield difference, transaction_id

    async def _close_if_gone(self, difference: Difference, looked: Examined, healed_by: str) -> bool:
        if difference.kind in looked.kinds or UNREADABLE in looked.kinds or looked.under_way:
            return False
        await self._books.close(difference.difference_id, healed_by)
        return True

    async def _repair(self, transaction_id: UUID, user_id: str, looked: Examined) -> str | None:
        """Repair one difference; returns what was done, or None."""
        theirs = looked.theirs
        bet_there = await self._examiner.bet_there(looked.ours) if theirs is None else None
        if isinstance(theirs, Unreadable) or isinstance(bet_there, Unreadable):
            return None  # never act on an unreadable report
        round_id = own_id(theirs.round_id) if theirs is not None else None
        session_id = None
        if round_id is not None:
            session_id = await self._books.unpaid_round_session(round_id, user_id)
        remedy = remedy_for(looked.ours, theirs, round_is_ours=session_id is not None, bet_there=bet_there)
        done = False
        if remedy is Remedy.ROLL_BACK and session_id is not None and round_id is not None:
            done = await self._roll_back(transaction_id, session_id, round_id)
        elif remedy is Remedy.REPEAT:
            done = await self._repeat(transaction_id)
        return remedy.value if remedy is not None and done else None

    async def _roll_back(self, bet_id: UUID, session_id: UUID, round_id: UUID) -> bool:
        if await self._books.is_anothers(bet_id):  # its rollback's id belongs to the other casino's bet
            return False
        session = await session_by_id(self._pool, session_id)
        token = None if session is None else self._token(session.token_sealed, bet_id)
        if session is None or token is None:
            return False
        call = MoneyCall(
            transaction_id=rollback_id_of(bet_id),
            kind="rollback",
            reason=REASON,
            provider_session_id=session_id,
            round_id=round_id,
            wallet=WalletSession(session.user_id, session.currency, token),
            request_id=fresh_request_id(),
            original_transaction_id=bet_id,
        )
        try:
            return (await self._sender.send(call)).accepted is not None
        except NotRecorded as refusal:
            log.warning("repair_not_recorded", transaction_id=str(bet_id), code=refusal.code)
            return False

    async def _repeat(self, transaction_id: UUID) -> bool:
        due = await self._books.call_of(transaction_id)
        token = None if due is None else self._token(due.token_sealed, transaction_id)
        if due is None or token is None:
            return False
        outcome = await self._sender.repeat(due.opened(token, fresh_request_id=fresh_request_id()))
        if not isinstance(outcome, Accepted):
            return False
        await self._books.record_repetition(transaction_id, outcome)
        return True

    def _token(self, sealed: bytes, transaction_id: UUID) -> str | None:
        try:
            return self._sealer.open(sealed)
        except SealBroken:
            log.error("token_seal_broken", transaction_id=str(transaction_id))
            return None


def remedy_for(
    ours: Ours | None, theirs: Theirs | None, *, round_is_ours: bool, bet_there: Theirs | None
) -> Remedy | None:
    """The repair that the protocol allows without an operator's decision, or None.

    `round_is_ours`: these books have the round, of the same player and without a payout. `bet_there`: for a
    rollback, what the wallet reports about its bet.
    """
    if theirs is not None:
        unwanted = ours is None or (ours.state == "refused" and ours.rollback_state is None)
        standing = theirs.kind == "debit" and theirs.state == "committed"
        return Remedy.ROLL_BACK if unwanted and standing and round_is_ours else None
    if ours is None or ours.state != "committed" or ours.kind == "debit":
        return None
    # The wallet has rolled the bet back already. Sending the rollback again would only record an empty one.
    done_there = ours.kind == "rollback" and bet_there is not None and bet_there.state == "rolled_back"
    return None if done_there else Remedy.REPEAT
