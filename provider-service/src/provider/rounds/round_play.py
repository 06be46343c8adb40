"""Plays the script of a simulated round against a wallet and checks each answer.

A step that fails before the payout ends the round, and its bets are rolled back. The outbox finishes calls whose
outcome is unknown.
"""

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import structlog

from provider.outbox.books import Books, NotRecorded
from provider.outbox.calls import MoneyCall, rollback_id_of
from provider.outbox.sender import Sender
from provider.outbox.sequence import CallSequence
from provider.rounds.report import ReportBuilder, RoundReport
from provider.rounds.script import ScriptStep
from provider.sessions.launch import OpenSession
from provider.wallet_client.client import WalletClient
from provider.wallet_client.messages import WalletSession, balance_call
from provider.wallet_client.outcomes import Accepted, Outcome, Refused, Unknown
from shared_service.postgres.database import DATABASE_DOWN

log = structlog.get_logger(__name__)

SCRIPT_REASON = "script"
GIVEN_UP = "The outbox gave a bet up before its answer was recorded."


class RoundEnds(Exception):  # noqa: N818 - an outcome, named as the others are
    """A step failed, and later steps depend on it."""


class RoundInterrupted(Exception):  # noqa: N818 - an outcome, named as the others are
    """The database became unavailable during a round. Recovery ends the round."""


class RoundPlay(ABC):
    """One play of a script. `kind` is stored with the round."""

    kind: ClassVar[str]

    def __init__(
        self,
        books: Books,
        sender: Sender,
        wallet: WalletClient,
        session: OpenSession,
        *,
        script: Sequence[ScriptStep],
        request_id: str,
    ) -> None:
        self._books = books
        self._sender = sender
        self._calls = CallSequence(books, sender)
        self._wallet = wallet
        self._request_id = request_id
        self._session_id = session.row.provider_session_id
        self._player = WalletSession(session.row.user_id, session.row.currency, session.token)
        self._round_id = uuid.uuid4()
        self._report = ReportBuilder(str(self._round_id), self._player, script)

    async def play(self, *, seconds: float) -> RoundReport:
        """Play within `seconds`. Raises `NotRecorded` when the session may not begin a round now."""
        opened = await self._books.open_round(
            self._round_id, self._session_id, kind=self.kind, request_id=self._request_id
        )
        if opened != "opened":
            raise NotRecorded(opened)
        try:
            ended_early = await self._play_within(seconds)
            problem = await self._finish() or ended_early
            if problem is not None:
                # No effect once a payout is recorded: then the payout ends the round, or the outbox does.
                await self._sender.void_round(self._round_id, "script_failed")
        except DATABASE_DOWN as error:
            # Not the pool's own error: it would be answered with 503, "nothing was done".
            raise RoundInterrupted from error
        report = self._report.finish(problem)
        log.info("round_played", kind=self.kind, round_id=str(self._round_id), passed=report.passed)
        return report

    async def _play_within(self, seconds: float) -> str | None:
        """Play; returns why the round did not finish, or None."""
        try:
            async with asyncio.timeout(seconds):
                await self._play()
        except RoundEnds:
            return "The round ended early; bets without a payout are returned."
        except TimeoutError:
            self._report.add_timeout()
            return "The round ran out of time; bets without a payout are returned."
        except NotRecorded:
            return GIVEN_UP
        return None

    async def _finish(self) -> str | None:
        """Record the last outcome; returns why it does not count, or None."""
        try:
            await self._calls.finish()
        except NotRecorded:
            return GIVEN_UP
        return None

    @abstractmethod
    async def _play(self) -> None:
        """Play the steps of the script. Raises `RoundEnds` when one fails."""

    async def _ask_balance(self, number: int) -> Accepted:
        """Play a balance step. The first one sets the start balance for all others."""
        call = balance_call()
        outcome = await self._look_up_balance(is_last=number == len(self._report.script))
        expected = None if self._report.start_minor is None else self._report.expected_minor(number)
        problem = problem_of(outcome, expected)
        self._report.add(number, call, outcome, problem)
        if problem is not None or not isinstance(outcome, Accepted):
            raise RoundEnds
        if self._report.start_minor is None:
            self._report.start_minor = outcome.balance_minor
        return outcome

    async def _send(self, number: int, call: MoneyCall, *, tombstone: bool = False) -> Accepted:
        """Play a step that the wallet must accept; `tombstone`: as a rollback of a bet it never saw."""
        try:
            outcome = await self._calls.send(call)
        except NotRecorded as refusal:
            self._report.add(number, call.as_wallet_call(), None, f"Not sent: {refusal.code}.")
            raise RoundEnds from None
        accepted = outcome if isinstance(outcome, Accepted) else None
        self._report.balance_minor = None if accepted is None else accepted.balance_minor
        problem = problem_of(outcome, self._report.expected_minor(number))
        if accepted is not None and accepted.tombstone is not tombstone:
            problem = problem or ("The wallet did not know the bet." if accepted.tombstone else "No tombstone.")
        self._report.add(number, call.as_wallet_call(), outcome, problem)
        if problem is not None or accepted is None:
            raise RoundEnds
        return accepted

    async def _look_up_balance(self, *, is_last: bool = False) -> Outcome:
        async with self._calls.while_holding(is_last=is_last):
            outcome = (await self._wallet.call(balance_call(), self._player, request_id=self._request_id)).outcome
        self._report.balance_minor = outcome.balance_minor if isinstance(outcome, Accepted) else None
        return outcome

    def _call(self, kind: Any, *, reason: str = SCRIPT_REASON, **members: Any) -> MoneyCall:
        return MoneyCall(
            transaction_id=members.pop("transaction_id", None) or uuid.uuid4(),
            kind=kind,
            reason=reason,
            provider_session_id=self._session_id,
            round_id=self._round_id,
            wallet=self._player,
            request_id=self._request_id,
            **members,
        )

    def _rollback_of(self, bet_id: uuid.UUID, *, reason: str = SCRIPT_REASON) -> MoneyCall:
        return self._call(
            "rollback", transaction_id=rollback_id_of(bet_id), original_transaction_id=bet_id, reason=reason
        )


def problem_of(outcome: Outcome, expected_minor: int | None) -> str | None:
    """A sentence that says why the outcome is not the expected acceptance; None when it is."""
    if isinstance(outcome, Refused):
        return f"Refused: {outcome.code}."
    if isinstance(outcome, Unknown):
        return f"Outcome unknown: {outcome.code} ({outcome.why})."
    if expected_minor is not None and outcome.balance_minor != expected_minor:
        return (
            f"The balance is {outcome.balance_minor}, not {expected_minor}: the wallet is wrong, "
            "or something else, such as another round, moved this player's money meanwhile."
        )
    return None
