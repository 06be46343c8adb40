"""Protocol section 4: what a debit does, and each reason why it is refused."""

import pytest

from e2e_testing.database import Database
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


def test_ids_sent_as_integers_come_back_as_strings(stack: Stack, session: GameSession) -> None:
    """Pitfall 3b."""
    number = int(new_id().replace("-", "")[:12], 16)
    answer = session.debit(transaction_id=number, round_id=number + 1).must_be_ok()  # type: ignore[arg-type]
    assert answer.content["transactionId"] == str(number)
    again = session.debit(transaction_id=str(number), round_id=str(number + 1))
    assert (again.body, again.is_replay) == (answer.body, True), "an integer id means its decimal string"


def test_a_user_id_sent_as_an_integer_is_that_player(stack: Stack) -> None:
    session = stack.session("1")
    answer = session.wallet.post("/casino/getBalance", {"sessionToken": session.token, "userId": 1}).must_be_ok()
    assert answer.content["userId"] == "1"


@pytest.mark.parametrize(
    "transaction_id",
    ["a", "x" * 90, "with space", 'quotes"and\\slashes/', "~!@#$%^&*()_+`-={}|[]:;<>?,./", "'; drop table x; --", "0"],
    ids=["one", "128", "space", "quotes", "symbols", "sql", "zero"],
)
def test_a_transaction_id_is_any_printable_ascii(session: GameSession, transaction_id: str) -> None:
    unique = transaction_id + new_id()
    unique = unique if len(transaction_id) < 90 else unique + "y" * (128 - len(unique))
    answer = session.debit(transaction_id=unique).must_be_ok()
    assert answer.content["transactionId"] == unique


def test_the_same_transaction_id_of_two_players_is_two_transactions(stack: Stack, session: GameSession) -> None:
    """Row B8."""
    other, shared_id, shared_round = stack.session(), new_id(), new_id()
    before = session.balance(), other.balance()
    first = session.debit(1000, transaction_id=shared_id, round_id=shared_round).must_be_ok()
    second = other.debit(3000, transaction_id=shared_id, round_id=shared_round).must_be_ok()
    assert (first.is_replay, second.is_replay) == (False, False)
    assert (session.balance(), other.balance()) == (before[0] - 1000, before[1] - 3000)


def test_a_debit_may_name_its_sessions_currency_and_a_reason(session: GameSession) -> None:
    assert session.debit(currency="USD", reason="bet").status == 200


def test_another_currency_is_refused(session: GameSession) -> None:
    """Pitfall 4."""
    before = session.balance()
    assert session.debit(currency="EUR").verdict == (400, "currency_mismatch")
    assert session.balance() == before


@pytest.mark.parametrize("amount", [STAKE_MIN, STAKE_MAX])
def test_the_smallest_and_the_largest_stake_are_accepted(session: GameSession, amount: int) -> None:
    assert session.debit(amount).status == 200


def test_a_stake_below_the_smallest_is_refused(session: GameSession) -> None:
    assert session.debit(STAKE_MIN - 1).verdict == (400, "stake_too_low")


def test_a_stake_above_the_largest_is_refused(session: GameSession) -> None:
    """Pitfall 19."""
    assert session.debit(STAKE_MAX + 1).verdict == (400, "stake_too_high")


def test_a_refusal_with_400_is_not_recorded(session: GameSession) -> None:
    """The same id with a stake that is allowed is a new bet, not a mismatch."""
    transaction_id = new_id()
    assert session.debit(STAKE_MIN - 1, transaction_id=transaction_id).status == 400
    assert session.debit(STAKE_MIN, transaction_id=transaction_id).must_be_ok().is_replay is False


def test_a_bet_of_the_whole_balance_leaves_zero_and_one_more_is_refused(database: Database, stack: Stack) -> None:
    poor = stack.session(balance_minor=3000)
    assert poor.debit(3000).must_be_ok().balance == 0
    assert poor.debit(1000).verdict == (402, "insufficient_balance")
    assert poor.balance() == 0


def test_a_debit_for_another_player_is_refused(stack: Stack, session: GameSession) -> None:
    other = stack.session()
    content = session.debit_content() | {"userId": other.user_id}
    assert session.post("debit", content).verdict == (403, "session_player_mismatch")
    balance = session.wallet.post("/casino/getBalance", session.who() | {"userId": other.user_id})
    assert balance.verdict == (403, "session_player_mismatch")


def test_a_token_that_was_never_issued_is_refused(session: GameSession) -> None:
    stranger = {"sessionToken": "0" * 64}
    assert session.post("debit", session.debit_content() | stranger).verdict == (404, "session_not_found")
    assert session.post("getBalance", session.who() | stranger).verdict == (404, "session_not_found")


def test_a_round_belongs_to_one_session(stack: Stack, session: GameSession) -> None:
    bet = session.bet()
    other = stack.session(session.user_id)
    before = other.balance()
    assert other.debit(round_id=bet.round_id).verdict == (400, "round_mismatch")
    assert other.balance() == before


def test_a_round_takes_several_bets(session: GameSession) -> None:
    start, bet = session.balance(), session.bet()
    for _ in range(3):
        session.bet(round_id=bet.round_id)
    assert session.balance() == start - 4000


def test_a_round_with_a_payout_takes_no_new_bet(session: GameSession) -> None:
    bet = session.bet()
    session.credit(0, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    assert session.debit(round_id=bet.round_id).verdict == (400, "round_has_payout")


def test_unknown_keys_are_ignored(session: GameSession) -> None:
    assert session.debit(colour="green", nested={"a": [1, {"b": None}]}).status == 200
