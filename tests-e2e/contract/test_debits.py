"""Protocol section 4: what a debit does, and why it is refused. Cases: casino-service/tests/wallet."""

import pytest

from e2e_testing.game_session import GameSession, new_id
from e2e_testing.stack import Stack

STAKE_MIN = 1000
STAKE_MAX = 100_000


def test_a_debit_takes_the_stake_and_answers_the_new_balance(session: GameSession) -> None:
    start, transaction_id = session.balance(), new_id()
    answer = session.debit(2500, transaction_id=transaction_id).must_be_ok()
    assert answer.money == {
        "transactionId": transaction_id,
        "balance": str(start - 2500),
        "currency": "USD",
        "status": "ok",
    }
    assert session.balance() == start - 2500


def test_ids_sent_as_integers_come_back_as_strings(session: GameSession) -> None:
    """Pitfall 3b."""
    number = int(new_id().replace("-", "")[:12], 16)
    answer = session.debit(transaction_id=number, round_id=number + 1).must_be_ok()  # type: ignore[arg-type]
    assert answer.content["transactionId"] == str(number)
    again = session.debit(transaction_id=str(number), round_id=str(number + 1))
    assert (again.body, again.is_replay) == (answer.body, True), "an integer id means its decimal string"


@pytest.mark.parametrize("amount", [STAKE_MIN, STAKE_MAX])
def test_the_smallest_and_the_largest_stake_are_accepted(session: GameSession, amount: int) -> None:
    assert session.debit(amount).status == 200


@pytest.mark.provokes("insufficient_balance")
def test_a_stake_above_the_balance_is_refused(stack: Stack) -> None:
    poor = stack.session(balance_minor=STAKE_MIN - 1)
    assert poor.debit(STAKE_MIN).verdict == (402, "insufficient_balance")
    assert poor.balance() == STAKE_MIN - 1


@pytest.mark.provokes(
    "currency_mismatch", "stake_too_low", "stake_too_high", "round_mismatch", "round_has_payout",
    "session_player_mismatch", "session_not_found",
)  # fmt: skip
def test_a_refused_debit_says_why_and_moves_nothing(stack: Stack, session: GameSession) -> None:
    """Pitfalls 4 and 19."""
    another, other = stack.session(), stack.session(session.user_id)
    elsewhere, paid = other.bet(), session.bet()
    session.credit(0, round_id=paid.round_id, related=paid.transaction_id).must_be_ok()
    before = session.balance(), another.balance()
    assert session.debit(currency="EUR").verdict == (400, "currency_mismatch")
    assert session.debit(STAKE_MIN - 1).verdict == (400, "stake_too_low")
    assert session.debit(STAKE_MAX + 1).verdict == (400, "stake_too_high")
    assert session.debit(round_id=elsewhere.round_id).verdict == (400, "round_mismatch")
    assert session.debit(round_id=paid.round_id).verdict == (400, "round_has_payout")
    content = session.debit_content()
    assert session.post("debit", content | {"userId": another.user_id}).verdict == (403, "session_player_mismatch")
    assert session.post("debit", content | {"sessionToken": "0" * 64}).verdict == (404, "session_not_found")
    assert (session.balance(), another.balance()) == before
