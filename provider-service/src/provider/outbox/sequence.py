"""Sends the money calls of one round, one after the other, with one commit between two calls.

The outcome of a call is recorded together with the intent of the next call. An intent is durable before its call is
sent.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from provider.outbox.books import Answered, Books, NotRecorded, recorded_of, require_recorded
from provider.outbox.calls import MoneyCall
from provider.outbox.sender import Delivered, Sender
from provider.wallet_client.outcomes import Accepted, Outcome


class CallSequence:
    """The calls of one session in their order.

        outcome = await calls.send(bet)
        outcome = await calls.send(payout)  # also records the outcome of the bet
        await calls.finish()                # records the outcome of the payout

    Between `send` and the next `send` or `finish` an outcome is not recorded. Call `finish` before you wait for
    anything else: when the lease ends first, recovery gives a bet up, and sends a payout or a rollback again.
    """

    def __init__(self, books: Books, sender: Sender) -> None:
        self._books = books
        self._sender = sender
        self._answered: Answered | None = None
        self._recording = asyncio.Lock()

    async def send(self, call: MoneyCall) -> Outcome:
        """Record the outcome before and this call's intent in one commit, then call the wallet.

        Raises `NotRecorded`: then nothing was sent. Its code is `given_up` when recovery gave the call before up.
        """
        self._sender.require_allowed(call)
        if self._answered is not None and not isinstance(self._answered.called.outcome, Accepted):
            await self.finish()
        async with self._recording:
            answered = self._answered
            result = await self._books.record(answered, intent=call)
            self._answered = None
        if answered is not None and not answered.repeated:
            await self._sender.note(answered, recorded_of(result))
        require_recorded(result)
        self._answered = Answered(call, await self._sender.call(call))
        return self._answered.called.outcome

    async def repeat(self, call: MoneyCall) -> Outcome:
        """Send a call whose outcome is known again; records the attempts only."""
        await self.finish()
        self._answered = Answered(call, await self._sender.call(call), repeated=True)
        return self._answered.called.outcome

    async def finish(self) -> None:
        """Record the last outcome, if it is not recorded yet. Raises `NotRecorded`: an acceptance does not count."""
        async with self._recording:
            answered = self._answered
            if answered is None:
                return
            result = await self._books.record(answered)
            self._answered = None
        if answered.repeated:
            return
        recorded = recorded_of(result)
        await self._sender.note(answered, recorded)
        if (
            isinstance(answered.called.outcome, Accepted)
            and Delivered(answered.called.outcome, recorded).accepted is None
        ):
            raise NotRecorded("given_up")

    @asynccontextmanager
    async def finishing(self) -> AsyncIterator[None]:
        """Context manager: record the last outcome while the block runs. Raises `NotRecorded`, as `finish` does."""
        if self._answered is None or self._answered.repeated:
            yield
            return
        recording = asyncio.create_task(self.finish())
        try:
            yield
        finally:
            await recording
