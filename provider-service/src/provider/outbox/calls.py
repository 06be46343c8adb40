"""Defines a money call with all that any process needs to send it, and the ids of rollbacks."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid5

from provider.wallet_client.messages import Kind, WalletCall, WalletSession, money_call

# Never change it. Every process derives the same rollback id from a debit's id, so the wallet sees one rollback.
ROLLBACK_NAMESPACE: Final = UUID("6f1d8f0e-6a3c-5d5b-9a0f-2c7e4b1d9a53")

PROBE: Final = "probe"
"""The reason of a rollback that a script expects to be refused: its refusal is not a difference."""


def rollback_id_of(debit_id: UUID) -> UUID:
    """The id of this debit's rollback: a UUIDv5 of the debit's id."""
    return uuid5(ROLLBACK_NAMESPACE, str(debit_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyCall:
    """One debit, credit or rollback, with the wallet session that it is sent in."""

    transaction_id: UUID
    kind: Kind
    reason: str
    provider_session_id: UUID
    round_id: UUID
    wallet: WalletSession
    request_id: str
    amount_minor: int = 0
    related_transaction_id: UUID | None = None
    original_transaction_id: UUID | None = None
    end_round: bool = False
    deliveries_before: int = 0

    def as_wallet_call(self) -> WalletCall:
        """The HTTP call. The same values always give the same bytes."""
        return money_call(
            self.kind,
            transaction_id=str(self.transaction_id),
            round_id=str(self.round_id),
            amount_minor=self.amount_minor,
            currency=self.wallet.currency,
            related_transaction_id=None if self.related_transaction_id is None else str(self.related_transaction_id),
            original_transaction_id=None if self.original_transaction_id is None else str(self.original_transaction_id),
            end_round=self.end_round,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCall:
    """A payout or rollback that the outbox has leased: its row and the session's sealed token."""

    transaction_id: UUID
    kind: Kind
    reason: str
    provider_session_id: UUID
    round_id: UUID
    amount_minor: int
    currency: str
    related_transaction_id: UUID | None
    original_transaction_id: UUID | None
    end_round: bool
    request_id: str | None
    deliveries: int
    casino_code: str
    user_id: str
    token_sealed: bytes = field(repr=False)

    def opened(self, token: str, *, fresh_request_id: str) -> MoneyCall:
        """The call with its decrypted token; `fresh_request_id` is used when the row has no request id."""
        return MoneyCall(
            transaction_id=self.transaction_id,
            kind=self.kind,
            reason=self.reason,
            provider_session_id=self.provider_session_id,
            round_id=self.round_id,
            wallet=WalletSession(self.user_id, self.currency, token),
            request_id=self.request_id or fresh_request_id,
            amount_minor=self.amount_minor,
            related_transaction_id=self.related_transaction_id,
            original_transaction_id=self.original_transaction_id,
            end_round=self.end_round,
            deliveries_before=self.deliveries,
        )
