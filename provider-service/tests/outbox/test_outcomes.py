"""What each function of the outbox writes, and what it refuses to write: one test for each clause that decides."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import psycopg
import pytest

from provider.outbox.backoff import Backoff
from provider.outbox.books import Books
from provider.outbox.calls import PROBE, rollback_id_of
from provider.wallet_client.actions import action_for
from provider.wallet_client.messages import Head
from provider.wallet_client.outcomes import Refused
from provider_testing.round_case import LOST, NO_MONEY, OK, RoundCase, called, paying, row_of, sent, undoing
from provider_testing.service import rows

NEVER_KNOWN = Refused(404, "session_not_found", action_for(404, "session_not_found"), {})
CONTRADICTION = Refused(409, "transaction_mismatch", action_for(409, "transaction_mismatch"), {})


async def test_an_acceptance_is_written_with_everything_the_answer_said(case: RoundCase, owner_url: str) -> None:
    accepted = dataclasses.replace(OK, tombstone=True, head=Head(7, "ab" * 32))

    bet = await case.debit()
    await case.books.write_outcome(bet, called(accepted, attempts=3))
    result = bet.transaction_id
    row = row_of(owner_url, result)
    assert row["answered_at"] is not None
    assert row | {"due_at": None, "state": "committed", "outcome_code": "ok", "balance_after_minor": 5000,
                  "tombstone": True, "deliveries": 1, "attempts": 3, "head_sequence": 7, "head_hash": "ab" * 32,
                  "in_doubt_at": None, "difference_code": None} == row  # fmt: skip


async def test_a_refusal_is_written_with_its_code_its_attempts_and_its_time(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit()
    await case.books.write_outcome(bet, called(NO_MONEY, attempts=2))
    result = bet.transaction_id
    row = row_of(owner_url, result)
    assert row["answered_at"] is not None
    assert row | {"state": "refused", "due_at": None, "outcome_code": "insufficient_balance", "deliveries": 1,
                  "attempts": 2, "difference_code": None} == row  # fmt: skip


async def test_an_unknown_outcome_keeps_its_code_and_counts_and_waits_before_it_is_sent_again(
    case: RoundCase, owner_url: str
) -> None:
    credit = paying(case, await case.debit(OK))
    await case.books.write_intent(credit)
    for _ in range(2):
        await case.books.write_outcome(credit, called(LOST, attempts=4))
    patient = Books(case.pool, lease_seconds=60, backoff=Backoff(3000))
    await patient.write_outcome(credit, called(LOST))
    transaction_id, due = credit.transaction_id, len(await case.books.claim_due({"JAQPOT": 10}))
    row = row_of(owner_url, transaction_id)
    assert due == 0
    assert row | {"state": "pending", "outcome_code": "operator_unreachable", "deliveries": 3, "attempts": 9,
                  "in_doubt_at": None} == row  # fmt: skip


async def test_a_bet_in_doubt_keeps_its_first_code_and_the_time_of_its_doubt(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit(LOST)
    first = row_of(owner_url, bet.transaction_id)
    await case.books.void_round(case.round_id, "test")
    assert first["outcome_code"] == "operator_unreachable"
    assert row_of(owner_url, bet.transaction_id) == first
    rollback = row_of(owner_url, rollback_id_of(bet.transaction_id))
    assert (rollback["reason"], rollback["due_at"]) == ("unknown_outcome", first["in_doubt_at"])


async def test_a_bet_whose_caller_has_gone_says_so_and_its_rollback_too(case: RoundCase, owner_url: str) -> None:
    async def work(case: RoundCase) -> uuid.UUID:
        bet = await case.debit()
        assert await case.books.give_up_expired_bets(10) == 0, "its lease has not ended"
        await case.end_leases()
        assert await case.books.claim_due({"JAQPOT": 10}) == [], "a bet is never sent again"
        assert await case.books.give_up_expired_bets(10) == 1
        return bet.transaction_id

    bet_id = await work(case)
    bet, rollback = row_of(owner_url, bet_id), row_of(owner_url, rollback_id_of(bet_id))
    assert (bet["outcome_code"], rollback["reason"], bet["due_at"]) == ("caller_gone", "caller_gone", None)
    assert bet["in_doubt_at"] == rollback["due_at"]


async def test_recovery_gives_up_neither_payouts_nor_rollbacks(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit(OK)
    await case.books.write_intent(paying(case, bet))
    await case.books.write_intent(undoing(case, bet))
    await case.end_leases()
    assert await case.books.give_up_expired_bets(10) == 0
    waiting = rows(owner_url, "select kind from provider.wallet_transactions where due_at is not null order by kind")
    assert [row["kind"] for row in waiting] == ["credit", "rollback"]


async def test_a_committed_bet_whose_round_is_voided_is_rolled_back_but_never_in_doubt(
    case: RoundCase, owner_url: str
) -> None:
    bet, _refused = await case.debit(OK), await case.debit(NO_MONEY)
    await case.books.void_round(case.round_id, "test")
    bet_id = bet.transaction_id
    assert [row_of(owner_url, bet_id)[name] for name in ("state", "in_doubt_at", "outcome_code")] == [
        "committed", None, "ok",
    ]  # fmt: skip
    rollbacks = rows(owner_url, "select * from provider.wallet_transactions where kind = 'rollback'")
    assert [row["original_transaction_id"] for row in rollbacks] == [bet_id], "a refused bet took nothing"


@pytest.mark.parametrize("ended", ["refused", "rolled_back", "settled"])
async def test_a_bet_that_has_ended_is_never_given_up(case: RoundCase, owner_url: str, ended: str) -> None:
    bet_id = (await case.debit(OK)).transaction_id
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.wallet_transactions set state = %s", (ended,))
        connection.execute("select provider.give_up_bet(%s, 'test')", (bet_id,))
    (only,) = rows(owner_url, "select state, in_doubt_at from provider.wallet_transactions")
    assert only == {"state": ended, "in_doubt_at": None}


BETS = {"in flight": None, "in doubt": LOST, "committed": OK, "refused": NO_MONEY}
ANSWERS = {"accepted": OK, "never known": NEVER_KNOWN, "refused": CONTRADICTION}
ENDS = [
    # the bet, the rollback's answer: the bet's state, and the difference on the rollback
    ("in flight", "accepted", "rolled_back", None),
    ("in flight", "never known", "refused", None),
    ("in flight", "refused", "committed", "transaction_mismatch"),
    ("in doubt", "accepted", "rolled_back", None),
    ("in doubt", "never known", "refused", None),
    ("in doubt", "refused", "committed", "transaction_mismatch"),
    ("committed", "accepted", "rolled_back", None),
    ("committed", "never known", "committed", "committed_bet_never_known"),
    ("committed", "refused", "committed", "transaction_mismatch"),
    ("refused", "accepted", "refused", None),
    ("refused", "never known", "refused", None),
    ("refused", "refused", "refused", "transaction_mismatch"),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: f"{end[0]} bet, {end[1]}")
async def test_a_rollbacks_answer_ends_its_bet(
    case: RoundCase, owner_url: str, end: tuple[str, str, str, str | None]
) -> None:
    bet_is, answer, state, difference = end

    async def work(case: RoundCase) -> uuid.UUID:
        bet = await case.debit(BETS[bet_is])
        rollback = undoing(case, bet)
        if bet_is != "in doubt":  # then it is written already
            await case.books.write_intent(rollback)
        await case.books.write_outcome(rollback, called(ANSWERS[answer]))
        return bet.transaction_id

    bet_id = await work(case)
    bet, rollback = row_of(owner_url, bet_id), row_of(owner_url, rollback_id_of(bet_id))
    assert (bet["state"], bet["due_at"], bet["difference_code"]) == (state, None, None)
    assert rollback["difference_code"] == difference
    assert (bet["ended_at"] is not None) == (state != bet_is)


async def test_a_refused_rollback_that_was_asked_for_to_be_refused_is_no_difference(
    case: RoundCase, owner_url: str
) -> None:
    rollback = undoing(case, await case.debit(OK), reason=PROBE)
    await case.books.write_intent(rollback)
    await case.books.write_outcome(rollback, called(CONTRADICTION))
    result = rollback.transaction_id
    assert row_of(owner_url, result)["difference_code"] is None


@pytest.mark.parametrize("answer", [OK, NEVER_KNOWN], ids=["accepted", "never known"])
async def test_a_rollback_of_a_payout_leaves_the_payout_as_it_is(case: RoundCase, owner_url: str, answer: Any) -> None:
    """Only a bet can be taken back: a payout's id in the place of a bet's finds nothing."""
    credit = paying(case, await case.debit(OK))
    await case.books.write_intent(credit)
    rollback = case.call("rollback", original_transaction_id=credit.transaction_id)
    await case.books.write_intent(rollback)
    assert row_of(owner_url, rollback.transaction_id)["amount_minor"] == 0, "a payout's amount is not returned"
    await case.books.write_outcome(rollback, called(answer))
    assert row_of(owner_url, rollback.transaction_id)["difference_code"] is None
    result = credit.transaction_id
    row = row_of(owner_url, result)
    assert (row["state"], row["ended_at"]) == ("pending", None)


async def test_a_round_that_is_voided_gives_up_the_bet_in_flight_at_once(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit()
    await case.books.void_round(case.round_id, "test")
    (due,) = await case.books.claim_due({"JAQPOT": 10})
    assert due.original_transaction_id == bet.transaction_id
    result = bet.transaction_id
    assert row_of(owner_url, result)["in_doubt_at"] is not None


async def test_a_round_ends_once_and_keeps_its_first_end(case: RoundCase, owner_url: str) -> None:
    ends = "select ended_code, ended_at from provider.rounds"

    bet = await case.debit(OK)
    first, second = [await sent(case, paying(case, bet, end_round=True)) for _ in range(2)]
    await case.books.write_outcome(first, called(CONTRADICTION))
    before = rows(owner_url, ends)
    await case.books.write_outcome(second, called(OK))
    assert before[0]["ended_code"] == "payout_refused"
    assert rows(owner_url, ends) == before


@pytest.mark.parametrize(("outcome", "ended"), [(OK, "paid"), (CONTRADICTION, "payout_refused")])
async def test_a_round_says_how_its_payout_ended_it(case: RoundCase, owner_url: str, outcome: Any, ended: str) -> None:
    bet, _refused = await case.debit(OK), await case.debit(NO_MONEY)
    credit = await sent(case, paying(case, bet, end_round=True))
    await case.books.write_outcome(credit, called(outcome))
    assert rows(owner_url, "select state, ended_code from provider.rounds") == [
        {"state": "settled", "ended_code": ended}
    ]
    bets = rows(owner_url, "select state from provider.wallet_transactions where kind = 'debit' order by state")
    assert [row["state"] for row in bets] == ["refused", "settled"]
