"""Protocol section 4 (2): the same id with other content is refused, with the field that differs, without effect.

Row B8.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from casino.wallet.commands import WalletCommand, token_hash
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet, answer

SECRET_ROUND = "the round that was stored"


def booked_debit(wallet: Wallet, session: Session) -> WalletCommand:
    command = session.debit(3_000, round_id=SECRET_ROUND)
    wallet.accept(command)
    return command


def booked_credit(wallet: Wallet, session: Session) -> WalletCommand:
    bet = wallet.bet(session, round_id=SECRET_ROUND)
    command = session.credit(3_000, round_id=SECRET_ROUND, related_id=bet.transaction_id)
    wallet.accept(command)
    return command


def booked_rollback(wallet: Wallet, session: Session) -> WalletCommand:
    bet = wallet.bet(session, round_id=SECRET_ROUND)
    command = session.rollback(bet.transaction_id, round_id=SECRET_ROUND)
    wallet.accept(command)
    return command


def refused_debit(wallet: Wallet, session: Session) -> WalletCommand:
    command = session.debit(3_000, round_id=SECRET_ROUND)
    wallet.tenant.set_wallet(blocked_at=datetime.now(UTC))
    assert wallet.refuse(command) == "wallet_blocked"
    wallet.tenant.set_wallet(blocked_at=None)
    return command


Booked = Callable[[Wallet, Session], WalletCommand]
CASES: list[tuple[Booked, dict[str, Any], str]] = [
    (booked_debit, {"kind": "credit"}, "endpoint"),
    (booked_debit, {"kind": "rollback", "related_id": "x"}, "endpoint"),
    (booked_debit, {"round_id": "another"}, "roundId"),
    (booked_debit, {"amount": 3_001}, "amount"),
    (booked_debit, {"currency": "EUR"}, "currency"),
    (booked_credit, {"kind": "debit"}, "endpoint"),
    (booked_credit, {"round_id": "another"}, "roundId"),
    (booked_credit, {"amount": 0}, "amount"),
    (booked_credit, {"currency": "EUR"}, "currency"),
    (booked_credit, {"related_id": "another"}, "relatedTransactionId"),
    (booked_credit, {"related_id": None}, "relatedTransactionId"),
    (booked_rollback, {"kind": "debit", "amount": 1_000}, "endpoint"),
    (booked_rollback, {"round_id": "another"}, "roundId"),
    (booked_rollback, {"related_id": "another"}, "originalTransactionId"),
    (refused_debit, {"kind": "credit"}, "endpoint"),
    (refused_debit, {"round_id": "another"}, "roundId"),
    (refused_debit, {"amount": 3_001}, "amount"),
    (refused_debit, {"currency": "EUR"}, "currency"),
]


@pytest.mark.parametrize(("book", "change", "field"), CASES)
def test_other_content_is_refused_with_its_field_and_without_what_is_stored(
    wallet: Wallet, tenant: Tenant, book: Booked, change: dict[str, Any], field: str
) -> None:
    session = wallet.open_session()
    command = book(wallet, session)
    first = answer(command, wallet.run(command))
    rows, balance_minor = tenant.money_rows(), tenant.balance()
    other = msgspec.structs.replace(command, request_id="of the other", **change)
    outcome = wallet.run(other)
    assert (outcome.code, outcome.detail, outcome.replay) == ("idempotency_mismatch", field, False)
    status, body = answer(other, outcome)
    assert status == 422
    assert f'"requestId":"of the other","field":"{field}"'.encode() in body
    for stored in (SECRET_ROUND, "3000", "USD", command.related_id or "no such text", command.request_id):
        assert stored.encode() not in body, "a mismatch never shows what is stored"
    assert (tenant.money_rows(), tenant.balance()) == (rows, balance_minor)
    assert answer(command, wallet.run(command)) == first


@pytest.mark.parametrize("book", [booked_debit, booked_credit, booked_rollback, refused_debit])
def test_the_same_id_in_another_session_of_the_player_is_a_mismatch(wallet: Wallet, book: Booked) -> None:
    command = book(wallet, wallet.open_session())
    other = msgspec.structs.replace(command, token_hash=token_hash(wallet.open_session().token))
    outcome = wallet.run(other)
    assert (outcome.code, outcome.detail) == ("idempotency_mismatch", "sessionToken")


def test_of_several_differing_fields_the_first_in_order_is_named(wallet: Wallet) -> None:
    session, other = wallet.open_session(), wallet.open_session()
    bet = wallet.bet(session)
    payout = session.credit(10, related_id=bet.transaction_id)
    wallet.accept(payout)
    differing: list[tuple[str, dict[str, Any]]] = [
        ("endpoint", {"kind": "debit"}),
        ("sessionToken", {"token_hash": token_hash(other.token)}),
        ("roundId", {"round_id": "another"}),
        ("amount", {"amount": 11}),
        ("currency", {"currency": "EUR"}),
        ("relatedTransactionId", {"related_id": "another"}),
    ]
    for place, (field, _) in enumerate(differing):
        changes = {name: value for _, change in differing[place:] for name, value in change.items()}
        assert wallet.run(msgspec.structs.replace(payout, **changes)).detail == field


def test_a_mismatch_is_found_before_the_session_is_looked_at(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    tenant.set_session(session.session_id, closed_at=datetime.now(UTC))
    outcome = wallet.run(msgspec.structs.replace(bet, amount=bet.amount + 1))
    assert (outcome.code, outcome.detail) == ("idempotency_mismatch", "amount")
