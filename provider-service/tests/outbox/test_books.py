"""Recording intents and outcomes, without a wallet."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from typing import Any

import psycopg
import pytest

from provider.outbox.books import ATTEMPTS_KEPT_MAX, Recorded
from provider.outbox.calls import MoneyCall, rollback_id_of
from provider.outbox.sender import Delivered
from provider.sessions.queries import stop_session
from provider.wallet_client.messages import Head
from provider_testing.round_case import LEASE_SECONDS, LOST, NO_MONEY, OK, RoundCase, called, refusal_of
from provider_testing.service import rows


async def test_a_session_with_a_bet_in_flight_takes_no_other(case: RoundCase) -> None:
    await case.debit()
    assert await refusal_of(case.debit()) == "session_busy"


async def test_a_session_with_a_bet_in_doubt_takes_no_other_until_its_rollback_has_ended(case: RoundCase) -> None:
    await case.debit(LOST)
    first = await refusal_of(case.debit())
    due = (await case.books.claim_due({"JAQPOT": 10}))[0]
    await case.books.write_outcome(due.opened("token", fresh_request_id="r"), called(OK))
    assert (first, await case.state_of(await case.debit(OK))) == ("session_busy", "committed")


async def test_simultaneous_bets_of_one_session_are_one_and_refusals(case: RoundCase) -> None:
    results = await asyncio.gather(*(case.debit() for _ in range(8)), return_exceptions=True)
    assert sorted(isinstance(result, MoneyCall) for result in results) == [False] * 7 + [True]


async def test_a_stopped_session_takes_no_bet(case: RoundCase) -> None:
    await stop_session(case.pool, case.session_id, "player_excluded")
    assert await refusal_of(case.debit()) == "session_stopped"


async def test_no_payout_is_written_while_a_bet_of_the_round_is_in_doubt(case: RoundCase) -> None:
    paid = await case.debit(OK)
    await case.debit(LOST)
    credit = case.call("credit", related_transaction_id=paid.transaction_id, end_round=True)
    assert await refusal_of(case.books.write_intent(credit)) == "round_in_doubt"


@pytest.mark.parametrize("outcome", [NO_MONEY, LOST], ids=["refused", "in doubt"])
async def test_a_payout_answers_a_live_bet(case: RoundCase, outcome: Any) -> None:
    bet = await case.debit(outcome)
    due = await case.books.claim_due({"JAQPOT": 10})
    for call in due:
        await case.books.write_outcome(call.opened("token", fresh_request_id="r"), called(OK))
    assert (
        await refusal_of(case.books.write_intent(case.call("credit", related_transaction_id=bet.transaction_id)))
        == "no_live_bet"
    )


async def test_after_a_payout_no_bet_is_written(case: RoundCase) -> None:
    bet = await case.debit(OK)
    await case.books.write_intent(case.call("credit", related_transaction_id=bet.transaction_id))
    assert await refusal_of(case.debit()) == "round_has_payout"


async def test_a_late_acceptance_does_not_revive_a_bet_that_was_given_up(case: RoundCase) -> None:
    """The caller was stopped for longer than its lease; recovery came first."""

    bet = await case.debit()
    await case.end_leases()
    given_up = await case.books.give_up_expired_bets(10)
    late = await case.books.write_outcome(bet, called(OK))
    assert (given_up, late, await case.state_of(bet)) == (1, Recorded("pending", False), "pending")


async def test_a_late_unknown_does_not_reopen_a_bet_that_has_ended(case: RoundCase) -> None:
    bet = await case.debit(OK)
    assert (await case.books.write_outcome(bet, called(LOST)), len(await case.books.claim_due({"JAQPOT": 10}))) == (
        Recorded("committed", False),
        0,
    )


async def test_giving_up_a_bet_while_its_rollback_is_answered_does_not_deadlock(
    case: RoundCase, owner_url: str
) -> None:
    """Both need the bet and the rollback's row: whoever comes first has them in the same order."""

    bet = await case.debit(OK)
    rollback = case.call(
        "rollback", transaction_id=rollback_id_of(bet.transaction_id), original_transaction_id=bet.transaction_id
    )
    await case.books.write_intent(rollback)
    async with await psycopg.AsyncConnection.connect(owner_url) as giving_up:
        query = "select from provider.wallet_transactions where transaction_id = %s for no key update"
        await giving_up.execute(query, (bet.transaction_id,))
        answering = asyncio.create_task(case.books.write_outcome(rollback, called(OK)))
        await giving_up.execute("select provider.give_up_bet(%s, 'test')", (bet.transaction_id,))
        await giving_up.commit()
        result = await answering
    assert result == Recorded("committed", True)
    assert rows(owner_url, "select deadlocks from pg_stat_database where datname = current_database()") == [
        {"deadlocks": 0}
    ]


