"""Plays one simulated round against a wallet, whatever its script, and checks each answer.

Owns how a round begins and ends, and the steps that scripts are made of. It must never play on where a step left money
in doubt: until the payout a failing step ends the round and its bets are returned; what is in doubt is the outbox's.
"""

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import structlog

from provider.outbox.books import Books, NotRecorded
from provider.outbox.calls import MoneyCall, rollback_id_of
from provider.outbox.courier import Courier
from provider.rounds.report import Notes, RoundReport
from provider.rounds.script import ScriptStep
from provider.sessions.launch import OpenSession
from provider.wallet_client.client import WalletClient
from provider.wallet_client.messages import WalletSession, balance_call
from provider.wallet_client.outcomes import Accepted, Outcome, Refused, Unknown
from shared_service.postgres.database import DATABASE_AWAY

log = structlog.get_logger(__name__)

SCRIPT_REASON = "script"


class RoundEnds(Exception):  # noqa: N818 - an outcome, named as the others are
    """A step did not answer as it must, and the steps after it depend on it."""


class RoundInterrupted(Exception):  # noqa: N818 - an outcome, named as the others are
    """The books went away in the middle of a round: recovery ends it."""


class RoundPlay(ABC):
    """One play of one script; `kind` is what the books call the round."""

    kind: ClassVar[str]

    def __init__(
        self,
        books: Books,
        courier: Courier,
        wallet: WalletClient,
        session: OpenSession,
        *,
        script: Sequence[ScriptStep],
        request_id: str,
    ) -> None:
        self._books = books
        self._courier = courier
        self._wallet = wallet
        self._request_id = request_id
        self._session_id = session.row.provider_session_id
        self._player = WalletSession(session.row.user_id, session.row.currency, session.token)
        self._round_id = uuid.uuid4()
        self._notes = Notes(str(self._round_id), self._player, script)

    async def play(self, *, seconds: float) -> RoundReport:
        """Play within the time. Raises `NotRecorded` when the session may not begin a round now."""
        opened = await self._books.open_round(
            self._round_id, self._session_id, kind=self.kind, request_id=self._request_id
        )
        if opened != "opened":
            raise NotRecorded(opened)
        try:
            problem = await self._play_within(seconds)
            if problem is not None:
                # A round that was paid has ended already, and one whose payout is in doubt belongs to the outbox.
                await self._courier.void_round(self._round_id, "script_failed")
        except DATABASE_AWAY as error:
            # Not the pool's own error: that would be answered as "nothing was done". The leases end, recovery does it.
            raise RoundInterrupted from error
        report = self._notes.finish(problem)
        log.info("round_played", kind=self.kind, round_id=str(self._round_id), passed=report.passed)
        return report

    async def _play_within(self, seconds: float) -> str | None:
        """Play, and say why the round did not come to its end."""
        try:
            async with asyncio.timeout(seconds):
                await self._play()
        except RoundEnds:
            return "The round ended early; bets without a payout are returned."
        except TimeoutError:
            self._notes.cut_short()
            return "The round ran out of time; bets without a payout are returned."
        return None

    @abstractmethod
    async def _play(self) -> None:
        """Play the steps of the script. Raises `RoundEnds` where one did not answer as it must."""

    async def _ask_balance(self, number: int) -> Accepted:
        """A step that asks for the balance; the first of a round is what the others are measured against."""
        call = balance_call()
        outcome = await self._look_up_balance()
        expected = None if self._notes.start_minor is None else self._notes.expected_minor(number)
        problem = problem_of(outcome, expected)
        self._notes.add(number, call, outcome, problem)
        if problem is not None or not isinstance(outcome, Accepted):
            raise RoundEnds
        if self._notes.start_minor is None:
            self._notes.start_minor = outcome.balance_minor
        return outcome

    async def _send(self, number: int, call: MoneyCall, *, tombstone: bool = False) -> Accepted:
        """A step that the wallet must accept."""
        try:
            delivered = await self._courier.send(call)
        except NotRecorded as refusal:
            self._notes.add(number, call.as_wallet_call(), None, f"Not sent: {refusal.code}.")
            raise RoundEnds from None
        accepted = delivered.accepted
        self._notes.balance_minor = None if accepted is None else accepted.balance_minor
        problem = problem_of(delivered.outcome, self._notes.expected_minor(number))
        if accepted is None:
            problem = problem or "The answer came after recovery had taken the call over."
        elif accepted.tombstone is not tombstone:
            problem = problem or ("The wallet did not know the bet." if accepted.tombstone else "No tombstone.")
        self._notes.add(number, call.as_wallet_call(), delivered.outcome, problem)
        if problem is not None or accepted is None:
            raise RoundEnds
        return accepted

    async def _look_up_balance(self) -> Outcome:
        outcome = (await self._wallet.call(balance_call(), self._player, request_id=self._request_id)).outcome
        self._notes.balance_minor = outcome.balance_minor if isinstance(outcome, Accepted) else None
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
    """Why this is not the acceptance that it must be, in a sentence for people."""
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
