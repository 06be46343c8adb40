"""Protocol section 4 (7) to (10): taking a bet back, and tombstones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import Wallet, answer


def test_a_rollback_returns_the_stake(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session, 3_000)
    undo = session.rollback(bet.transaction_id)
    outcome = wallet.accept(undo)
    assert (outcome.balance_minor, outcome.tombstone, outcome.already_rolled_back) == (
        OPENING_BALANCE_MINOR, False, False,
    )  # fmt: skip
    assert tenant.transaction(bet.transaction_id)["state"] == "rolled_back"
    reversal = tenant.transaction(undo.transaction_id)
    assert (reversal["amount_minor"], reversal["related_transaction_id"]) == (3_000, bet.transaction_id)
    (round_row,) = tenant.rows("rounds")
    assert (round_row["live_debits"], round_row["staked_minor"]) == (0, 0)


def test_what_a_rollback_returns_is_the_stored_bets_amount_whatever_the_message_says(
    wallet: Wallet, tenant: Tenant
) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session, 3_000)
    wallet.accept(session.rollback(bet.transaction_id, amount=999_999))
    assert tenant.balance() == OPENING_BALANCE_MINOR


def test_only_the_named_bet_of_a_round_is_taken_back(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    kept, undone = wallet.bet(session, 1_000), wallet.bet(session, 5_000)
    wallet.accept(session.rollback(undone.transaction_id))
    assert tenant.balance() == OPENING_BALANCE_MINOR - 1_000
    states = tenant.feed_states()
    assert (states[kept.transaction_id], states[undone.transaction_id]) == ("committed", "rolled_back")


def test_a_round_whose_bets_were_all_taken_back_takes_a_new_bet(wallet: Wallet) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    wallet.accept(session.rollback(bet.transaction_id))
    wallet.accept(session.debit())


def test_a_second_rollback_under_a_new_id_moves_nothing(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    wallet.accept(session.rollback(bet.transaction_id))
    again = session.rollback(bet.transaction_id)
    outcome = wallet.accept(again)
    assert (outcome.balance_minor, outcome.tombstone, outcome.already_rolled_back) == (
        OPENING_BALANCE_MINOR, False, True,
    )  # fmt: skip
    rendered = f'"status":"ok","alreadyRolledBack":true,"head":"{outcome.head}"}}'
    assert answer(again, outcome)[1].endswith(rendered.encode())
    assert tenant.transaction(again.transaction_id)["amount_minor"] == 0
    assert tenant.balance() == OPENING_BALANCE_MINOR


def test_no_bet_of_a_round_with_a_payout_is_taken_back(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    paid, unpaid = wallet.bet(session), wallet.bet(session)
    wallet.accept(session.credit(0, related_id=paid.transaction_id))
    before = tenant.money_rows()
    for bet in (paid, unpaid):
        command = session.rollback(bet.transaction_id)
        outcome = wallet.run(command)
        status, body = answer(command, outcome)
        assert status == 400
        assert body.startswith(b'{"error":"Cannot rollback: round already has a payout","code":"round_has_payout"')
    assert tenant.money_rows() == before


def test_a_bet_taken_back_before_the_payout_stays_taken_back(wallet: Wallet) -> None:
    session = wallet.open_session()
    undone = wallet.bet(session)
    wallet.bet(session)
    wallet.accept(session.rollback(undone.transaction_id))
    wallet.accept(session.credit(10))
    assert wallet.accept(session.rollback(undone.transaction_id)).already_rolled_back


def test_only_bets_are_taken_back(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    undo = session.rollback(bet.transaction_id)
    wallet.accept(undo)
    wallet.bet(session)
    payout = session.credit(10)
    wallet.accept(payout)
    before = tenant.money_rows()
    for transaction_id in (undo.transaction_id, payout.transaction_id):
        assert wallet.refuse(session.rollback(transaction_id)) == "not_a_bet"
    assert tenant.money_rows() == before


def test_a_bet_is_taken_back_only_in_its_own_round_and_session(wallet: Wallet, tenant: Tenant) -> None:
    session, other = wallet.open_session(), wallet.open_session()
    bet = wallet.bet(session)
    before = tenant.money_rows()
    assert wallet.refuse(session.rollback(bet.transaction_id, round_id="another")) == "round_mismatch"
    assert wallet.refuse(other.rollback(bet.transaction_id)) == "round_mismatch"
    assert wallet.refuse(other.rollback(bet.transaction_id, round_id="another")) == "round_mismatch"
    assert tenant.money_rows() == before


def test_a_refused_bet_is_taken_back_only_in_its_own_session(wallet: Wallet, tenant: Tenant) -> None:
    session, other = wallet.open_session(), wallet.open_session()
    tenant.set_wallet(blocked_at=datetime.now(UTC))
    bet = session.debit()
    assert wallet.refuse(bet) == "wallet_blocked"
    assert wallet.refuse(other.rollback(bet.transaction_id)) == "round_mismatch"
    assert wallet.accept(session.rollback(bet.transaction_id)).tombstone


def test_a_rollback_of_a_bet_never_seen_leaves_a_tombstone(wallet: Wallet, tenant: Tenant) -> None:
    undo = wallet.open_session().rollback("never seen")
    outcome = wallet.accept(undo)
    assert (outcome.balance_minor, outcome.tombstone, outcome.already_rolled_back) == (
        OPENING_BALANCE_MINOR, True, False,
    )  # fmt: skip
    assert answer(undo, outcome)[1].endswith(f'"status":"ok","tombstone":true,"head":"{outcome.head}"}}'.encode())
    entry = tenant.transaction(undo.transaction_id)
    assert (entry["amount_minor"], entry["tombstone"], entry["state"]) == (0, True, "committed")
    (stone,) = tenant.rows("tombstones")
    assert (stone["transaction_id"], stone["rollback_transaction_id"]) == ("never seen", undo.transaction_id)


def test_a_bet_that_comes_after_its_rollback_is_refused_for_ever(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    late = session.debit()
    wallet.accept(session.rollback(late.transaction_id))
    before = tenant.money_rows()
    for _ in range(3):
        assert wallet.refuse(late) == "transaction_rolled_back"
    assert wallet.refuse(session.debit(transaction_id=late.transaction_id, amount=5_000)) == "transaction_rolled_back"
    assert tenant.money_rows() == before
    assert tenant.balance() == OPENING_BALANCE_MINOR


def test_a_second_rollback_of_a_bet_never_seen_says_both(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    wallet.accept(session.rollback("never seen"))
    outcome = wallet.accept(session.rollback("never seen"))
    assert (outcome.tombstone, outcome.already_rolled_back) == (True, True)
    assert len(tenant.rows("tombstones")) == 1


def test_a_bet_never_seen_can_be_taken_back_in_a_round_that_was_paid(wallet: Wallet) -> None:
    session = wallet.open_session()
    wallet.bet(session)
    wallet.accept(session.credit(10))
    assert wallet.accept(session.rollback("never seen")).tombstone


def test_a_refused_bet_is_taken_back_as_a_tombstone_and_stays_refused(wallet: Wallet, tenant: Tenant) -> None:
    tenant.open_player("poor", balance_minor=10)
    session = wallet.open_session("poor")
    bet = session.debit()
    refused = wallet.run(bet)
    assert refused.code == "insufficient_balance"
    assert wallet.accept(session.rollback(bet.transaction_id)).tombstone
    again = wallet.run(bet)
    assert (again.replay, answer(bet, again)) == (True, answer(bet, refused))
    assert tenant.balance("poor") == 10


def test_a_bet_refused_without_a_trace_is_buried_by_its_rollback(wallet: Wallet) -> None:
    session = wallet.open_session()
    low = session.debit(1)
    assert wallet.refuse(low) == "stake_too_low"
    assert wallet.accept(session.rollback(low.transaction_id)).tombstone
    good = session.debit(1_000, transaction_id=low.transaction_id)
    assert wallet.refuse(good) == "transaction_rolled_back"


@pytest.mark.parametrize("kind", ["credit", "rollback", "rollback of itself"])
def test_an_id_that_a_tombstone_names_stays_that_of_a_bet(wallet: Wallet, tenant: Tenant, kind: str) -> None:
    session = wallet.open_session()
    wallet.bet(session)
    late = session.debit()
    wallet.accept(session.rollback(late.transaction_id))
    before = tenant.money_rows()
    original = late.transaction_id if kind == "rollback of itself" else "never seen"
    other = (
        session.credit(10, transaction_id=late.transaction_id)
        if kind == "credit"
        else session.rollback(original, transaction_id=late.transaction_id)
    )
    for _ in range(2):
        outcome = wallet.run(other)
        assert (outcome.code, outcome.detail, outcome.replay) == ("idempotency_mismatch", "endpoint", False)
        assert wallet.refuse(late) == "transaction_rolled_back"
    assert tenant.money_rows() == before


def test_a_recorded_rollback_that_names_its_own_id_keeps_it(wallet: Wallet) -> None:
    session = wallet.open_session()
    undo = session.rollback("same", transaction_id="same")
    assert wallet.accept(undo).tombstone
    assert wallet.run(undo).replay
    outcome = wallet.run(session.debit(transaction_id="same"))
    assert (outcome.code, outcome.detail) == ("idempotency_mismatch", "endpoint")


def test_the_ids_of_two_players_have_nothing_to_do_with_each_other(wallet: Wallet, tenant: Tenant) -> None:
    bet = wallet.bet(wallet.open_session("1"), transaction_id="same")
    stranger = wallet.open_session("2")
    assert wallet.accept(stranger.rollback(bet.transaction_id)).tombstone
    assert tenant.transaction("same", "1")["state"] == "committed"
    assert wallet.refuse(stranger.debit(transaction_id="same")) == "transaction_rolled_back"
    assert (tenant.balance("1"), tenant.balance("2")) == (OPENING_BALANCE_MINOR - 1_000, OPENING_BALANCE_MINOR)


@pytest.mark.parametrize("way", ["expired", "closed", "gated"])
def test_a_bet_is_taken_back_whatever_became_of_session_and_player(wallet: Wallet, tenant: Tenant, way: str) -> None:
    session = wallet.open_session()
    bet = wallet.bet(session)
    long_ago, later = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    if way == "gated":
        tenant.set_wallet(blocked_at=long_ago, excluded_until=later, cooldown_until=later)
    else:
        column = {"expired": "expires_at", "closed": "closed_at"}[way]
        tenant.set_session(session.session_id, **{column: long_ago})
    wallet.accept(session.rollback(bet.transaction_id))
    assert tenant.balance() == OPENING_BALANCE_MINOR


def test_an_expired_session_can_still_bury_a_bet_that_never_arrived(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    tenant.set_session(session.session_id, expires_at=datetime.now(UTC) - timedelta(hours=1))
    assert wallet.accept(session.rollback("never seen")).tombstone
