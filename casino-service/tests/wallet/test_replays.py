"""Protocol section 4 (2): the same id with the same content answers the first answer, byte for byte, without effect."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from casino.wallet.commands import WalletCommand
from casino_testing.limits import count
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import Session, Wallet, answer

ConnectWallet = Callable[[], Wallet]


def a_bet(wallet: Wallet, session: Session) -> WalletCommand:
    return session.debit(3_000)


def a_win(wallet: Wallet, session: Session) -> WalletCommand:
    bet = wallet.bet(session)
    return session.credit(7_000, related_id=bet.transaction_id)


def a_win_of_a_round(wallet: Wallet, session: Session) -> WalletCommand:
    wallet.bet(session)
    return session.credit(7_000, end_round=True)


def a_loss(wallet: Wallet, session: Session) -> WalletCommand:
    wallet.bet(session)
    return session.credit(0)


def a_rollback(wallet: Wallet, session: Session) -> WalletCommand:
    return session.rollback(wallet.bet(session).transaction_id)


def a_second_rollback(wallet: Wallet, session: Session) -> WalletCommand:
    bet = wallet.bet(session)
    wallet.accept(session.rollback(bet.transaction_id))
    return session.rollback(bet.transaction_id)


def a_tombstone(wallet: Wallet, session: Session) -> WalletCommand:
    return session.rollback("never seen")


def a_second_tombstone(wallet: Wallet, session: Session) -> WalletCommand:
    wallet.accept(session.rollback("never seen"))
    return session.rollback("never seen")


ACCEPTED = [
    a_bet,
    a_win,
    a_win_of_a_round,
    a_loss,
    a_rollback,
    a_second_rollback,
    a_tombstone,
    a_second_tombstone,
]


def move_on(wallet: Wallet, session: Session) -> None:
    """Whatever happens to a wallet between an answer and its retry."""
    tenant = wallet.tenant
    wallet.bet(session, 9_000, round_id="later")
    wallet.accept(session.credit(4_000, round_id="later"))
    now = datetime.now(UTC)
    later = now + timedelta(days=1)
    tenant.set_wallet(session.player_id, blocked_at=now, excluded_until=later, cooldown_until=later)
    tenant.set_session(
        session.session_id,
        expires_at=now - timedelta(hours=1),
        closed_at=now,
        loss_limit_minor=0,
        win_cap_minor=1,
        stake_min_minor=99_999,
    )
    tenant.set_game(disabled_at=now)


@pytest.mark.parametrize("arrange", ACCEPTED)
def test_a_retry_answers_what_was_answered_first_whatever_happened_since(
    wallet: Wallet, tenant: Tenant, arrange: Callable[[Wallet, Session], WalletCommand]
) -> None:
    session = wallet.open_session()
    command = arrange(wallet, session)
    first = wallet.accept(command)
    move_on(wallet, session)
    rows, balance_minor = tenant.money_rows(), tenant.balance()
    for number in range(3):
        retry = msgspec.structs.replace(command, request_id=f"retry {number}")
        outcome = wallet.run(retry)
        assert outcome.replay
        assert answer(retry, outcome) == answer(command, first)
    assert (tenant.money_rows(), tenant.balance()) == (rows, balance_minor)


GATES: dict[str, dict[str, Any]] = {
    "player_excluded": {"excluded_until": datetime.now(UTC) + timedelta(days=1)},
    "wallet_blocked": {"blocked_at": datetime.now(UTC)},
    "cooldown_active": {"cooldown_until": datetime.now(UTC) + timedelta(days=1)},
    "bonus_ack_required": {"bonus_ack_required": True},
}
OPEN: dict[str, Any] = {"excluded_until": None, "blocked_at": None, "cooldown_until": None, "bonus_ack_required": False}


def refused_bet(wallet: Wallet, session: Session, code: str) -> WalletCommand:
    """A bet that is refused with a code that is remembered; after it the way is free again."""
    tenant = wallet.tenant
    bet = session.debit(1_000)
    if code == "insufficient_balance":
        tenant.set_session(session.session_id, stake_max_minor=2**53)
        bet = session.debit(OPENING_BALANCE_MINOR + 1)
    elif code == "limit_exceeded":
        tenant.set_session(session.session_id, loss_limit_minor=999)
    elif code == "session_time_limit":
        count(tenant, day_time_max=timedelta(0))
    else:
        tenant.set_wallet(**GATES[code])
    assert wallet.refuse(bet) == code
    tenant.set_wallet(**OPEN)
    tenant.set_session(session.session_id, loss_limit_minor=None)
    if code == "session_time_limit":
        tenant.set_counters(day_time_max=None)
    return bet


@pytest.mark.parametrize("code", ["insufficient_balance", "limit_exceeded", "session_time_limit", *GATES])
def test_a_remembered_refusal_answers_the_same_for_ever_although_the_bet_would_succeed_now(
    wallet: Wallet, tenant: Tenant, code: str
) -> None:
    session = wallet.open_session()
    bet = refused_bet(wallet, session, code)
    entry = tenant.transaction(bet.transaction_id)
    assert (entry["state"], entry["refusal_code"]) == ("refused", code)
    wallet.bet(session, round_id="win")
    wallet.accept(session.credit(5_000_000, round_id="win"))
    first = wallet.run(bet)
    for number in range(3):
        retry = msgspec.structs.replace(bet, request_id=f"retry {number}")
        outcome = wallet.run(retry)
        assert (outcome.replay, outcome.code) == (True, code)
        assert answer(retry, outcome) == answer(bet, first)
        assert f'"requestId":"{bet.request_id}"'.encode() in answer(retry, outcome)[1]
    new = msgspec.structs.replace(bet, transaction_id="a new id")
    wallet.accept(new)


def test_a_refusal_that_is_not_remembered_does_not_burn_the_id(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    bet = session.debit(999)
    assert [wallet.refuse(bet) for _ in range(2)] == ["stake_too_low", "stake_too_low"]
    tenant.set_session(session.session_id, stake_min_minor=999)
    tenant.set_session(session.session_id, expires_at=datetime.now(UTC) - timedelta(hours=1))
    assert wallet.refuse(bet) == "session_expired"
    tenant.set_session(session.session_id, expires_at=datetime.now(UTC) + timedelta(hours=1))
    wallet.accept(bet)


def test_a_payout_refused_before_its_bet_arrived_is_accepted_after_it(wallet: Wallet) -> None:
    session = wallet.open_session()
    bet = session.debit()
    payout = session.credit(10, related_id=bet.transaction_id)
    assert wallet.refuse(payout) == "no_matching_bet"
    wallet.accept(bet)
    wallet.accept(payout)


@pytest.mark.parametrize("fields", [{"currency": "USD"}, {"reason": "sent again"}, {"end_round": True}])
def test_what_is_not_content_may_differ_in_a_retry(wallet: Wallet, fields: dict[str, Any]) -> None:
    session = wallet.open_session()
    wallet.bet(session)
    payout = session.credit(10)
    first = wallet.accept(payout)
    retry = msgspec.structs.replace(payout, **fields)
    outcome = wallet.run(retry)
    assert (outcome.replay, answer(retry, outcome)) == (True, answer(payout, first))


def test_another_process_finds_the_answer_too(connect_wallet: ConnectWallet, tenant: Tenant) -> None:
    first_process, second_process = connect_wallet(), connect_wallet()
    bet = first_process.open_session().debit()
    first = first_process.accept(bet)
    outcome = second_process.run(bet)
    assert (outcome.replay, answer(bet, outcome)) == (True, answer(bet, first))
    assert tenant.balance() == OPENING_BALANCE_MINOR - 1_000


def test_ids_are_scoped_to_the_player(wallet: Wallet, tenant: Tenant) -> None:
    for player_id in ("1", "2"):
        outcome = wallet.accept(wallet.open_session(player_id).debit(transaction_id="same"))
        assert outcome.balance_minor == OPENING_BALANCE_MINOR - 1_000
    assert (tenant.balance("1"), tenant.balance("2")) == (OPENING_BALANCE_MINOR - 1_000, OPENING_BALANCE_MINOR - 1_000)
