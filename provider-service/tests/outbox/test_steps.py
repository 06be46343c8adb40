"""Steps of many rounds in one commit: what shares a transaction, what is done again, and who waits for whom."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any, TypeVar

import psycopg
import pytest

from provider.outbox.backoff import Backoff
from provider.outbox.books import Answered, Books, NotRecorded, Recorded, recorded_of
from provider.outbox.calls import MoneyCall
from provider.sql.schema import LOCK_TIMEOUT_MS, POOL_WAIT_SECONDS, SCHEMA, STATEMENT_TIMEOUT_MS
from provider.wallet_client.messages import Head
from provider.wallet_client.outcomes import Accepted
from provider_testing.round_case import (
    LEASE_SECONDS,
    LOST,
    NO_MONEY,
    OK,
    RoundCase,
    another_round,
    called,
    paying,
    refusal_of,
    row_of,
    undoing,
)
from provider_testing.service import rows
from shared_service.postgres.database import Database, OutcomeUnknown
from shared_service_testing.waiting import until

ROUNDS = 12
WAITING = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


def written_by(owner_url: str, call: MoneyCall) -> str:
    """The database transaction that wrote this row last."""
    query = "select xmin::text from provider.wallet_transactions where transaction_id = %s"
    return str(rows(owner_url, query, call.transaction_id)[0]["xmin"])


DatabaseT = TypeVar("DatabaseT", bound=Database)


def own_database(database_url: str, kind: type[DatabaseT] = Database, *, size_max: int = 2) -> DatabaseT:
    """The pool of another process."""
    return kind(
        database_url, schema=SCHEMA, application_name="provider", size_max=size_max, wait_seconds=POOL_WAIT_SECONDS,
        statement_timeout_ms=STATEMENT_TIMEOUT_MS, lock_timeout_ms=LOCK_TIMEOUT_MS,
    )  # fmt: skip


async def bets_of_rounds(case: RoundCase, count: int = ROUNDS) -> list[MoneyCall]:
    """A bet of each of `count` rounds, not recorded yet."""
    return [case.call("debit", round_id=await another_round(case)) for _ in range(count)]


async def test_an_outcome_and_the_next_intent_of_the_round_share_a_commit(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit()
    payout = paying(case, bet, end_round=True)
    await case.books.record(Answered(bet, called(OK)), intent=payout)
    assert row_of(owner_url, bet.transaction_id)["state"] == "committed"
    assert written_by(owner_url, bet) == written_by(owner_url, payout)


async def test_the_steps_of_many_rounds_share_a_commit(case: RoundCase, owner_url: str) -> None:
    bets = await bets_of_rounds(case)
    await asyncio.gather(*(case.books.write_intent(bet) for bet in bets))
    assert len({written_by(owner_url, bet) for bet in bets}) == 1


async def test_each_round_gets_its_own_outcome(case: RoundCase, owner_url: str) -> None:
    bets = await bets_of_rounds(case)
    await asyncio.gather(*(case.books.write_intent(bet) for bet in bets))
    outcomes: list[Any] = [
        [Accepted(200, number, False, False, {}, b"", Head(number + 1, f"{number:064x}")), NO_MONEY, LOST][number % 3]
        for number in range(ROUNDS)
    ]
    recorded = await asyncio.gather(
        *(case.books.write_outcome(bet, called(outcome)) for bet, outcome in zip(bets, outcomes, strict=True))
    )
    found = [row_of(owner_url, bet.transaction_id) for bet in bets]
    assert (
        [each.state for each in recorded] == [row["state"] for row in found] == ["committed", "refused", "pending"] * 4
    )
    assert [(row["balance_after_minor"], row["head_sequence"]) for row in found[::3]] == [
        (number, number + 1) for number in range(0, ROUNDS, 3)
    ]
    assert all(row["in_doubt_at"] is not None for row in found[2::3])


async def test_an_outcome_that_came_too_late_stops_the_next_call_of_its_round(case: RoundCase, owner_url: str) -> None:
    """Recovery gave the bet up and took it back meanwhile: a payout for it, or a bet after it, would be wrong."""
    bet = await case.debit()
    await case.end_leases()
    await case.books.give_up_expired_bets(10)
    (due,) = await case.books.claim_due({"JAQPOT": 10})
    await case.books.write_outcome(due.opened("token", fresh_request_id="r"), called(OK))
    for following in (
        case.call("debit"),
        paying(case, bet),
        case.call("rollback", original_transaction_id=uuid.uuid4()),
    ):
        result = await case.books.record(Answered(bet, called(OK)), intent=following)
        assert (result.intent, recorded_of(result)) == ("given_up", Recorded("rolled_back", False))
    assert len(rows(owner_url, "select from provider.wallet_transactions")) == 2


async def test_a_refused_outcome_stops_the_next_call_of_its_step(case: RoundCase) -> None:
    result = await case.books.record(Answered(await case.debit(), called(NO_MONEY)), intent=case.call("debit"))
    assert (result.state, result.applied, result.intent) == ("refused", True, "given_up")


async def test_a_step_that_breaks_a_rule_of_the_table_is_alone_in_that(case: RoundCase, owner_url: str) -> None:
    good = await bets_of_rounds(case)
    bad = case.call("debit", amount_minor=0, round_id=await another_round(case))
    ended = await asyncio.gather(
        *(case.books.write_intent(bet) for bet in [*good[:5], bad, *good[5:]]), return_exceptions=True
    )
    assert isinstance(ended.pop(5), psycopg.errors.CheckViolation)
    assert ended == [None] * ROUNDS
    assert len(rows(owner_url, "select from provider.wallet_transactions where kind = 'debit'")) == ROUNDS


HELD = {
    "session": "select from provider.game_sessions where provider_session_id = %(session)s for no key update",
    "round": "select from provider.rounds where round_id = %(round)s for no key update",
    "bet": "select from provider.wallet_transactions where transaction_id = %(bet)s for no key update",
}


@pytest.mark.parametrize("row", HELD)
async def test_a_row_that_another_process_holds_delays_its_own_round_only(
    case: RoundCase, owner_url: str, row: str
) -> None:
    bet = await case.debit(OK)
    following = undoing(case, bet) if row == "bet" else case.call("debit")
    others = await bets_of_rounds(case)
    async with await psycopg.AsyncConnection.connect(owner_url) as holder:
        values = {"session": case.session_id, "round": case.round_id, "bet": bet.transaction_id}
        await holder.execute(HELD[row].encode(), values)
        held = asyncio.create_task(case.books.write_intent(following))
        neighbours = asyncio.gather(*(case.books.write_intent(other) for other in others))
        await until(lambda: neighbours.done() or rows(owner_url, WAITING))
        assert neighbours.done(), "the batch waited for the row"
        assert not held.done()
        assert rows(owner_url, "select from provider.wallet_transactions where transaction_id = %s",
                    following.transaction_id) == []  # fmt: skip
        await holder.rollback()
        await held
    assert row_of(owner_url, following.transaction_id)["state"] == "pending"


async def test_an_outcome_waits_for_the_row_of_its_transaction_and_is_then_recorded(
    case: RoundCase, owner_url: str
) -> None:
    bet = await case.debit()
    async with await psycopg.AsyncConnection.connect(owner_url) as holder:
        await holder.execute(HELD["bet"].encode(), {"bet": bet.transaction_id})
        outcome = asyncio.create_task(case.books.write_outcome(bet, called(OK)))
        for other in await bets_of_rounds(case, 3):
            await case.books.write_intent(other)
        assert not outcome.done()
        await holder.rollback()
        assert await outcome == Recorded("committed", True)


class LosesAnswers(Database):
    """A database of which the next `lost` answers are lost after the commit."""

    lost = 0

    async def call(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        found = await super().call(statement, parameters)
        if self.lost:
            self.lost -= 1
            raise OutcomeUnknown("the answer was lost")
        return found


async def test_steps_whose_commit_is_unknown_are_done_again_and_change_nothing(
    case: RoundCase, database_url: str, owner_url: str
) -> None:
    async with own_database(database_url, LosesAnswers) as database:
        books = Books(database, lease_seconds=LEASE_SECONDS, backoff=Backoff(0.1))
        bet, second = case.call("debit"), case.call("debit")
        database.lost = 1
        await books.write_intent(bet)
        database.lost = 2
        result = await books.record(Answered(bet, called(OK)), intent=second)
        assert (result.state, result.applied, result.intent) == ("committed", False, "recorded")
        database.lost = 1
        assert await books.write_outcome(second, called(LOST)) == Recorded("pending", False)
        rollback = undoing(case, bet)
        database.lost = 1
        await books.write_intent(rollback)
        assert await refusal_of(books.write_intent(rollback)) == "already_recorded"
        session = await another_round(case)
        await books.void_round(session, "test")
        database.lost, made = 1, uuid.uuid4()
        opened = await books.open_round(made, case.other_sessions[session], kind="scripted", request_id="r")
        assert opened == "opened"
    found = rows(owner_url, "select kind, state, deliveries from provider.wallet_transactions order by created_at")
    assert [tuple(row.values()) for row in found] == [
        ("debit", "committed", 1), ("debit", "pending", 1), ("rollback", "pending", 0), ("rollback", "pending", 0),
    ]  # fmt: skip


READS = """
    select sum(t.seq_tup_read + (
        select coalesce(sum(i.idx_tup_read), 0) from pg_stat_user_indexes as i where i.relid = t.relid
    ))::bigint as read
    from pg_stat_user_tables as t where t.schemaname = 'provider'
