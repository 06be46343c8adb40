"""Protocol section 4 (7) to (10): what rolls back, what does not, and tombstones."""

import pytest

from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.stack import Stack

NO_ROLLBACK_AFTER_PAYOUT = "Cannot rollback: round already has a payout"


def test_a_rollback_returns_the_stake_of_the_stored_bet(session: GameSession) -> None:
    start, bet, transaction_id = session.balance(), session.bet(7000), new_id()
    undone = session.rollback(bet.transaction_id, round_id=bet.round_id, transaction_id=transaction_id).must_be_ok()
    assert undone.money == {
        "transactionId": transaction_id,
        "balance": str(start),
        "currency": "USD",
        "status": "ok",
    }
    assert session.balance() == start


def test_an_amount_in_a_rollback_changes_nothing(session: GameSession) -> None:
    """What a rollback returns is the stored debit's amount; an unknown key is ignored."""
    start, bet = session.balance(), session.bet(7000)
    assert session.rollback(bet.transaction_id, round_id=bet.round_id, amount=99_000).must_be_ok().balance == start


def test_a_second_rollback_under_a_new_id_moves_nothing_and_says_so(session: GameSession) -> None:
    """Row B5."""
    start, bet = session.balance(), session.bet()
    session.rollback(bet.transaction_id, round_id=bet.round_id).must_be_ok()
    transaction_id = new_id()
    second = session.rollback(bet.transaction_id, round_id=bet.round_id, transaction_id=transaction_id).must_be_ok()
    assert second.money == {
        "transactionId": transaction_id,
        "balance": str(start),
        "currency": "USD",
        "status": "ok",
        "alreadyRolledBack": True,
    }
    assert session.balance() == start


def test_a_credit_does_not_roll_back(session: GameSession) -> None:
    """Row B5."""
    bet, paid = session.bet(), new_id()
    session.credit(500, round_id=bet.round_id, related=bet.transaction_id, transaction_id=paid).must_be_ok()
    before = session.balance()
    assert session.rollback(paid, round_id=bet.round_id).verdict == (400, "not_a_bet")
    assert session.balance() == before


def test_a_rollback_does_not_roll_back(session: GameSession) -> None:
    bet, back = session.bet(), new_id()
    session.rollback(bet.transaction_id, round_id=bet.round_id, transaction_id=back).must_be_ok()
    assert session.rollback(back, round_id=bet.round_id).verdict == (400, "not_a_bet")


def test_a_tombstone_does_not_roll_back(session: GameSession) -> None:
    round_id, back = new_id(), new_id()
    session.rollback(new_id(), round_id=round_id, transaction_id=back).must_be_ok()
    assert session.rollback(back, round_id=round_id).verdict == (400, "not_a_bet")


