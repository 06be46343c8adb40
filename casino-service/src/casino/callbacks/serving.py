"""The endpoints that a provider calls: getBalance, debit, credit, rollback, the transaction feed and the look-up.

Owns the way from a verified request to the wallet and back. The signature was checked before anything in here runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from casino.callbacks import feed, messages
from casino.wallet.commands import Balance, BalanceRequest, WalletCommand, WalletOutcome
from casino.wallet.group_commit import GroupCommit
from shared_service.http import decoding
from shared_service.http.exchange import deadline, read_body, request_id, send_answer
from shared_service.http.routing import SIGNED, Route, route

DEBIT: Final = "/casino/debit"
CREDIT: Final = "/casino/credit"
ROLLBACK: Final = "/casino/rollback"
GET_BALANCE: Final = "/casino/getBalance"
TRANSACTIONS: Final = "/casino/transactions"


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the endpoints work with."""

    commands: GroupCommit[WalletCommand, WalletOutcome]
    balances: GroupCommit[BalanceRequest, Balance]
    feed: feed.Feed
    note_outcome: Callable[[WalletCommand, WalletOutcome], None]
    """Is told of each command and what became of it."""

    def routes(self) -> Sequence[Route]:
        """The routes of this slice."""
        return [
            # A new stake can wait; a payout or a rollback must get through.
            route("POST", DEBIT, MoneyEndpoint(self, messages.debit), access=SIGNED, yields=True),
            route("POST", CREDIT, MoneyEndpoint(self, messages.credit), access=SIGNED),
            route("POST", ROLLBACK, MoneyEndpoint(self, messages.rollback), access=SIGNED),
            route("POST", GET_BALANCE, BalanceEndpoint(self), access=SIGNED),
            route("GET", TRANSACTIONS, self._transactions, access=SIGNED),
            route("GET", TRANSACTIONS + "/{transaction_id}", self._transaction, access=SIGNED),
        ]

    async def _transactions(self, request: Request) -> Response:
        messages.signer_of(request.scope["state"])
        return await self.feed.page(request.query_params)

    async def _transaction(self, request: Request) -> Response:
        messages.signer_of(request.scope["state"])
        return await self.feed.transaction(request.path_params["transaction_id"], request.query_params)


class MoneyEndpoint:
    """One of debit, credit and rollback, as a plain ASGI application: it is the hot path."""

    def __init__(self, callbacks: Callbacks, decode: messages.Decode) -> None:
        self._callbacks = callbacks
        self._decode = decode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        messages.signer_of(scope["state"])
        content = decoding.decode_object(await read_body(scope, receive))
        command = self._decode(content, request_id(scope), scope["state"])
        outcome = await self._callbacks.commands.submit(command, key=command.player_id, deadline=deadline(scope))
        if outcome.code is not None:
            scope["state"]["code"] = outcome.code
        self._callbacks.note_outcome(command, outcome)
        await send_answer(send, messages.render_outcome(command, outcome))


class BalanceEndpoint:
    """getBalance, as a plain ASGI application."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        messages.signer_of(scope["state"])
        question = messages.balance_request(decoding.decode_object(await read_body(scope, receive)))
        # Every question is a key of its own: they never wait for each other.
        balance = await self._callbacks.balances.submit(question, key=object(), deadline=deadline(scope))
        if balance.code is not None:
            scope["state"]["code"] = balance.code
        await send_answer(send, messages.render_balance(question, balance, request_id(scope)))
