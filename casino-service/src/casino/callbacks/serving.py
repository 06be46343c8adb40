"""Serves what a provider calls: getBalance, debit, credit, rollback, the transaction feed and the look-up.

The signature was checked before anything in here runs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from casino.callbacks import messages
from casino.callbacks.feed import Feed
from casino.callbacks.nonces import DatabaseNonceStore
from casino.errors import Refused
from casino.settings import Settings
from casino.wallet.commands import NONCE_REPLAY, Balance, BalanceRequest, WalletCommand, WalletOutcome
from casino.wallet.serving import WalletQueues
from shared_service.http import decoding
from shared_service.http.exchange import deadline, json_body, request_id
from shared_service.http.routing import SIGNED, Route, route
from shared_service.postgres.database import Database, OutcomeUnknown, Overloaded
from shared_service.postgres.group_commit import GroupCommit
from shared_service.run.loops import BackgroundLoop
from shared_signing.asgi_messages import send_answer
from shared_signing.nonces import HandlersNonce, NonceState

SIGNATURE_HEADER: Final = "x-casino-signature"
PRUNE_SECONDS: Final = 60.0

NoteOutcome = Callable[[WalletCommand, WalletOutcome], None]
I = TypeVar("I", WalletCommand, BalanceRequest)  # noqa: E741 - item
O = TypeVar("O", WalletOutcome, Balance)  # noqa: E741 - outcome


def nonce_store(settings: Settings, database: Database) -> DatabaseNonceStore:
    """The store of used nonces. It needs no start."""
    return DatabaseNonceStore(
        database,
        batch_max=settings.group_commit_max,
        lanes=settings.group_commit_lanes,
        queue_max=settings.queue_max,
        budget_seconds=settings.request_budget_seconds,
    )


def routes(
    settings: Settings,
    queues: WalletQueues,
    database: Database,
    note_outcome: NoteOutcome,
    *,
    is_draining: messages.IsDraining,
) -> list[Route]:
    """The routes for a provider. The feed reads `database`. `note_outcome` is called for each command."""
    feed = Feed(database, settings.ledger_id)

    def money(decode: messages.Decode) -> MoneyEndpoint:
        return MoneyEndpoint(queues.commands, decode, note_outcome)

    async def get_page(request: Request) -> Response:
        messages.signer_of(request.scope["state"])
        return await feed.page(messages.peer_of(request.scope["state"]), request.query_params)

    async def get_transaction(request: Request) -> Response:
        messages.signer_of(request.scope["state"])
        provider_id, transaction_id = messages.peer_of(request.scope["state"]), request.path_params["transaction_id"]
        return await feed.transaction(provider_id, transaction_id, request.query_params)

    debit = partial(messages.debit, is_draining=is_draining)
    return [
        # Under load new bets are refused first, so that payouts and rollbacks get through.
        route("POST", "/casino/debit", money(debit), access=SIGNED, claims_nonce=True, yields=True),
        route("POST", "/casino/credit", money(messages.credit), access=SIGNED, claims_nonce=True),
        route("POST", "/casino/rollback", money(messages.rollback), access=SIGNED, claims_nonce=True),
        route("POST", "/casino/getBalance", BalanceEndpoint(queues.balances), access=SIGNED, claims_nonce=True),
        route("GET", "/casino/transactions", get_page, access=SIGNED, query=("after", "limit")),
        route("GET", "/casino/transactions/{transaction_id}", get_transaction, access=SIGNED, query=("userId",)),
    ]


def loops(nonces: DatabaseNonceStore) -> list[BackgroundLoop]:
    """The loop that deletes old nonces."""
    return [BackgroundLoop("nonce_partitions", nonces.empty_old_partition, interval_seconds=PRUNE_SECONDS)]


async def close(nonces: DatabaseNonceStore) -> None:
    """Finish the waiting claims. The database must still be open."""
    await nonces.close()


async def _judged(queue: GroupCommit[I, O], item: I, *, key: Hashable, scope: Scope) -> O:
    """Returns the outcome of an item that claims the request's nonce, and tells the middleware whether it did.

    Raises Refused(nonce_replay), and the errors of GroupCommit.submit.
    """
    nonce: HandlersNonce = scope["state"]["nonce"]
    try:
        outcome = await queue.submit(item, key=key, deadline=deadline(scope))
    except OutcomeUnknown:
        nonce.state = NonceState.UNKNOWN
        raise
    if outcome.code == NONCE_REPLAY:
        nonce.state = NonceState.USED
        raise Refused(NONCE_REPLAY)
    nonce.state = NonceState.CLAIMED
    return outcome


class MoneyEndpoint:
    """Serves debit, credit or rollback. Plain ASGI, to save time per request.

    The command claims the request's nonce when it is judged. A request that is refused before leaves its nonce open,
    and the middleware claims it.
    """

    def __init__(
        self, commands: GroupCommit[WalletCommand, WalletOutcome], decode: messages.Decode, note_outcome: NoteOutcome
    ) -> None:
        self._commands = commands
        self._decode = decode
        self._note_outcome = note_outcome

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request."""
        messages.signer_of(scope["state"])
        content = decoding.decode_object(json_body(scope))
        command = self._decode(content, request_id(scope), scope["state"])
        outcome = await _judged(self._commands, command, key=command.player_id, scope=scope)
        if outcome.code is not None:
            scope["state"].update(
                code=outcome.code, field=messages.differing_field(outcome), transaction_id=command.transaction_id
            )
        self._note_outcome(command, outcome)
        await send_answer(send, messages.render_outcome(command, outcome))


class BalanceEndpoint:
    """Serves getBalance. Plain ASGI, to save time per request."""

    def __init__(self, balances: GroupCommit[BalanceRequest, Balance]) -> None:
        self._balances = balances

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request."""
        messages.signer_of(scope["state"])
        asked = messages.balance_request(decoding.decode_object(json_body(scope)), scope["state"])
        try:
            # Each request has its own key, so requests do not wait for each other.
            balance = await _judged(self._balances, asked, key=object(), scope=scope)
        except OutcomeUnknown:
            raise Overloaded from None  # a question may be asked again
        if balance.code is not None:
            scope["state"]["code"] = balance.code
        await send_answer(send, messages.render_balance(asked, balance, request_id(scope)))
