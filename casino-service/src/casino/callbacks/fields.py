"""The fields of a provider's calls and of their answers: the decoder, the renderer and OpenAPI use these tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from casino.money import AMOUNT_MAX_MINOR, read_amount
from casino.wallet.commands import token_hash
from shared_service.http import decoding
from shared_service.openapi.fields import IDENTIFIER, Field, Message, flag_field, identifier_field, text_field

DEBIT_LEAST_MINOR: Final = 1
CREDIT_LEAST_MINOR: Final = 0


def _read_token(content: dict[str, Any], name: str) -> str:
    return token_hash(decoding.identifier(content, name))


def _read_stake(content: dict[str, Any], _: str) -> int:
    return read_amount(content, least=DEBIT_LEAST_MINOR)


def _read_payout(content: dict[str, Any], _: str) -> int:
    return read_amount(content, least=CREDIT_LEAST_MINOR)


def _amount(least: int) -> Mapping[str, Any]:
    return {
        "type": "integer",
        "minimum": least,
        "maximum": AMOUNT_MAX_MINOR,
        "description": "Minor units, written without a fraction or an exponent",
    }


_SESSION: Final = (
    Field("sessionToken", "token_hash", _read_token, IDENTIFIER),
    identifier_field("userId", "player_id"),
)
_COMMAND: Final = (
    *_SESSION,
    identifier_field("transactionId", "transaction_id", description="The provider's: unique for each player"),
    identifier_field("roundId", "round_id"),
    text_field("reason", "reason"),
)
_CURRENCY: Final = identifier_field("currency", "currency", is_required=False, description="The session's")
DEBIT: Final = Message(
    "Debit", (*_COMMAND, Field("amount", "amount", _read_stake, _amount(DEBIT_LEAST_MINOR)), _CURRENCY)
)
CREDIT: Final = Message(
    "Credit",
    (
        *_COMMAND,
        Field("amount", "amount", _read_payout, _amount(CREDIT_LEAST_MINOR)),
        _CURRENCY,
        identifier_field(
            "relatedTransactionId", "related_id", is_required=False, description="The bet that it answers"
        ),
        flag_field("endRound", "end_round"),
    ),
)
ROLLBACK: Final = Message(
    "Rollback",
    (*_COMMAND, identifier_field("originalTransactionId", "related_id", description="The bet that it takes back")),
)
BALANCE: Final = Message("GetBalance", _SESSION)

MinorText = Annotated[str, Meta(pattern="^[0-9]+$", description="Minor units as decimal text")]
Head = Annotated[str, Meta(pattern="^[0-9]+:[0-9a-f]{64}$", description="The head of the wallet's hash chain")]


class Booked(msgspec.Struct, rename="camel", kw_only=True):
    """The answer to a debit, a credit or a rollback. A replay has the same bytes."""

    transaction_id: str
    balance: MinorText
    currency: str
    status: Literal["ok"] = "ok"
    tombstone: bool | UnsetType = UNSET
    already_rolled_back: bool | UnsetType = UNSET
    head: Head | UnsetType = UNSET


class SessionBalance(msgspec.Struct, rename="camel", kw_only=True):
    """The answer to getBalance."""

    user_id: str
    balance: MinorText
    currency: str
    head: Head | UnsetType = UNSET


class FeedRow(msgspec.Struct, rename="camel", kw_only=True):
    """A transaction in the feed and in the look-up."""

    transaction_id: str
    user_id: str
    round_id: str
    type: Literal["debit", "credit", "rollback"]
    amount: int
    currency: str
    state: str
    balance_after: MinorText | UnsetType = UNSET
    """Absent for a tombstone, which moved nothing."""
    cancelled_by: str | UnsetType = UNSET
    """Of a tombstone: the rollback that came before its debit."""
    at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
    related_transaction_id: str | UnsetType = UNSET
    original_transaction_id: str | UnsetType = UNSET
    head: Head | UnsetType = UNSET


class FeedPage(msgspec.Struct, rename="camel", kw_only=True):
    """A page of the feed, and the cursor for the next one."""

    transactions: list[FeedRow]
    next: MinorText