"""


async def test_a_step_reads_by_keys_however_many_transactions_there_are(
    case: RoundCase, database_url: str, owner_url: str
) -> None:
    """A plan that scans would be as slow as the table is long, and nobody would see it in a small one."""
    bets = await bets_of_rounds(case)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(
            "insert into provider.wallet_transactions (transaction_id, kind, reason, provider_session_id, round_id,"
            " amount_minor, currency, original_transaction_id, due_at)"
            " select gen_random_uuid(), 'rollback', 'test', %s, %s, 0, 'USD', gen_random_uuid(), clock_timestamp()"
            " from generate_series(1, 2000)",
            (case.session_id, case.round_id),
        )
    async with own_database(database_url, size_max=1) as database:
        books = Books(database, lease_seconds=LEASE_SECONDS, backoff=Backoff(0.1))
        found: list[int] = []
        for some in (bets[:2], bets[2:]):  # the first ones make the plans, and fill the catalogue's caches
            for bet in some:
                await books.write_intent(bet)
                payout = paying(case, bet, end_round=True, round_id=bet.round_id)
                await books.record(Answered(bet, called(OK)), intent=payout)
                await books.write_outcome(payout, called(OK))
            await database.call("select pg_stat_force_next_flush()::text")
            found.append(rows(owner_url, READS)[0]["read"])
    assert found[1] - found[0] < 2000


async def test_two_processes_that_record_for_the_same_sessions_never_deadlock(
    case: RoundCase, database_url: str, owner_url: str
) -> None:
    bets = await bets_of_rounds(case)
    async with own_database(database_url) as database:
        other = Books(database, lease_seconds=LEASE_SECONDS, backoff=Backoff(0.1))
        await asyncio.gather(*(case.books.write_intent(bet) for bet in bets))
        await asyncio.gather(
            *(books.write_outcome(bet, called(OK)) for books in (case.books, other) for bet in bets),
            *(case.books.write_outcome(bet, called(LOST)) for bet in reversed(bets)),
            *(other.void_round(bet.round_id, "test") for bet in reversed(bets)),
        )
    assert rows(owner_url, "select deadlocks from pg_stat_database where datname = current_database()") == [
        {"deadlocks": 0}
    ]
    assert {row_of(owner_url, bet.transaction_id)["deliveries"] for bet in bets} <= {0, 1}


async def test_an_intent_that_is_refused_is_not_sent(case: RoundCase) -> None:
    with pytest.raises(NotRecorded):
        await case.books.write_intent(case.call("debit", round_id=uuid.uuid4()))
