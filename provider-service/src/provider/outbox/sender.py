"""Sends one money call: records its intent, calls the wallet, records the outcome.

No database connection is held during the call. tests-e2e/faults/test_write_ahead.py checks that the intent is
committed before the wallet gets the call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from provider.outbox.books import Answered, Books, NotRecorded, Recorded
from provider.outbox.calls import MoneyCall
from provider.sessions.queries import stop_session
from provider.wallet_client.client import WalletClient
from provider.wallet_client.outcomes import Accepted, Called, Outcome, Refused, Unknown
from shared_service.postgres.database import Database

log = structlog.get_logger(__name__)

EVENTS: Final = {Accepted: "accepted", Refused: "refused", Unknown: "outcome_unknown"}


@dataclass(frozen=True, slots=True)
class Delivered:
    """The outcome of a call, and the state of its row."""

    outcome: Outcome
    recorded: Recorded

    @property
    def accepted(self) -> Accepted | None:
        """The acceptance, when the row says so too; None for a bet that was given up meanwhile.

        Another process may have recorded it, or this one before its commit's answer was lost.
        """
        counts = self.recorded.state in ("committed", "settled")
        return self.outcome if isinstance(self.outcome, Accepted) and counts else None


class Sender:
    """Sends the money calls of rounds and of the outbox to one casino's wallet.

    `may_bet` tells whether the casino takes new bets. `wake` wakes the outbox when a rollback is due.
    """

    def __init__(
        self,
        pool: Database,
        books: Books,
        wallet: WalletClient,
        *,
        may_bet: Callable[[], bool] = lambda: True,
        wake: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._books = books
        self._wallet = wallet
        self._may_bet = may_bet
        self._wake = wake

    async def send(self, call: MoneyCall) -> Delivered:
        """Record the intent, call the wallet, record the outcome. Raises `NotRecorded`: then nothing was sent."""
        self.require_allowed(call)
        await self._books.write_intent(call)
        return await self.deliver(call)

    def require_allowed(self, call: MoneyCall) -> None:
        """Raises `NotRecorded` for a bet at a casino that takes none."""
        if call.kind == "debit" and not self._may_bet():
            raise NotRecorded("casino_draining")

    async def deliver(self, call: MoneyCall) -> Delivered:
        """Call the wallet for a recorded intent, and record the outcome."""
        answered = Answered(call, await self.call(call))
        recorded = await self._books.write_outcome(call, answered.called)
        await self.note(answered, recorded)
        return Delivered(answered.called.outcome, recorded)

    async def call(self, call: MoneyCall) -> Called:
        """Call the wallet. Records nothing."""
        return await self._wallet.call(call.as_wallet_call(), call.wallet, request_id=call.request_id)

    async def note(self, answered: Answered, recorded: Recorded) -> None:
        """Log a recorded outcome. Wake the outbox for a due rollback, stop the session when the wallet says so."""
        call, outcome = answered.call, answered.called.outcome
        self._report(call, answered.called, recorded)
        if isinstance(outcome, Unknown) and call.kind == "debit":
            self._wake()
        if isinstance(outcome, Refused) and outcome.action.stops_session:
            await stop_session(self._pool, call.provider_session_id, outcome.code)

    async def repeat(self, call: MoneyCall) -> Outcome:
        """Send a call whose outcome is known again; records the attempts only."""
        called = await self.call(call)
        await self._books.record_attempts(call, called)
        return called.outcome

    async def void_round(self, round_id: UUID, code: str) -> str:
        """Void an open round that has no payout, and wake the outbox to roll its bets back. Returns how it ended."""
        ended = await self._books.void_round(round_id, code)
        self._wake()
        return ended

    def _report(self, call: MoneyCall, called: Called, recorded: Recorded) -> None:
        outcome = called.outcome
        bound = log.bind(
            transaction_id=str(call.transaction_id),
            round_id=str(call.round_id),
            session_id=str(call.provider_session_id),
            request_id=call.request_id,
            tries=len(called.attempts),
            elapsed_ms=sum(attempt.elapsed_ms for attempt in called.attempts),
            state=recorded.state,
        )
        event = f"{call.kind}_{EVENTS[type(outcome)]}"
        if isinstance(outcome, Accepted):
            bound.info(event, tombstone=outcome.tombstone)
        elif isinstance(outcome, Refused):
            say = bound.error if outcome.action.alarms else bound.info
            say(event, code=outcome.code)
        else:
            bound.warning(event, code=outcome.code, why=outcome.why)
