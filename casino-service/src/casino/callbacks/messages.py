"""Decodes the body of a provider's call into a command, and renders an outcome as the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import structlog
from msgspec import UNSET

from casino import errors
from casino.callbacks import fields
from casino.callbacks.nonces import new_claim_id
from casino.errors import Answer, Refused
from casino.wallet.commands import Balance, BalanceRequest, WalletCommand, WalletOutcome
from shared_signing.nonces import HandlersNonce

REPLAY_HEADER: Final = (b"idempotent-replay", b"true")

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode
Arrival = Mapping[str, Any]
"""A request's state, set by the middleware: `signed_by`, `peer`, `clock_skew_seconds`, `received_us`, `nonce`."""
Decode = Callable[[dict[str, Any], str, Arrival], WalletCommand]
IsDraining = Callable[[str], bool]


def signer_of(arrival: Arrival) -> str:
    """Returns the id of the key that signed the request. Raises Refused(signature_missing).

    A second check behind the guard of signed routes. Every endpoint for a provider calls it first (test_signers.py).
    """
    signer = arrival.get("signed_by")
    if not isinstance(signer, str) or not signer:
        log.error("unsigned_request_passed_the_edge")
        raise Refused("signature_missing")
    return signer


def peer_of(arrival: Arrival) -> str:
    """Returns the provider whose key signed the request. It reaches only what is its own. Raises Refused."""
    peer = arrival.get("peer")
    if not isinstance(peer, str) or not peer:
        log.error("request_of_no_peer_passed_the_edge")
        raise Refused("unknown_key")
    return peer


def debit(
    content: dict[str, Any], request_id: str, arrival: Arrival, *, is_draining: IsDraining = lambda _: False
) -> WalletCommand:
    """A stake that the player bets. `is_draining(provider_id)`: the provider gets no new bet."""
    arrived = _arrived(request_id, arrival)
    return WalletCommand(
        kind="debit", draining=is_draining(arrived["provider_id"]), **arrived, **fields.DEBIT.read(content)
    )


def credit(content: dict[str, Any], request_id: str, arrival: Arrival) -> WalletCommand:
    """A payout that answers a bet; 0 records a lost one."""
    return WalletCommand(kind="credit", **_arrived(request_id, arrival), **fields.CREDIT.read(content))


def rollback(content: dict[str, Any], request_id: str, arrival: Arrival) -> WalletCommand:
    """Takes a bet back. The amount is that of the recorded bet."""
    command = WalletCommand(kind="rollback", **_arrived(request_id, arrival), **fields.ROLLBACK.read(content))
    if command.related_id == command.transaction_id:  # no id can be both a bet's and its rollback's
        raise Refused("invalid_field", field="originalTransactionId")
    return command


def balance_request(content: dict[str, Any], arrival: Arrival) -> BalanceRequest:
    """A request for a session's balance."""
    return BalanceRequest(**_claim(arrival), provider_id=peer_of(arrival), **fields.BALANCE.read(content))


def _arrived(request_id: str, arrival: Arrival) -> dict[str, Any]:
    return {
        "signed_by": signer_of(arrival),
        "provider_id": peer_of(arrival),
        "request_id": request_id,
        "clock_skew_seconds": arrival.get("clock_skew_seconds"),
        "received_us": arrival.get("received_us"),
        **_claim(arrival),
    }


def _claim(arrival: Arrival) -> dict[str, Any]:
    nonce: HandlersNonce = arrival["nonce"]
    return {"nonce": nonce.nonce, "signed_at": nonce.timestamp, "claim_id": new_claim_id()}


def differing_field(outcome: WalletOutcome) -> str | None:
    """Returns the field that differs from the recorded transaction with this id; None for every other outcome."""
    return outcome.detail if outcome.code == "idempotency_mismatch" else None


def render_outcome(command: WalletCommand, outcome: WalletOutcome) -> Answer:
    """The answer to a command. It uses only stored columns, so a replay has the same bytes as the first answer."""
    if outcome.code is not None:
        sentence = errors.sentence_of(outcome.code, outcome.detail, is_debit=command.kind == "debit")
        status, headers, body = errors.render(
            outcome.code,
            outcome.request_id,
            sentence=sentence,
            field=differing_field(outcome),
            extras={} if outcome.detail == errors.RECORDED_WITHOUT_EXTRAS else None,
        )
    else:
        content = fields.Booked(
            transaction_id=command.transaction_id,
            balance=str(outcome.balance_minor),
            currency=str(outcome.currency),
            tombstone=True if outcome.tombstone else UNSET,
            already_rolled_back=True if outcome.already_rolled_back else UNSET,
            head=UNSET if outcome.head is None else outcome.head,
        )
        status, headers, body = 200, list(errors.JSON_HEADERS), _encode(content)
    if outcome.replay:
        headers.append(REPLAY_HEADER)
    return status, headers, body


def render_balance(request: BalanceRequest, balance: Balance, request_id: str) -> Answer:
    """The answer to getBalance."""
    if balance.code is not None:
        return errors.render(balance.code, request_id)
    content = fields.SessionBalance(
        user_id=request.player_id,
        balance=str(balance.balance_minor),
        currency=str(balance.currency),
        head=UNSET if balance.head is None else balance.head,
    )
    return 200, list(errors.JSON_HEADERS), _encode(content)
