"""Locks of the provider's functions: which calls wait for each other, and in which order they lock."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from provider.outbox.calls import MoneyCall, rollback_id_of
from provider_testing.round_case import OK, RoundCase
from provider_testing.service import rows
from shared_service_testing.waiting import until

WAITING = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@dataclass
class Statements:
    """Calls of the provider's functions about one round with one committed bet, as text with its values."""

    case: RoundCase
    bet: MoneyCall
    intent: MoneyCall | None = None

    def of(self, name: str) -> tuple[str, tuple[Any, ...]]:
        bet, round_id, session = self.bet.transaction_id, self.case.round_id, self.case.session_id
        answered = (self.intent or self.bet).transaction_id
        made = uuid.uuid4()
        return {
            "debit": ("record_debit(%s, %s, %s, 1000, 'test', 'r', 60)", (made, rollback_id_of(made), round_id)),
            "credit": ("record_credit(%s, %s, %s, 500, true, 'test', 'r', 60)", (made, bet, round_id)),
            "rollback": ("record_rollback(%s, %s, %s, 'test', 'r', 60)", (rollback_id_of(bet), bet, round_id)),
            "open": ("open_round(%s, %s, 'scripted', 'r', 60)", (made, session)),
            "stop": ("stop_session(%s, 'excluded')::text", (session,)),
            "void": ("void_round(%s, 'test')", (round_id,)),
            "settle": ("settle_round(%s, 'test')::text", (round_id,)),
            "accept": ("record_acceptance(%s, 5000, false, 1, null, null)::text", (answered,)),
            "refuse": ("record_refusal(%s, 'refused', false, false, 1)::text", (answered,)),
            "unknown": ("record_unknown(%s, 'deadline', 0.1, 1)::text", (answered,)),
            "give up": ("give_up_bet(%s, 'test')::text", (answered,)),
        }[name]


async def execute(connection: psycopg.AsyncConnection[Any], statement: tuple[str, tuple[Any, ...]]) -> Any:
    text, values = statement
    row = await (await connection.execute(f"select provider.{text}".encode(), values)).fetchone()
    assert row is not None
    return row[0]


async def in_turn(owner_url: str, first: tuple[str, Any], second: tuple[str, Any]) -> str:
    """Two transactions: the second call is made while the first has not committed. Returns the second's outcome."""
    connect = psycopg.AsyncConnection.connect
    async with await connect(owner_url) as one, await connect(owner_url) as other:
        await execute(one, first)
        answer = asyncio.create_task(execute(other, second))
        await until(lambda: answer.done() or rows(owner_url, WAITING))
        await one.commit()
        return str(await answer)


DECISIONS = {
    "a bet waits for the stop of its session": ("stop", "debit", "session_stopped"),
    "a bet waits for the end of its round": ("void", "debit", "round_closed"),
    "a bet waits for a payout": ("credit", "debit", "round_has_payout"),
    "a bet waits for a bet": ("debit", "debit", "session_busy"),
    "a bet waits for a rollback": ("rollback", "debit", "session_busy"),
    "a payout waits for the end of its round": ("void", "credit", "round_closed"),
    "a payout waits for a bet": ("debit", "credit", "round_in_doubt"),
    "a payout waits for a rollback": ("rollback", "credit", "round_in_doubt"),
    "an end waits for a payout": ("credit", "void", "has_payout"),
    "an end waits for an end": ("settle", "void", "ended"),
    "a round waits for the stop of its session": ("stop", "open", "session_stopped"),
}


@pytest.mark.parametrize(("first", "second", "outcome"), DECISIONS.values(), ids=DECISIONS)
async def test_a_decision_sees_what_the_one_before_it_wrote(
    case: RoundCase, owner_url: str, first: str, second: str, outcome: str
) -> None:
    async def work(case: RoundCase) -> str:
        if second == "open":
            await case.books.void_round(case.round_id, "test")
            return await in_turn(
                owner_url, *(Statements(case, case.call("debit")).of(name) for name in (first, second))
            )
        say = Statements(case, await case.debit(OK))
        return await in_turn(owner_url, say.of(first), say.of(second))

    assert await work(case) == outcome


