"""What a call needs to be written down before it is sent: one test for each clause that decides."""

from __future__ import annotations

import dataclasses
import uuid

import pytest

from provider_testing.round_case import (
    LEASE_SECONDS,
    NO_MONEY,
    OK,
    RoundCase,
    another_round,
    called,
    in_round,
    paying,
    refusal_of,
    row_of,
    sent,
    undoing,
)
from provider_testing.service import rows


async def test_a_rollback_returns_the_amount_of_a_bet_of_its_own_round_only(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit(OK)
    same = undoing(case, bet)
    await case.books.write_intent(same)
    other = dataclasses.replace(in_round(case, same, await another_round(case)), transaction_id=uuid.uuid4())
    await case.books.write_intent(other)
    assert [row_of(owner_url, call.transaction_id)["amount_minor"] for call in (same, other)] == [1000, 0]


@pytest.mark.parametrize("kind", ["credit", "rollback"])
async def test_a_payout_answers_a_bet_of_its_own_round(case: RoundCase, kind: str) -> None:
    """Nor does it answer another payout or a rollback of the round."""
    bet = await case.debit(OK)
    elsewhere = in_round(case, paying(case, bet), await another_round(case))
    answered = paying(case, bet) if kind == "credit" else undoing(case, await case.debit(OK))
    await case.books.write_intent(answered)
    await case.books.write_outcome(answered, called(OK))
    assert (
        await refusal_of(case.books.write_intent(elsewhere)),
        await refusal_of(case.books.write_intent(paying(case, answered))),
    ) == ("no_live_bet", "no_live_bet")


async def test_a_payout_waits_for_no_other_payout_and_for_no_other_round(case: RoundCase, owner_url: str) -> None:
    paid = await case.debit(OK)
    other_bet = case.call("debit", round_id=await another_round(case))
    await case.books.write_intent(other_bet)
    first, second = paying(case, paid), paying(case, paid, end_round=True)
    await case.books.write_intent(first)
    await case.books.write_intent(second)
    assert row_of(owner_url, second.transaction_id)["end_round"] is True


async def test_no_payout_is_written_for_a_round_that_never_was_or_has_ended(case: RoundCase) -> None:
    bet = await case.debit(OK)
    nowhere = in_round(case, paying(case, bet), uuid.uuid4())
    refused = [await refusal_of(case.books.write_intent(nowhere))]
    await case.books.write_outcome(await sent(case, paying(case, bet, end_round=True)), called(OK))
    assert [*refused, await refusal_of(case.books.write_intent(paying(case, bet)))] == ["round_closed", "round_closed"]


async def test_a_bet_waits_for_its_own_session_alone(case: RoundCase) -> None:
    """Neither another session's bet nor another round's payout stands in its way; a round that never was does."""
    other = await another_round(case)
    elsewhere = await sent(case, case.call("debit", round_id=other))
    await case.books.write_outcome(elsewhere, called(OK))
    await case.books.write_intent(paying(case, elsewhere, round_id=other))
    await sent(case, case.call("debit", round_id=await another_round(case)))  # it is in flight
    await case.debit(OK)
    await case.books.void_round(case.round_id, "test")
    for due in await case.books.claim_due({"JAQPOT": 10}):
        await case.books.write_outcome(due.opened("token", fresh_request_id="r"), called(OK))
    opened = await case.books.open_round(uuid.uuid4(), case.session_id, kind="scripted", request_id="r")
    assert opened == "opened"
    assert await refusal_of(sent(case, case.call("debit", round_id=uuid.uuid4()))) == "session_not_found"


async def test_a_bet_waits_for_no_payout_of_an_earlier_round_of_its_session(case: RoundCase) -> None:
    await sent(case, paying(case, await case.debit(OK)))
    async with case.pool.connection() as connection:
        settle = "select provider.settle_rounds(array[%s::uuid], 'test')"
        await connection.execute(settle, (case.round_id,))
    next_round = uuid.uuid4()
    opened = await case.books.open_round(next_round, case.session_id, kind="scripted", request_id="r")
    await sent(case, case.call("debit", round_id=next_round))
    assert opened == "opened"


async def test_every_intent_leases_itself_and_its_round_to_the_caller(case: RoundCase, owner_url: str) -> None:
    left = "select extract(epoch from lease_until - clock_timestamp())::float as left from provider.rounds"

    async def work(case: RoundCase) -> list[float]:
        found: list[float] = []
        bet = await case.debit(OK)
        for call in (case.call("debit"), paying(case, bet), undoing(case, bet)):
            await case.end_leases()
            await sent(case, call)
            lease = row_of(owner_url, call.transaction_id)["due_at"]
            (round_row,) = rows(owner_url, f"{left} where lease_until = %s", lease)
            found.append(round_row["left"])
            await case.books.write_outcome(call, called(NO_MONEY if call.kind == "debit" else OK))
        return found

    for seconds in await work(case):
        assert 0 < seconds <= LEASE_SECONDS


async def test_a_rollback_of_a_round_that_has_ended_leaves_the_rounds_lease_alone(
    case: RoundCase, owner_url: str
) -> None:
    bet = await case.debit(OK)
    await case.books.void_round(case.round_id, "test")
    (before,) = rows(owner_url, "select lease_until from provider.rounds")
    await case.books.write_intent(case.call("rollback", original_transaction_id=bet.transaction_id))
    (after,) = rows(owner_url, "select lease_until from provider.rounds")
    nowhere = case.call("rollback", original_transaction_id=bet.transaction_id, round_id=uuid.uuid4())
    assert await refusal_of(case.books.write_intent(nowhere)) == "round_not_found"
    assert before == after