@pytest.mark.parametrize("payout", [0, 2000])
def test_after_a_payout_no_bet_of_the_round_rolls_back(session: GameSession, payout: int) -> None:
    """Row B5."""
    bet = session.bet()
    second = session.bet(round_id=bet.round_id)
    session.credit(payout, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    before = session.balance()
    for transaction_id in (bet.transaction_id, second.transaction_id):
        refused = session.rollback(transaction_id, round_id=bet.round_id)
        assert refused.verdict == (400, "round_has_payout")
        assert refused.content["error"] == NO_ROLLBACK_AFTER_PAYOUT
    assert session.balance() == before


def test_a_rollback_of_a_bet_never_seen_is_a_tombstone(session: GameSession) -> None:
    before, transaction_id = session.balance(), new_id()
    answer = session.rollback(new_id(), round_id=new_id(), transaction_id=transaction_id).must_be_ok()
    assert answer.money == {
        "transactionId": transaction_id,
        "balance": str(before),
        "currency": "USD",
        "status": "ok",
        "tombstone": True,
    }
    assert session.balance() == before


def test_a_bet_that_comes_after_its_tombstone_is_dead_for_ever(session: GameSession) -> None:
    late, round_id, before = new_id(), new_id(), session.balance()
    session.rollback(late, round_id=round_id).must_be_ok()
    for _ in range(2):
        refused = session.debit(transaction_id=late, round_id=round_id)
        assert refused.verdict == (400, "transaction_rolled_back")
    assert session.debit(5000, transaction_id=late, round_id=new_id()).verdict == (400, "transaction_rolled_back")
    assert session.balance() == before


def test_a_second_tombstone_under_a_new_id_moves_nothing_and_the_bet_stays_dead(session: GameSession) -> None:
    late, round_id, before = new_id(), new_id(), session.balance()
    assert session.rollback(late, round_id=round_id).must_be_ok().content["tombstone"] is True
    second = session.rollback(late, round_id=round_id).must_be_ok()
    assert second.content["alreadyRolledBack"] is True
    assert session.debit(transaction_id=late, round_id=round_id).verdict == (400, "transaction_rolled_back")
    assert session.balance() == before


def test_rolling_back_a_refused_bet_is_a_tombstone(stack: Stack, database: Database) -> None:
    poor, bet, round_id = stack.session(balance_minor=500), new_id(), new_id()
    assert poor.debit(1000, transaction_id=bet, round_id=round_id).status == 402
    undone = poor.rollback(bet, round_id=round_id).must_be_ok()
    assert (undone.content["tombstone"], undone.balance) == (True, 500)
    assert poor.debit(1000, transaction_id=bet, round_id=round_id).status == 402, "a replay comes first"
    assert poor.balance() == 500


def test_another_sessions_bet_does_not_roll_back(stack: Stack, session: GameSession) -> None:
    """Row B5."""
    bet = session.bet()
    other = stack.session(session.user_id)
    before = other.balance()
    refused = other.rollback(bet.transaction_id, round_id=bet.round_id)
    assert refused.status == 400
    assert other.balance() == before


def test_another_players_bet_is_a_bet_never_seen(stack: Stack, session: GameSession) -> None:
    """Row B5."""
    bet, other = session.bet(), stack.session()
    before = session.balance(), other.balance()
    undone = other.rollback(bet.transaction_id, round_id=bet.round_id).must_be_ok()
    assert undone.content["tombstone"] is True
    assert (session.balance(), other.balance()) == before
    paid = session.credit(1000, round_id=bet.round_id, related=bet.transaction_id)
    assert paid.status == 200, "the true bet is alive"


def test_a_rolled_back_bet_answers_its_own_copy_as_at_first(session: GameSession) -> None:
    start, bet, round_id = session.balance(), new_id(), new_id()
    first = session.debit(transaction_id=bet, round_id=round_id).must_be_ok()
    session.rollback(bet, round_id=round_id).must_be_ok()
    again = session.debit(transaction_id=bet, round_id=round_id)
    assert (again.body, again.is_replay) == (first.body, True)
    assert session.balance() == start, "a copy of a dead bet takes nothing"


def test_a_bet_in_a_round_that_was_rolled_back_whole_may_be_placed_again_under_a_new_id(session: GameSession) -> None:
    start, bet = session.balance(), session.bet()
    session.rollback(bet.transaction_id, round_id=bet.round_id).must_be_ok()
    assert session.debit(round_id=bet.round_id).must_be_ok().balance == start - 1000


def test_a_rollback_that_names_another_round_than_its_bets_is_refused(session: GameSession) -> None:
    bet, other = session.bet(), session.bet()
    before = session.balance()
    assert session.rollback(bet.transaction_id, round_id=other.round_id).verdict == (400, "round_mismatch")
    assert session.balance() == before


def test_a_rollback_under_the_id_of_its_own_bet_is_a_mismatch(session: GameSession) -> None:
    bet = session.bet()
    before = session.balance()
    same = session.rollback(bet.transaction_id, round_id=bet.round_id, transaction_id=bet.transaction_id)
    assert same.verdict == (422, "idempotency_mismatch")
    assert session.balance() == before


def test_a_win_for_a_tombstoned_bet_is_refused(session: GameSession) -> None:
    """Row B5."""
    live = session.bet()
    ghost, before = new_id(), session.balance()
    session.rollback(ghost, round_id=live.round_id).must_be_ok()
    refused = session.credit(5000, round_id=live.round_id, related=ghost)
    assert refused.status == 400
    assert refused.code in ("no_matching_bet", "bet_rolled_back")
    assert session.balance() == before
