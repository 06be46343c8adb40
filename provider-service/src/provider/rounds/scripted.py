"""Plays the scripted round: the nine steps of `script.SCRIPT`, and checks each answer."""

import contextlib
import uuid
from collections.abc import Coroutine
from typing import Any, ClassVar

from provider.outbox.books import Books, NotRecorded
from provider.outbox.calls import PROBE, MoneyCall
from provider.outbox.sender import Sender
from provider.rounds.round_play import RoundEnds, RoundPlay, problem_of
from provider.rounds.script import PAYOUT_MINOR, REFUSAL_CODE, REFUSAL_SENTENCE, SCRIPT, STAKE_MINOR
from provider.sessions.launch import OpenSession
from provider.wallet_client.client import WalletClient
from provider.wallet_client.outcomes import Accepted, Refused


class ScriptedRound(RoundPlay):
    """One play of the nine steps."""

    kind: ClassVar[str] = "scripted"

    def __init__(
        self, books: Books, sender: Sender, wallet: WalletClient, session: OpenSession, *, request_id: str
    ) -> None:
        super().__init__(books, sender, wallet, session, script=SCRIPT, request_id=request_id)

    async def _play(self) -> None:
        await self._ask_balance(1)
        bet_1, bet_2 = self._call("debit", amount_minor=STAKE_MINOR), self._call("debit", amount_minor=STAKE_MINOR)
        answer_1 = await self._send(2, bet_1)
        await self._send(3, bet_2)
        await self._send(4, self._rollback_of(bet_2.transaction_id))
        paid_for = bet_1.transaction_id
        payout = self._call("credit", amount_minor=PAYOUT_MINOR, related_transaction_id=paid_for, end_round=True)
        await self._send(5, payout)
        # After the payout no bet is open: a step may fail, and the next one is still played.
        await _independent(self._ask_balance(6))
        await _independent(self._repeat(7, bet_1, answer_1))
        await _independent(self._send(8, self._rollback_of(uuid.uuid4()), tombstone=True))
        await _independent(self._probe(9, self._rollback_of(bet_1.transaction_id, reason=PROBE)))

    async def _repeat(self, number: int, call: MoneyCall, first: Accepted) -> None:
        """Play a step that repeats a call: the answer must be the same, and the balance must not move."""
        outcome = await self._calls.repeat(call)
        problem = problem_of(outcome, first.balance_minor)
        if isinstance(outcome, Accepted):
            if outcome.body != first.body:
                problem = problem or "The second answer differs from the first."
            if not outcome.replayed:
                problem = problem or "The answer is not marked as a replay."
        problem = problem or problem_of(await self._look_up_balance(), self._report.expected_minor(number))
        self._report.add(number, call.as_wallet_call(), outcome, problem)

    async def _probe(self, number: int, call: MoneyCall) -> None:
        """Play a step that the wallet must refuse with `REFUSAL_CODE` and `REFUSAL_SENTENCE`."""
        try:
            outcome = await self._calls.send(call)
        except NotRecorded as refusal:
            self._report.add(number, call.as_wallet_call(), None, f"Not sent: {refusal.code}.")
            return
        problem = None
        if not isinstance(outcome, Refused):
            problem = problem_of(outcome, None) or "The wallet accepted it."
        elif (outcome.status, outcome.code, outcome.members.get("error")) != (400, REFUSAL_CODE, REFUSAL_SENTENCE):
            problem = f"Refused otherwise: {outcome.status} {outcome.code}."
        problem = problem or problem_of(await self._look_up_balance(is_last=True), self._report.expected_minor(number))
        self._report.add(number, call.as_wallet_call(), outcome, problem)


async def _independent(step: Coroutine[Any, Any, Any]) -> None:
    """Play a step that no other step depends on. The report has its problem already."""
    with contextlib.suppress(RoundEnds):
        await step
