"""Heals what the protocol allows without asking anybody: rolls back a bet that is not ours, repeats what was lost.

Owns the acts. Each is written down before it is sent, by the courier, and its outcome after. It must never send a
debit, never change what was booked here, and never hold a database connection while it waits for a wallet.
"""

from typing import Final
from uuid import UUID

import structlog

from provider.db import Pool
from provider.outbox.books import NotRecorded
from provider.outbox.calls import MoneyCall, rollback_id_of
from provider.outbox.courier import Courier
from provider.outbox.recovery import Outbox
from provider.reconciliation.examine import Examined, Examiner
from provider.reconciliation.feed import Feed
from provider.reconciliation.queries import Difference, RunBooks
from provider.reconciliation.repairs import Remedy, remedy_for
from provider.reconciliation.sides import Ours, Theirs, Unreadable, own_id
from provider.sessions.queries import session_by_id
from provider.sessions.sealing import SealBroken, Sealer
from provider.wallet_client.messages import WalletSession
from provider.wallet_client.outcomes import Accepted
from shared_service.http import fresh_request_id

log = structlog.get_logger(__name__)

REASON: Final = "reconciliation"
HASTENED_MAX: Final = 1000
DRAIN_SECONDS: Final = 30.0


class Healer:
    """The acts of repair."""

    def __init__(
        self, pool: Pool, books: RunBooks, feed: Feed, *, courier: Courier, outbox: Outbox, sealer: Sealer
    ) -> None:
        self._pool = pool
        self._books = books
        self._feed = feed
        self._courier = courier
        self._outbox = outbox
        self._sealer = sealer

    async def finish_what_is_due(self) -> None:
        """Let the outbox send what is due, and what only waits for its next attempt."""
        await self._books.hasten_due(HASTENED_MAX)
        await self._outbox.run_until_idle(timeout_seconds=DRAIN_SECONDS)

    async def settle(self, ours: Ours, theirs: Theirs) -> bool:
        """Write down what the wallet tells of a call that these books do not know the end of; true if that ended it."""
        bet = (
            await self._feed.transaction(ours.related_id, ours.user_id)
            if ours.related_id is not None and ours.kind == "rollback"
            else None
        )
        if isinstance(bet, Unreadable):
            return False
        tombstone = ours.kind == "rollback" and (bet is None or bet.state in ("cancelled", "refused"))
        return await self._books.settle(ours.transaction_id, theirs, tombstone=tombstone)

    async def heal(self, difference: Difference, examiner: Examiner, looked: Examined) -> str | None:
        """Do what is allowed about a difference; says what was done, or None."""
        transaction_id = UUID(difference.transaction_id)
        theirs = looked.theirs
        bet_there = await examiner.bet_there(looked.ours) if theirs is None else None
        if isinstance(theirs, Unreadable) or isinstance(bet_there, Unreadable):
            return None  # what cannot be read is nothing to act on
        round_id = own_id(theirs.round_id) if theirs is not None else None
        session_id = None
        if round_id is not None:
            session_id = await self._books.unpaid_round_session(round_id, difference.user_id)
        remedy = remedy_for(looked.ours, theirs, round_is_ours=session_id is not None, bet_there=bet_there)
        done = False
        if remedy is Remedy.ROLL_BACK and session_id is not None and round_id is not None:
            done = await self._roll_back(transaction_id, session_id, round_id)
        elif remedy is Remedy.REPEAT:
            done = await self._repeat(transaction_id)
        return remedy.value if remedy is not None and done else None

    async def _roll_back(self, bet_id: UUID, session_id: UUID, round_id: UUID) -> bool:
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
            return (await self._courier.send(call)).accepted is not None
        except NotRecorded as refusal:
            log.warning("repair_not_recorded", transaction_id=str(bet_id), code=refusal.code)
            return False

    async def _repeat(self, transaction_id: UUID) -> bool:
        due = await self._books.call_of(transaction_id)
        token = None if due is None else self._token(due.token_sealed, transaction_id)
        if due is None or token is None:
            return False
        outcome = await self._courier.repeat(due.opened(token, fresh_request_id=fresh_request_id()))
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
