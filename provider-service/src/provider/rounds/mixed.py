"""Plays a mixed round: the steps that `mixed_script` draws from a seed."""

import uuid
from typing import ClassVar

from provider.outbox.books import Books
from provider.outbox.sender import Sender
from provider.rounds.mixed_script import draw_script
from provider.rounds.round_play import RoundPlay
from provider.sessions.launch import OpenSession
from provider.wallet_client.client import WalletClient


class MixedRound(RoundPlay):
    """One play of the script that belongs to `seed`."""

    kind: ClassVar[str] = "mixed"

    def __init__(
        self, books: Books, sender: Sender, wallet: WalletClient, session: OpenSession, *, seed: int, request_id: str
    ) -> None:
        self._drawn = draw_script(seed)
        super().__init__(books, sender, wallet, session, script=self._drawn.rows(), request_id=request_id)

    async def _play(self) -> None:
        bets: dict[int, uuid.UUID] = {}
        for number, step in enumerate(self._drawn.steps, 1):
            if step.kind == "balance":
                if number == len(self._drawn.steps):
                    await self._end_cancelled()
                await self._ask_balance(number)
            elif step.kind == "bet":
                bet = self._call("debit", amount_minor=step.amount_minor)
                bets[step.bet] = bet.transaction_id
                await self._send(number, bet)
            elif step.kind == "rollback":
                await self._send(number, self._rollback_of(bets[step.bet]))
            else:
                paid_for, ends = bets[step.bet], step.ends_round
                payout = self._call(
                    "credit", amount_minor=step.amount_minor, related_transaction_id=paid_for, end_round=ends
                )
                await self._send(number, payout)

    async def _end_cancelled(self) -> None:
        """End a round whose bets were all rolled back: no payout ends it."""
        if self._drawn.cancelled:
            await self._calls.finish()
            await self._sender.void_round(self._round_id, "cancelled")
