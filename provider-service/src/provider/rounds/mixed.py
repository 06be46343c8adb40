"""The mixed round: what a seed has drawn, played with the same care as the nine steps.

Owns the way from a drawn script to calls.
"""

import uuid
from typing import ClassVar

from provider.outbox.books import Books
from provider.outbox.courier import Courier
from provider.rounds.mixed_script import draw_script
from provider.rounds.round_play import RoundPlay
from provider.sessions.launch import OpenSession
from provider.wallet_client.client import WalletClient


class MixedRound(RoundPlay):
    """One play of one drawn script."""

    kind: ClassVar[str] = "mixed"

    def __init__(
        self, books: Books, courier: Courier, wallet: WalletClient, session: OpenSession, *, seed: int, request_id: str
    ) -> None:
        self._drawn = draw_script(seed)
        super().__init__(books, courier, wallet, session, script=self._drawn.rows(), request_id=request_id)

    async def _play(self) -> None:
        bets: dict[int, uuid.UUID] = {}
        for number, act in enumerate(self._drawn.acts, 1):
            if act.kind == "balance":
                if number == len(self._drawn.acts):
                    await self._end_cancelled()
                await self._ask_balance(number)
            elif act.kind == "bet":
                bet = self._call("debit", amount_minor=act.amount_minor)
                bets[act.bet] = bet.transaction_id
                await self._send(number, bet)
            elif act.kind == "rollback":
                await self._send(number, self._rollback_of(bets[act.bet]))
            else:
                paid_for, ends = bets[act.bet], act.ends_round
                payout = self._call(
                    "credit", amount_minor=act.amount_minor, related_transaction_id=paid_for, end_round=ends
                )
                await self._send(number, payout)

    async def _end_cancelled(self) -> None:
        """A round whose bets all went back has no payout that would end it."""
        if self._drawn.cancelled:
            await self._courier.void_round(self._round_id, "cancelled")