async def test_of_two_rounds_that_a_session_opens_at_once_one_is_opened(case: RoundCase, owner_url: str) -> None:
    await case.books.void_round(case.round_id, "test")
    say = Statements(case, case.call("debit"))
    assert await in_turn(owner_url, say.of("open"), say.of("open")) == "session_busy"


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("accept", "accept", "(committed,f)"),
        ("accept", "refuse", "(committed,f)"),
        ("accept", "unknown", "(committed,f)"),
        ("refuse", "accept", "(refused,f)"),
        ("refuse", "unknown", "(refused,f)"),
        ("give up", "accept", "(pending,f)"),
        ("give up", "refuse", "(pending,f)"),
        ("give up", "unknown", "(pending,f)"),
        ("unknown", "unknown", "(pending,f)"),
    ],
)
async def test_a_bet_has_one_outcome_and_the_second_answer_is_told_of_it(
    case: RoundCase, owner_url: str, first: str, second: str, outcome: str
) -> None:
    say = Statements(case, await case.debit())
    assert await in_turn(owner_url, say.of(first), say.of(second)) == outcome
    assert rows(owner_url, "select deliveries from provider.wallet_transactions where kind = 'debit'") == [
        {"deliveries": 0 if first == "give up" else 1}
    ]


async def locked(owner_url: str, table: str, row: tuple[str, uuid.UUID], behind: Any) -> bool:
    """Whether a call that waits for another row holds this one already. `behind` holds that other row."""
    key, value = row
    async with await psycopg.AsyncConnection.connect(owner_url) as looking:
        try:
            query = f"select from provider.{table} where {key} = %s for no key update nowait"
            await looking.execute(query.encode(), (value,))
        except psycopg.errors.LockNotAvailable:
            return True
        finally:
            await behind.rollback()
    return False


@pytest.mark.parametrize("answer", ["accept", "refuse"])
@pytest.mark.parametrize("kind", ["credit", "rollback"])
async def test_an_answer_locks_what_is_around_its_transaction_first(
    case: RoundCase, owner_url: str, kind: str, answer: str
) -> None:
    """The round before its payout, the bet before its rollback: as those who end rounds and give bets up."""

    bet = await case.debit(OK)
    if kind == "credit":
        intent = case.call("credit", related_transaction_id=bet.transaction_id, end_round=True)
        around = ("rounds", ("round_id", case.round_id))
    else:
        intent = case.call(
            "rollback",
            transaction_id=rollback_id_of(bet.transaction_id),
            original_transaction_id=bet.transaction_id,
        )
        around = ("wallet_transactions", ("transaction_id", bet.transaction_id))
    await case.books.write_intent(intent)
    say = Statements(case, bet, intent)
    connect = psycopg.AsyncConnection.connect
    async with await connect(owner_url) as holder, await connect(owner_url) as other:
        table, (key, value) = around
        query = f"select from provider.{table} where {key} = %s for no key update"
        await holder.execute(query.encode(), (value,))
        answering = asyncio.create_task(execute(other, say.of(answer)))
        await until(lambda: answering.done() or rows(owner_url, WAITING))
        taken = await locked(owner_url, "wallet_transactions", ("transaction_id", intent.transaction_id), holder)
        await answering
        assert taken is False


async def test_a_rollback_that_a_game_asks_for_locks_its_round_before_it_writes(
    case: RoundCase, owner_url: str
) -> None:
    """Whoever ends the round holds it, and writes a rollback with the same id: the other order would be a deadlock."""

    bet = await case.debit(OK)
    say = Statements(case, bet)
    connect = psycopg.AsyncConnection.connect
    async with await connect(owner_url) as ending, await connect(owner_url) as asking:
        query = "select from provider.rounds where round_id = %s for no key update"
        await ending.execute(query, (case.round_id,))
        asked = asyncio.create_task(execute(asking, say.of("rollback")))
        await until(lambda: asked.done() or rows(owner_url, WAITING))
        ended = await execute(ending, say.of("void"))
        await ending.commit()
        assert (str(ended), str(await asked)) == ("voided", "already_recorded")


async def test_a_run_that_begins_sees_the_one_before_it_even_if_that_has_ended(owner_url: str) -> None:
    """One run for each night, over any number of processes."""
    begin = ("begin_run_of('JAQPOT', 'test', true, 60, '2999-01-01', 3, 0)", ())
    end = "select provider.end_run(max(run_id), null) from provider.reconciliation_runs"

    connect = psycopg.AsyncConnection.connect
    async with await connect(owner_url) as one, await connect(owner_url) as other:
        assert await execute(one, begin) is not None
        await one.execute(end.encode())
        answer = asyncio.create_task(execute(other, begin))
        await until(lambda: answer.done() or rows(owner_url, WAITING))
        await one.commit()
        assert await answer is None