async def test_an_outcome_written_twice_counts_as_accepted_both_times(case: RoundCase, owner_url: str) -> None:
    """The answer of the first writing was lost with its connection."""

    bet = await case.debit()
    first, second = [Delivered(OK, await case.books.write_outcome(bet, called(OK))) for _ in range(2)]
    assert (first.recorded.applied, second.recorded.applied) == (True, False)
    assert first.accepted == second.accepted == OK
    assert rows(owner_url, "select deliveries from provider.wallet_transactions") == [{"deliveries": 1}]


async def test_an_acceptance_of_a_bet_that_was_given_up_does_not_count(case: RoundCase) -> None:
    bet = await case.debit(LOST)
    result = Delivered(OK, await case.books.write_outcome(bet, called(OK)))
    assert result.accepted is None


async def test_giving_up_twice_writes_one_rollback_with_the_id_of_the_bet(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit(LOST)
    await case.books.write_outcome(bet, called(LOST))
    await case.books.void_round(case.round_id, "test")
    rollbacks = rows(owner_url, "select * from provider.wallet_transactions where kind = 'rollback'")
    assert [row["transaction_id"] for row in rollbacks] == [rollback_id_of(bet.transaction_id)]
    assert rollbacks[0]["original_transaction_id"] == bet.transaction_id
    assert (rollbacks[0]["amount_minor"], rollbacks[0]["currency"], rollbacks[0]["request_id"]) == (1000, "USD", "r-1")


async def test_a_settled_bet_that_the_wallet_rolls_back_is_a_difference(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit(OK)
    credit = case.call("credit", related_transaction_id=bet.transaction_id, end_round=True)
    await case.books.write_intent(credit)
    await case.books.write_outcome(credit, called(OK))
    rollback = case.call(
        "rollback",
        transaction_id=rollback_id_of(bet.transaction_id),
        original_transaction_id=bet.transaction_id,
        reason="probe",
    )
    await case.books.write_intent(rollback)
    await case.books.write_outcome(rollback, called(OK))
    books = rows(owner_url, "select kind, state, difference_code from provider.wallet_transactions order by kind")
    assert {"kind": "debit", "state": "settled", "difference_code": None} in books
    assert {"kind": "rollback", "state": "committed", "difference_code": "settled_bet_rolled_back"} in books


async def test_a_rollback_is_written_down_once(case: RoundCase) -> None:
    bet = await case.debit(OK)
    rollback = case.call(
        "rollback", transaction_id=rollback_id_of(bet.transaction_id), original_transaction_id=bet.transaction_id
    )
    await case.books.write_intent(rollback)
    assert await refusal_of(case.books.write_intent(rollback)) == "already_recorded"


async def test_two_claims_never_get_the_same_row(case: RoundCase) -> None:
    async with case.pool.connection() as connection:
        await plant_rollbacks(connection, case, 60)
    claims = await asyncio.gather(*(case.books.claim_due({"JAQPOT": 10}) for _ in range(8)))
    while rest := await case.books.claim_due({"JAQPOT": 10}):  # rows that another claim routed meanwhile
        claims.append(rest)
    ids = [call.transaction_id for claim in claims for call in claim]
    assert (len(ids), len(set(ids))) == (60, 60)


async def plant_rollbacks(connection: psycopg.AsyncConnection[Any], case: RoundCase, count: int) -> None:
    await connection.execute(
        "insert into provider.wallet_transactions (transaction_id, kind, reason, provider_session_id, round_id,"
        " amount_minor, currency, original_transaction_id, due_at)"
        " select gen_random_uuid(), 'rollback', 'test', %s, %s, 0, 'USD', gen_random_uuid(), clock_timestamp()"
        " from generate_series(1, %s)",
        (case.session_id, case.round_id, count),
    )


async def test_a_claimed_row_comes_back_when_its_lease_ends(case: RoundCase, owner_url: str) -> None:
    await case.debit(LOST)
    first = len(await case.books.claim_due({"JAQPOT": 10}))
    leased = len(await case.books.claim_due({"JAQPOT": 10}))
    (lease,) = rows(owner_url, "select due_at - clock_timestamp() as left from provider.wallet_transactions"
                    " where kind = 'rollback'")  # fmt: skip
    assert 0 < lease["left"].total_seconds() <= LEASE_SECONDS
    await case.end_leases()
    assert (first, leased, len(await case.books.claim_due({"JAQPOT": 10}))) == (1, 0, 1)


async def test_a_round_is_ended_once_and_by_its_payout_if_it_has_one(case: RoundCase) -> None:
    bet = await case.debit(OK)
    credit = case.call("credit", related_transaction_id=bet.transaction_id, end_round=True)
    await case.books.write_intent(credit)
    early = await case.books.void_round(case.round_id, "test")
    await case.books.write_outcome(credit, called(OK))
    late = await case.books.void_round(case.round_id, "test")
    assert [early, late, await case.books.void_round(uuid.uuid4(), "test"), await case.state_of(bet)] == [
        "has_payout",
        "ended",
        "round_not_found",
        "settled",
    ]


async def test_an_abandoned_round_whose_payouts_are_answered_is_settled(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit(OK)
    credit = case.call("credit", related_transaction_id=bet.transaction_id)  # it does not end the round
    await case.books.write_intent(credit)
    await case.end_leases()
    await case.books.end_abandoned_rounds(10)
    waiting = await case.state_of(bet)
    await case.books.write_outcome(credit, called(OK))
    await case.end_leases()
    assert (waiting, await case.books.end_abandoned_rounds(10), await case.state_of(bet)) == ("committed", 1, "settled")
    assert rows(owner_url, "select state from provider.rounds") == [{"state": "settled"}]


async def test_the_attempts_kept_for_one_transaction_are_bounded(case: RoundCase, owner_url: str) -> None:
    await case.debit(LOST)
    for _ in range(3):
        due = (await case.books.claim_due({"JAQPOT": 1}))[0].opened("token", fresh_request_id="r")
        await case.books.write_outcome(due, called(LOST, attempts=ATTEMPTS_KEPT_MAX))
        await case.end_leases()
    kept = rows(owner_url, "select count(*) from provider.wallet_attempts as a join provider.wallet_transactions as t"
                " using (transaction_id) where t.kind = 'rollback'")  # fmt: skip
    assert kept == [{"count": ATTEMPTS_KEPT_MAX}]


async def test_the_head_that_an_answer_carried_is_kept_with_its_transaction(case: RoundCase, owner_url: str) -> None:
    told = dataclasses.replace(OK, head=Head(7, "ab" * 32))

    with_head, without = [await case.debit(told), await case.debit(OK)]
    kept = rows(owner_url, "select transaction_id, head_sequence, head_hash from provider.wallet_transactions")
    assert {row["transaction_id"]: (row["head_sequence"], row["head_hash"]) for row in kept} == {
        with_head.transaction_id: (7, "ab" * 32),
        without.transaction_id: (None, None),
    }
