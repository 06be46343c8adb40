"""Protocol section 4 (6) and (7): what a credit does, and why it is refused. Cases: casino-service/tests/wallet."""

from typing import Any

import pytest

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


@pytest.mark.provokes("no_matching_bet", "bet_rolled_back", "round_mismatch", "currency_mismatch", "invalid_field")
def test_a_refused_credit_says_why_and_moves_nothing(stack: Stack, session: GameSession) -> None:
    """Row B5. Pitfall 13."""
    bet, dead, other = session.bet(), session.bet(), stack.session(session.user_id)
    session.rollback(dead.transaction_id, round_id=dead.round_id).must_be_ok()
    before, content = session.balance(), session.credit_content(500, round_id=bet.round_id, related=bet.transaction_id)

    def refused(**changed: object) -> tuple[int, str | None]:
        return session.post("credit", content | changed).verdict

    assert refused(relatedTransactionId=new_id()) == (400, "no_matching_bet")
    assert refused(relatedTransactionId=dead.transaction_id, roundId=dead.round_id) == (400, "bet_rolled_back")
    assert refused(sessionToken=other.token) == (400, "round_mismatch")
    assert refused(currency="EUR") == (400, "currency_mismatch")
    assert refused(endRound="yes") == (400, "invalid_field")
    assert session.balance() == before


def session_with_a_cap(stack: Stack, database: Database, cap_minor: int, **options: Any) -> GameSession:
    """A session keeps the cap that its game had when it was opened."""
    database.change("update casino.games set win_cap_minor = %(cap)s where game_id = '2'", cap=cap_minor)
    try:
        return stack.session(game_id="2", **options)
    finally:
        database.change("update casino.games set win_cap_minor = null where game_id = '2'")


@pytest.mark.provokes("win_cap_exceeded")
def test_a_payout_above_the_games_cap_is_refused(stack: Stack, database: Database) -> None:
    """Pitfall 18."""
    session = session_with_a_cap(stack, database, 1_500_000)
    bet = session.bet()
    too_much = session.credit(1_500_001, round_id=bet.round_id, related=bet.transaction_id)
    assert too_much.verdict == (400, "win_cap_exceeded")
    assert session.credit(1_500_000, round_id=bet.round_id, related=bet.transaction_id).status == 200


def test_the_largest_amount_of_the_contract_is_booked_exactly(stack: Stack, database: Database) -> None:
    """Where a float would lose the last digit."""
    largest = 9007199254740991
    session = session_with_a_cap(stack, database, largest, balance_minor=1000)
    bet = session.bet(1000)
    paid = session.credit(largest, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    assert paid.content["balance"] == str(largest)
