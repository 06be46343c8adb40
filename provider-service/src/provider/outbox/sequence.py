"""Sends the money calls of one round, one after the other, with one commit between two calls.

The outcome of a call is recorded together with the intent of the next call. An intent is durable before its call is
sent.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from provider.outbox.books import Answered, Books, NotRecorded, recorded_of
from provider.outbox.calls import MoneyCall
from provider.outbox.sender import Delivered, Sender
from provider.outbox.steps import OfSpin, StepResult
from provider.wallet_client.outcomes import Accepted, Outcome

HOLD_SECONDS: Final = 0.25
"""How long an outcome may wait for the next intent while another answer of the wallet is awaited."""


class CallSequence:
    """The calls of one session in their order.

        outcome = await calls.send(bet)
        outcome = await calls.send(payout)  # also records the outcome of the bet
        await calls.finish()                # records the outcome of the payout

    Between `send` and the next `send` or `finish` an outcome is not recorded. Call `finish`, or wait `while_holding`,
    before you wait for anything else: when the lease ends first, recovery gives a bet up, and sends a payout or a
    rollback again.
    """

    def __init__(self, books: Books, sender: Sender) -> None:
        self._books = books
        self._sender = sender
        self._answered: Answered | None = None
        self._repeated: list[Answered] = []
        self._recording = asyncio.Lock()

    async def send(self, call: MoneyCall, *, of_spin: OfSpin | None = None) -> Outcome:
        """Record the outcome before and this call's intent in one commit, then call the wallet.

        `of_spin`: parts of a spin that are recorded in the same commit. Raises `NotRecorded`: then nothing was sent.
        Its code is `given_up` when recovery gave the call before up, or says why a round was not opened.
        """
        self._sender.require_allowed(call)
        if self._answered is not None and not isinstance(self._answered.called.outcome, Accepted):
            await self.finish()
        result = await self._record(call, of_spin)
        if result is not None and result.opening not in (None, "opened"):
            raise NotRecorded(str(result.opening))
        if result is None or result.intent != "recorded":
            raise NotRecorded(str(result and result.intent))
        self._answered = Answered(call, await self._sender.call(call))
        return self._answered.called.outcome

    async def repeat(self, call: MoneyCall) -> Outcome:
        """Send a call whose outcome is known again; records the attempts only."""
        async with self.while_holding():
            repeated = Answered(call, await self._sender.call(call))
        self._repeated.append(repeated)
        return repeated.called.outcome

    async def finish(self, *, of_spin: OfSpin | None = None) -> None:
        """Record the last outcome, if it is not recorded yet. Raises `NotRecorded`: an acceptance does not count."""
        answered = self._answered
        result = await self._record(of_spin=of_spin)
        if answered is None or result is None:
            return
        outcome = answered.called.outcome
        if isinstance(outcome, Accepted) and Delivered(outcome, recorded_of(result)).accepted is None:
            raise NotRecorded("given_up")

    @asynccontextmanager
    async def while_holding(self, *, is_last: bool = False) -> AsyncIterator[None]:
        """Context manager for another wait: the last outcome is recorded meanwhile if the wait takes long.

        `is_last`: at once, because no intent follows. Raises `NotRecorded`, as `finish` does.
        """
        recording: list[asyncio.Task[None]] = []
        timer = asyncio.get_running_loop().call_later(
            0 if is_last else HOLD_SECONDS, lambda: recording.append(asyncio.create_task(self.finish()))
        )
        try:
            yield
        finally:
            timer.cancel()
            for each in recording:
                await each

    async def _record(self, intent: MoneyCall | None = None, of_spin: OfSpin | None = None) -> StepResult | None:
        """Record what is not recorded yet, and the intent. None when there is nothing to record."""
        async with self._recording:
            answered, repeated = self._answered, self._repeated
            if answered is None and intent is None and not repeated:
                return None
            result = await self._books.record(answered, intent=intent, repeated=repeated, of_spin=of_spin)
            self._answered, self._repeated = None, []
        if answered is not None:
            await self._sender.note(answered, recorded_of(result))
        return result
