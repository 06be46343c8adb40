"""The hash chain as a provider sees it: every accepted money command answers the head of its wallet's chain."""

from e2e_testing.game_session import GameSession, new_id


def test_every_accepted_command_moves_the_head_by_one(session: GameSession) -> None:
    """Row G8. The provider keeps what it was told: a tail that is cut off later lacks a head that somebody else has."""
    round_id = new_id()
    bet, second = session.debit(1000, round_id=round_id), session.debit(1000, round_id=round_id)
    undone = session.rollback(second.must_be_ok().content["transactionId"], round_id=round_id)
    paid = session.credit(500, round_id=round_id, related=bet.must_be_ok().content["transactionId"])
    lost = session.credit(0, round_id=round_id)
    stone = session.rollback(new_id(), round_id=new_id())
    heads = [answer.must_be_ok().head for answer in (bet, second, undone, paid, lost, stone)]
    first = heads[0][0]
    assert [sequence for sequence, _ in heads] == list(range(first, first + len(heads)))
    assert len({entry_hash for _, entry_hash in heads}) == len(heads)


def test_a_replay_has_the_head_of_the_first_answer(session: GameSession) -> None:
    transaction_id, round_id = new_id(), new_id()
    first = session.debit(1000, transaction_id=transaction_id, round_id=round_id).must_be_ok()
    session.debit(1000).must_be_ok()
    again = session.debit(1000, transaction_id=transaction_id, round_id=round_id)
    assert (again.is_replay, again.body) == (True, first.body)


def test_a_balance_has_the_newest_head_and_a_refusal_none(session: GameSession) -> None:
    """A recorded refusal takes no number: nothing moved."""
    before = session.debit(1000).must_be_ok().head
    too_small = session.debit(1)
    assert too_small.verdict == (400, "stake_too_low")
    assert "head" not in too_small.content
    assert session.get_balance().must_be_ok().head == before
    assert session.debit(1000).must_be_ok().head[0] == before[0] + 1
