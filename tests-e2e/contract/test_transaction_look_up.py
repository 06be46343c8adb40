"""Protocol section 3: one transaction by its id, as the wallet knows it."""

from urllib.parse import quote

import pytest

from e2e_testing.answers import Answer
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.stack import Stack


def look_up(session: GameSession, transaction_id: str, *, user_id: str | None = None) -> Answer:
    player = quote(user_id or session.user_id, safe="")
    return session.wallet.get(f"/casino/transactions/{quote(transaction_id, safe='')}?userId={player}")


@pytest.mark.provokes("not_found")
def test_a_transaction_that_was_never_seen_is_not_found(session: GameSession) -> None:
    assert look_up(session, new_id()).verdict == (404, "not_found")


def test_a_bet_is_told_with_its_state_from_placed_to_settled(session: GameSession) -> None:
    start, bet = session.balance(), session.bet(2000)
    placed = look_up(session, bet.transaction_id).must_be_ok().content
    assert (placed["state"], placed["type"], int(placed["amount"]), placed["balanceAfter"]) == (
        "committed",
        "debit",
        2000,
        str(start - 2000),
    )
    assert (placed["transactionId"], placed["roundId"], placed["userId"], placed["currency"]) == (
        bet.transaction_id,
        bet.round_id,
        session.user_id,
        "USD",
    )
    session.credit(0, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    assert look_up(session, bet.transaction_id).must_be_ok().content["state"] == "settled"


def test_a_rolled_back_bet_says_so(session: GameSession) -> None:
    bet, back = session.bet(), new_id()
    session.rollback(bet.transaction_id, round_id=bet.round_id, transaction_id=back).must_be_ok()
    assert look_up(session, bet.transaction_id).must_be_ok().content["state"] == "rolled_back"
    undo = look_up(session, back).must_be_ok().content
    assert (undo["state"], undo["type"], undo["originalTransactionId"]) == ("committed", "rollback", bet.transaction_id)


def test_a_refused_bet_says_so(stack: Stack, database: Database) -> None:
    poor, bet = stack.session(balance_minor=500), new_id()
    assert poor.debit(1000, transaction_id=bet).status == 402
    assert look_up(poor, bet).must_be_ok().content["state"] == "refused"


def test_a_tombstoned_id_is_cancelled_before_and_after_its_bet_came(session: GameSession) -> None:
    late, round_id = new_id(), new_id()
    session.rollback(late, round_id=round_id).must_be_ok()
    assert look_up(session, late).must_be_ok().content["state"] == "cancelled"
    assert session.debit(transaction_id=late, round_id=round_id).verdict == (400, "transaction_rolled_back")
    assert look_up(session, late).must_be_ok().content["state"] == "cancelled"


def test_another_players_transaction_is_not_found(stack: Stack, session: GameSession) -> None:
    bet, other = session.bet(), stack.session()
    assert look_up(session, bet.transaction_id, user_id=other.user_id).verdict == (404, "not_found")


def test_a_look_up_without_a_player_is_refused(session: GameSession) -> None:
    bet = session.bet()
    answer = session.wallet.get(f"/casino/transactions/{bet.transaction_id}")
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), "userId")


def test_an_id_with_a_slash_and_other_symbols_is_found_under_its_encoded_path(session: GameSession) -> None:
    odd = "a/b?c=d&e%2F#f " + new_id()[:8]
    session.debit(transaction_id=odd).must_be_ok()
    assert look_up(session, odd).must_be_ok().content["transactionId"] == odd


def test_the_look_up_and_the_feed_tell_the_same(stack: Stack, session: GameSession) -> None:
    bet = session.bet()
    told = look_up(session, bet.transaction_id).must_be_ok().content
    assert {"transactionId", "userId", "roundId", "type", "amount", "currency", "state", "balanceAfter", "at"} <= set(
        told
    )
