"""Defines a transaction as these books store it and as the wallet reports it, and validates the wallet's report.

The report is untrusted input: a row that breaks a rule becomes `Unreadable`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from provider.wallet_client.messages import BadAnswer, Head, read_balance, read_head
from provider.wire import CURRENCY

AMOUNT_MAX_MINOR: Final = 9_007_199_254_740_991
KINDS: Final = frozenset({"debit", "credit", "rollback"})
STATES: Final = frozenset({"committed", "settled", "rolled_back", "refused", "cancelled"})
_IDENTIFIER: Final = re.compile(r"[ -~]{1,128}")
_RELATION: Final = {"credit": "relatedTransactionId", "rollback": "originalTransactionId"}
_MEMBERS: Final = (
    *("transactionId", "userId", "roundId", "type", "amount", "currency", "state", "balanceAfter"),
    *(*_RELATION.values(), "head", "at"),
)
_EXCERPT_MAX_CHARS: Final = 128
_EXCERPT_MAX_BITS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """A transaction as the wallet reports it. State `cancelled`: the bet never arrived and has a tombstone."""

    transaction_id: str
    user_id: str
    round_id: str
    kind: str
    amount_minor: int
    currency: str
    state: str
    balance_after_minor: int | None
    related_id: str | None
    head: Head | None

    def shown(self) -> dict[str, Any]:
        """The members for reports and `reconciliation_differences`."""
        return {
            "userId": self.user_id,
            "roundId": self.round_id,
            "type": self.kind,
            "amount": self.amount_minor,
            "currency": self.currency,
            "state": self.state,
            "balanceAfter": _text(self.balance_after_minor),
            "relatedId": self.related_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A report that breaks a rule: why, its valid ids, and excerpts of its members."""

    transaction_id: str | None
    user_id: str | None
    why: str
    excerpts: dict[str, str]

    def shown(self) -> dict[str, Any]:
        """The members for reports and `reconciliation_differences`."""
        return {"unreadable": self.why, "told": self.excerpts}


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """Stands for a value that is not valid JSON or too large to read."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A transaction in these books, with the states of its round, rollback and payouts."""

    transaction_id: UUID
    user_id: str
    provider_session_id: UUID
    round_id: str
    round_state: str
    kind: str
    amount_minor: int
    currency: str
    state: str
    outcome_code: str | None
    difference_code: str | None
    tombstone: bool
    balance_after_minor: int | None
    related_id: str | None
    original_known: bool  # for a rollback: its bet is in these books
    rollback_state: str | None  # for a debit: the state of its rollback
    rollback_tombstone: bool
    payout_pending: bool  # for a debit: its round has a payout in this state
    payout_committed: bool
    payout_refused: bool
    head_sequence: int | None
    head_hash: str | None
    created_at: datetime

    @property
    def under_way(self) -> bool:
        """A pending call can still change this transaction, here or in the wallet."""
        return self.state == "pending" or self.rollback_state == "pending" or self.payout_pending

    def shown(self) -> dict[str, Any]:
        """The members for reports and `reconciliation_differences`."""
        shown = {
            "userId": self.user_id,
            "roundId": self.round_id,
            "type": self.kind,
            "amount": self.amount_minor,
            "currency": self.currency,
            "state": self.state,
            "balanceAfter": _text(self.balance_after_minor),
            "relatedId": self.related_id,
        }
        extras = {"head": self.head_sequence, "outcome": self.outcome_code, "contradiction": self.difference_code}
        return shown | {name: value for name, value in extras.items() if value is not None}


def own_id(text: str) -> UUID | None:
    """The text as a UUID, or None when these books cannot have issued it as an id."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def read_theirs(members: object) -> Theirs:
    """Read one transaction of an answer. Raises `BadAnswer`."""
    if not isinstance(members, dict):
        raise BadAnswer("a transaction is not an object")
    kind, state = members.get("type"), members.get("state")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadAnswer("type is not debit, credit or rollback")
    if not isinstance(state, str) or state not in STATES:
        raise BadAnswer("state is not a known state")
    amount, money = members.get("amount"), members.get("currency")
    if type(amount) is not int or not 0 <= amount <= AMOUNT_MAX_MINOR:
        raise BadAnswer("amount is not an integer within bounds")
    if not isinstance(money, str) or CURRENCY.fullmatch(money) is None:
        raise BadAnswer("currency is not a currency code")
    relation = _RELATION.get(kind)
    has_relation = relation is not None and members.get(relation) is not None
    return Theirs(
        transaction_id=_identifier(members, "transactionId"),
        user_id=_identifier(members, "userId"),
        round_id=_identifier(members, "roundId"),
        kind=kind,
        amount_minor=amount,
        currency=money,
        state=state,
        balance_after_minor=_balance(members, needed=state != "cancelled"),
        related_id=_identifier(members, relation) if relation is not None and has_relation else None,
        head=read_head(members),
    )


def unreadable(members: object, why: str) -> Unreadable:
    """Build an `Unreadable` with short, printable excerpts."""
    found = members if isinstance(members, dict) else {}
    return Unreadable(
        transaction_id=_well_formed(found.get("transactionId")),
        user_id=_well_formed(found.get("userId")),
        why=why,
        excerpts={name: _excerpt(found[name]) for name in _MEMBERS if name in found},
    )


def _excerpt(value: object) -> str:
    match value:
        case InvalidValue():
            return value.what
        case str():
            text = value[:_EXCERPT_MAX_CHARS]
        case None | bool() | float():
            text = str(value)
        case int() if value.bit_length() <= _EXCERPT_MAX_BITS:
            text = str(value)
        case _:
            text = type(value).__name__
    return "".join(character if " " <= character <= "~" else "?" for character in text)


def _well_formed(value: object) -> str | None:
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


def _identifier(members: dict[str, Any], name: str) -> str:
    value = _well_formed(members.get(name))
    if value is None:
        raise BadAnswer(f"{name} is not an identifier")
    return value


def _balance(members: dict[str, Any], *, needed: bool) -> int | None:
    if members.get("balanceAfter") is None and not needed:
        return None
    return read_balance(members, "balanceAfter")


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
