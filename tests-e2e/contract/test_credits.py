"""Protocol section 4 (6) and (7): a credit answers a bet, a win is never dropped."""

from typing import Any

from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.stack import Stack


def test_a_credit_pays_the_bet_that_it_names(session: GameSession) -> None:
    start, bet, transaction_id = session.balance(), session.bet(1000), new_id()
    paid = session.credit(5000, round_id=bet.round_id, related=bet.transaction_id, transaction_id=transaction_id)
    assert paid.must_be_ok().money == {
        "transactionId": transaction_id,
        "balance": str(start + 4000),
        "currency": "USD",
        "status": "ok",
    }
    assert session.balance() == start + 4000


def test_a_credit_without_a_related_bet_pays_the_round(session: GameSession) -> None:
    start, bet = session.balance(), session.bet(1000)
    assert session.credit(1500, round_id=bet.round_id).must_be_ok().balance == start + 500


def test_an_amount_of_zero_records_a_lost_bet(session: GameSession) -> None:
    start, bet = session.balance(), session.bet(1000)
    lost = session.credit(0, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    assert lost.balance == start - 1000
    assert session.rollback(bet.transaction_id, round_id=bet.round_id).verdict == (400, "round_has_payout")


def test_several_credits_in_one_round_are_allowed(session: GameSession) -> None:
    start, bet = session.balance(), session.bet(1000)
    for amount in (100, 0, 250):
        session.credit(amount, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    assert session.balance() == start - 650


def test_end_round_is_accepted_on_the_last_credit(session: GameSession) -> None:
    bet = session.bet()
    answer = session.credit(700, round_id=bet.round_id, related=bet.transaction_id, endRound=True).must_be_ok()
    assert answer.content["status"] == "ok"
    assert session.debit(round_id=bet.round_id).verdict == (400, "round_has_payout")


def test_end_round_is_a_boolean(session: GameSession) -> None:
    bet = session.bet()
    answer = session.credit(0, round_id=bet.round_id, related=bet.transaction_id, endRound="yes")
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), "endRound")


def test_a_credit_for_a_bet_never_seen_is_refused(session: GameSession) -> None:
    """Pitfall 13."""
    bet, before = session.bet(), session.balance()
    assert session.credit(500, round_id=bet.round_id, related=new_id()).verdict == (400, "no_matching_bet")
    assert session.balance() == before


def test_a_credit_for_a_round_never_seen_is_refused(session: GameSession) -> None:
    assert session.credit(500, round_id=new_id()).verdict == (400, "no_matching_bet")


def test_a_credit_for_a_bet_of_another_round_is_refused(session: GameSession) -> None:
    bet, other = session.bet(), session.bet()
    refused = session.credit(500, round_id=other.round_id, related=bet.transaction_id)
    assert refused.verdict == (400, "no_matching_bet")


def test_a_credit_for_a_credit_is_refused(session: GameSession) -> None:
    bet, paid = session.bet(), new_id()
    session.credit(500, round_id=bet.round_id, related=bet.transaction_id, transaction_id=paid).must_be_ok()
    assert session.credit(500, round_id=bet.round_id, related=paid).verdict == (400, "no_matching_bet")


def test_a_credit_for_a_refused_bet_is_refused(stack: Stack, database: Database) -> None:
    poor, bet, round_id = stack.session(balance_minor=500), new_id(), new_id()
    assert poor.debit(1000, transaction_id=bet, round_id=round_id).status == 402
    assert poor.credit(2000, round_id=round_id, related=bet).verdict == (400, "no_matching_bet")
    assert poor.credit(2000, round_id=round_id).verdict == (400, "no_matching_bet")
    assert poor.balance() == 500


def test_a_credit_for_a_rolled_back_bet_is_refused(session: GameSession) -> None:
    """Row B5. Pitfall 13."""
    bet = session.bet()
    session.rollback(bet.transaction_id, round_id=bet.round_id).must_be_ok()
    before = session.balance()
    refused = session.credit(2000, round_id=bet.round_id, related=bet.transaction_id)
    assert refused.verdict == (400, "bet_rolled_back")
    assert session.credit(2000, round_id=bet.round_id).verdict == (400, "bet_rolled_back")
    assert session.balance() == before


def test_a_round_with_one_live_bet_beside_a_rolled_back_one_is_paid(session: GameSession) -> None:
    start, live = session.balance(), session.bet()
    dead = session.bet(round_id=live.round_id)
    session.rollback(dead.transaction_id, round_id=live.round_id).must_be_ok()
    assert session.credit(3000, round_id=live.round_id).must_be_ok().balance == start + 2000


def test_a_credit_in_another_currency_is_refused(session: GameSession) -> None:
    bet = session.bet()
    refused = session.credit(100, round_id=bet.round_id, related=bet.transaction_id, currency="EUR")
    assert refused.verdict == (400, "currency_mismatch")


def test_a_credit_for_another_sessions_round_is_refused(stack: Stack, session: GameSession) -> None:
    bet = session.bet()
    other = stack.session(session.user_id)
    refused = other.credit(100, round_id=bet.round_id, related=bet.transaction_id)
    assert refused.verdict == (400, "round_mismatch")


def session_with_a_cap(stack: Stack, database: Database, cap_minor: int, **options: Any) -> GameSession:
    """A session keeps the cap that its game had when it was opened."""
    database.change("update casino.games set win_cap_minor = %(cap)s where game_id = '2'", cap=cap_minor)
    try:
        return stack.session(game_id="2", **options)
    finally:
        database.change("update casino.games set win_cap_minor = null where game_id = '2'")


def test_a_payout_above_the_games_cap_is_refused(stack: Stack, database: Database) -> None:
    """Pitfall 18."""
    session = session_with_a_cap(stack, database, 1_500_000)
    bet = session.bet()
    too_much = session.credit(1_500_001, round_id=bet.round_id, related=bet.transaction_id)
    assert too_much.verdict == (400, "win_cap_exceeded")
    assert session.credit(1_500_000, round_id=bet.round_id, related=bet.transaction_id).status == 200
    assert session.credit(1, round_id=bet.round_id, related=bet.transaction_id).verdict == (400, "win_cap_exceeded")


def test_the_largest_amount_of_the_contract_is_booked_exactly(stack: Stack, database: Database) -> None:
    """Where a float would lose the last digit."""
    largest = 9007199254740991
    session = session_with_a_cap(stack, database, largest, balance_minor=1000)
    bet = session.bet(1000)
    paid = session.credit(largest, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    assert paid.content["balance"] == str(largest)
