"""Protocol section 4 (7) to (10): what a rollback does, and why it is refused. Cases: casino-service/tests/wallet."""

import pytest

from e2e_testing.game_session import GameSession, new_id
from e2e_testing.stack import Stack

NO_ROLLBACK_AFTER_PAYOUT = "Cannot rollback: round already has a payout"
"""Word for word in the contract: providers of other makers compare it."""


def test_a_rollback_returns_the_stake_and_a_second_one_says_that_it_was_returned(session: GameSession) -> None:
    """Row B5."""
    start, bet, ids = session.balance(), session.bet(7000), (new_id(), new_id())
    first, second = (session.rollback(bet.transaction_id, round_id=bet.round_id, transaction_id=one) for one in ids)
    said = {"balance": str(start), "currency": "USD", "status": "ok"}
    assert first.must_be_ok().money == said | {"transactionId": ids[0]}
    assert second.must_be_ok().money == said | {"transactionId": ids[1], "alreadyRolledBack": True}
    assert session.balance() == start


@pytest.mark.provokes("transaction_rolled_back")
def test_a_rollback_of_a_bet_never_seen_is_a_tombstone_and_the_bet_is_dead_for_ever(session: GameSession) -> None:
    late, round_id, before, transaction_id = new_id(), new_id(), session.balance(), new_id()
    answer = session.rollback(late, round_id=round_id, transaction_id=transaction_id).must_be_ok()
    assert answer.money == {
        "transactionId": transaction_id,
        "balance": str(before),
        "currency": "USD",
        "status": "ok",
        "tombstone": True,
    }
    for _ in range(2):
        assert session.debit(transaction_id=late, round_id=round_id).verdict == (400, "transaction_rolled_back")
    assert session.balance() == before


@pytest.mark.provokes("round_has_payout", "not_a_bet", "round_mismatch", "idempotency_mismatch")
def test_a_refused_rollback_says_why_and_moves_nothing(session: GameSession) -> None:
    """Row B5."""
    bet, paid, open_bet = session.bet(), new_id(), session.bet()
    session.credit(0, round_id=bet.round_id, related=bet.transaction_id, transaction_id=paid).must_be_ok()
    before = session.balance()
    after_payout = session.rollback(bet.transaction_id, round_id=bet.round_id)
    assert after_payout.verdict == (400, "round_has_payout")
    assert after_payout.content["error"] == NO_ROLLBACK_AFTER_PAYOUT
    assert session.rollback(paid, round_id=bet.round_id).verdict == (400, "not_a_bet")
    bet_id = open_bet.transaction_id
    assert session.rollback(bet_id, round_id=bet.round_id).verdict == (400, "round_mismatch")
    under_its_own_id = session.rollback(bet_id, round_id=open_bet.round_id, transaction_id=bet_id)
    assert under_its_own_id.verdict == (400, "invalid_field")
    under_a_taken_id = session.rollback(bet_id, round_id=open_bet.round_id, transaction_id=paid)
    assert under_a_taken_id.verdict == (422, "idempotency_mismatch")
    assert session.balance() == before


def test_anothers_bet_is_a_bet_never_seen(stack: Stack, session: GameSession) -> None:
    """Row B5. Row B8: the ids of two players have nothing to do with each other."""
    bet, other = session.bet(), stack.session()
    before = session.balance(), other.balance()
    undone = other.rollback(bet.transaction_id, round_id=bet.round_id).must_be_ok()
    assert undone.content["tombstone"] is True
    assert (session.balance(), other.balance()) == before
    session.credit(1000, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
