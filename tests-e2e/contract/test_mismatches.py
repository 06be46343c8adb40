"""Protocol section 4 (2): the same transaction id with other content is 422, names the field, and tells no value.

Row B8.
"""

from collections.abc import Callable

import pytest

from e2e_testing.answers import Answer
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.stack import Stack

STORED_AMOUNT = 4321


def require_mismatch(answer: Answer, field: str, *, stored: JsonObject) -> None:
    assert (answer.verdict, answer.content["field"]) == ((422, "idempotency_mismatch"), field)
    for name in ("amount", "roundId", "relatedTransactionId", "originalTransactionId", "sessionToken"):
        value = stored.get(name)
        assert value is None or str(value) not in answer.body.decode(), f"the answer tells the stored {name}"


@pytest.fixture
def bet(session: GameSession) -> JsonObject:
    content = session.debit_content(STORED_AMOUNT)
    session.post("debit", content).must_be_ok()
    return content


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", STORED_AMOUNT + 1), ("roundId", "another-round"), ("currency", "EUR")],
)
def test_a_bet_with_another_value_is_a_mismatch(
    session: GameSession, bet: JsonObject, field: str, value: object
) -> None:
    before = session.balance()
    require_mismatch(session.post("debit", bet | {field: value}), field, stored=bet)
    assert session.balance() == before


def test_a_bet_from_another_session_of_the_player_is_a_mismatch(
    stack: Stack, session: GameSession, bet: JsonObject
) -> None:
    other = stack.session(session.user_id)
    require_mismatch(session.post("debit", bet | {"sessionToken": other.token}), "sessionToken", stored=bet)


def test_a_credit_with_other_content_is_a_mismatch(session: GameSession, bet: JsonObject) -> None:
    round_id, bet_id = str(bet["roundId"]), str(bet["transactionId"])
    second = session.bet(round_id=round_id)
    paid = session.credit_content(STORED_AMOUNT, round_id=round_id, related=bet_id)
    session.post("credit", paid).must_be_ok()
    before = session.balance()
    require_mismatch(session.post("credit", paid | {"amount": 1}), "amount", stored=paid)
    require_mismatch(session.post("credit", paid | {"roundId": new_id()}), "roundId", stored=paid)
    other_bet = paid | {"relatedTransactionId": second.transaction_id}
    require_mismatch(session.post("credit", other_bet), "relatedTransactionId", stored=paid)
    no_bet = {name: value for name, value in paid.items() if name != "relatedTransactionId"}
    require_mismatch(session.post("credit", no_bet), "relatedTransactionId", stored=paid)
    assert session.balance() == before


def test_a_rollback_with_other_content_is_a_mismatch(session: GameSession, bet: JsonObject) -> None:
    round_id, bet_id = str(bet["roundId"]), str(bet["transactionId"])
    second = session.bet(round_id=round_id)
    undo = session.rollback_content(bet_id, round_id=round_id)
    session.post("rollback", undo).must_be_ok()
    before = session.balance()
    other_bet = undo | {"originalTransactionId": second.transaction_id}
    require_mismatch(session.post("rollback", other_bet), "originalTransactionId", stored=undo)
    require_mismatch(session.post("rollback", undo | {"roundId": new_id()}), "roundId", stored=undo)
    assert session.balance() == before


USES: dict[str, Callable[[GameSession, JsonObject, str], Answer]] = {
    "credit": lambda session, bet, used: session.credit(
        STORED_AMOUNT, round_id=str(bet["roundId"]), related=str(bet["transactionId"]), transaction_id=used
    ),
    "rollback": lambda session, bet, used: session.rollback(
        str(bet["transactionId"]), round_id=str(bet["roundId"]), transaction_id=used
    ),
}


@pytest.mark.parametrize("endpoint", USES)
def test_the_id_of_a_bet_at_another_endpoint_is_a_mismatch(
    session: GameSession, bet: JsonObject, endpoint: str
) -> None:
    before = session.balance()
    require_mismatch(USES[endpoint](session, bet, str(bet["transactionId"])), "endpoint", stored=bet)
    assert session.balance() == before


def test_the_id_of_a_credit_as_a_new_bet_is_a_mismatch(session: GameSession, bet: JsonObject) -> None:
    paid = session.credit_content(STORED_AMOUNT, round_id=str(bet["roundId"]), related=str(bet["transactionId"]))
    session.post("credit", paid).must_be_ok()
    reused = session.debit(STORED_AMOUNT, transaction_id=str(paid["transactionId"]), round_id=new_id())
    require_mismatch(reused, "endpoint", stored=paid)


def test_a_remembered_refusal_with_other_content_is_a_mismatch(stack: Stack, database: Database) -> None:
    """The id is taken: asking for less under the same id is not a way in."""
    poor = stack.session(balance_minor=2000)
    content = poor.debit_content(STORED_AMOUNT)
    assert poor.post("debit", content).verdict == (402, "insufficient_balance")
    require_mismatch(poor.post("debit", content | {"amount": 1000}), "amount", stored=content)
    assert poor.balance() == 2000


def test_a_mismatch_comes_before_every_gate(session: GameSession, bet: JsonObject) -> None:
    """A stake above the limit under a used id: the used id is the news."""
    require_mismatch(session.post("debit", bet | {"amount": 100_001}), "amount", stored=bet)
