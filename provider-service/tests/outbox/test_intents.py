"""What a call needs to be written down before it is sent: one test for each clause that decides."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest

from provider.outbox.calls import MoneyCall
from provider_testing.books_desk import (
    LEASE_SECONDS,
    NO_MONEY,
    OK,
    Desk,
    another_round,
    at_desk,
    called,
    paying,
    refusal_of,
    row_of,
    sent,
    undoing,
)
from provider_testing.service import rows


def test_a_rollback_returns_the_amount_of_a_bet_of_its_own_round_only(database_url: str, owner_url: str) -> None:
    async def work(desk: Desk) -> list[int]:
        bet = await desk.debit(OK)
        same = undoing(desk, bet)
        await desk.books.write_intent(same)
        other = dataclasses.replace(same, transaction_id=uuid.uuid4(), round_id=await another_round(desk))
        await desk.books.write_intent(other)
        return [row_of(owner_url, call.transaction_id)["amount_minor"] for call in (same, other)]

    assert at_desk(database_url, work) == [1000, 0]


@pytest.mark.parametrize("kind", ["credit", "rollback"])
def test_a_payout_answers_a_bet_of_its_own_round(database_url: str, kind: str) -> None:
    """Nor does it answer another payout or a rollback of the round."""

    async def work(desk: Desk) -> tuple[str, str]:
        bet = await desk.debit(OK)
        elsewhere = dataclasses.replace(paying(desk, bet), round_id=await another_round(desk))
        answered = paying(desk, bet) if kind == "credit" else undoing(desk, await desk.debit(OK))
        await desk.books.write_intent(answered)
        await desk.books.write_outcome(answered, called(OK))
        return await refusal_of(desk.books.write_intent(elsewhere)), await refusal_of(
            desk.books.write_intent(paying(desk, answered))
        )

    assert at_desk(database_url, work) == ("no_live_bet", "no_live_bet")


def test_a_payout_waits_for_no_other_payout_and_for_no_other_round(database_url: str, owner_url: str) -> None:
    async def work(desk: Desk) -> MoneyCall:
        paid = await desk.debit(OK)
        other_bet = desk.call("debit", round_id=await another_round(desk))
        await desk.books.write_intent(other_bet)
        first, second = paying(desk, paid), paying(desk, paid, end_round=True)
        await desk.books.write_intent(first)
        await desk.books.write_intent(second)
        return second

    second = at_desk(database_url, work)
    assert row_of(owner_url, second.transaction_id)["end_round"] is True


def test_no_payout_is_written_for_a_round_that_never_was_or_has_ended(database_url: str) -> None:
    async def work(desk: Desk) -> list[str]:
        bet = await desk.debit(OK)
        nowhere = dataclasses.replace(paying(desk, bet), round_id=uuid.uuid4())
        refused = [await refusal_of(desk.books.write_intent(nowhere))]
        await desk.books.write_outcome(await sent(desk, paying(desk, bet, end_round=True)), called(OK))
        return [*refused, await refusal_of(desk.books.write_intent(paying(desk, bet)))]

    assert at_desk(database_url, work) == ["round_closed", "round_closed"]


def test_a_bet_waits_for_its_own_session_alone(database_url: str) -> None:
    """Neither another session's bet nor another round's payout stands in its way; a round that never was does."""

    async def work(desk: Desk) -> str:
        other = await another_round(desk)
        elsewhere = await sent(desk, desk.call("debit", round_id=other))
        await desk.books.write_outcome(elsewhere, called(OK))
        await desk.books.write_intent(dataclasses.replace(paying(desk, elsewhere), round_id=other))
        await sent(desk, desk.call("debit", round_id=await another_round(desk)))  # it is in flight
        await desk.debit(OK)
        await desk.books.void_round(desk.round_id, "test")
        for due in await desk.books.claim_due(10):
            await desk.books.write_outcome(due.opened("token", fresh_request_id="r"), called(OK))
        opened = await desk.books.open_round(uuid.uuid4(), desk.session_id, kind="scripted", request_id="r")
        assert opened == "opened"
        return await refusal_of(sent(desk, desk.call("debit", round_id=uuid.uuid4())))

    assert at_desk(database_url, work) == "session_not_found"


def test_a_bet_waits_for_no_payout_of_an_earlier_round_of_its_session(database_url: str) -> None:
    async def work(desk: Desk) -> str:
        await sent(desk, paying(desk, await desk.debit(OK)))
        async with desk.pool.connection() as connection:
            settle = "select provider.settle_round(%s, 'test')"
            await connection.execute(settle, (desk.round_id,))
        next_round = uuid.uuid4()
        opened = await desk.books.open_round(next_round, desk.session_id, kind="scripted", request_id="r")
        await sent(desk, desk.call("debit", round_id=next_round))
        return opened

    assert at_desk(database_url, work) == "opened"


def test_every_intent_leases_itself_and_its_round_to_the_caller(database_url: str, owner_url: str) -> None:
    left = "select extract(epoch from lease_until - clock_timestamp())::float as left from provider.rounds"

    async def work(desk: Desk) -> list[float]:
        found: list[float] = []
        bet = await desk.debit(OK)
        for call in (desk.call("debit"), paying(desk, bet), undoing(desk, bet)):
            await desk.end_leases()
            await sent(desk, call)
            lease = row_of(owner_url, call.transaction_id)["due_at"]
            (round_row,) = rows(owner_url, f"{left} where lease_until = %s", lease)
            found.append(round_row["left"])
            await desk.books.write_outcome(call, called(NO_MONEY if call.kind == "debit" else OK))
        return found

    for seconds in at_desk(database_url, work):
        assert 0 < seconds <= LEASE_SECONDS


def test_a_rollback_of_a_round_that_has_ended_leaves_the_rounds_lease_alone(database_url: str, owner_url: str) -> None:
    async def work(desk: Desk) -> tuple[Any, Any]:
        bet = await desk.debit(OK)
        await desk.books.void_round(desk.round_id, "test")
        (before,) = rows(owner_url, "select lease_until from provider.rounds")
        await desk.books.write_intent(desk.call("rollback", original_transaction_id=bet.transaction_id))
        (after,) = rows(owner_url, "select lease_until from provider.rounds")
        nowhere = desk.call("rollback", original_transaction_id=bet.transaction_id, round_id=uuid.uuid4())
        assert await refusal_of(desk.books.write_intent(nowhere)) == "round_not_found"
        return before, after

    before, after = at_desk(database_url, work)
    assert before == after
