"""Locks of the provider's functions: which calls wait for each other, and in which order they lock."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
import pytest

from provider.outbox.calls import MoneyCall, rollback_id_of
from provider_testing.round_case import OK, RoundCase, paying, undoing
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
        round_id, answered = self.case.round_id, (self.intent or self.bet).transaction_id
        return {
            "debit": self.intends(self.case.call("debit")),
            "credit": self.intends(paying(self.case, self.bet, end_round=True)),
            "rollback": self.intends(undoing(self.case, self.bet)),
            "open": self.step(openings=[self.about() | {"round_id": uuid.uuid4(), "kind": "scripted"}]),
            "stop": ("provider.stop_session(%s, 'excluded')::text", (self.case.session_id,)),
            "void": ("provider.void_round(%s, 'test')", (round_id,)),
            "settle": ("provider.settle_rounds(array[%s], 'test')::text", (round_id,)),
            "accept": self.answers("accepted"),
            "refuse": self.answers("refused"),
            "unknown": self.answers("unknown"),
            "give up": ("provider.give_up_bet(%s, 'test')::text", (answered,)),
        }[name]

    def about(self) -> dict[str, Any]:
        return {"session_id": self.case.session_id, "request_id": "r"}

    def intends(self, call: MoneyCall) -> tuple[str, tuple[Any, ...]]:
        intent = self.about() | {
            "kind": call.kind,
            "transaction_id": call.transaction_id,
            "round_id": call.round_id,
            "amount_minor": call.amount_minor,
            "end_round": call.end_round,
            "reason": "test",
            "rollback_id": rollback_id_of(call.transaction_id) if call.kind == "debit" else None,
            "related_id": call.related_transaction_id,
            "original_id": call.original_transaction_id,
        }
        return self.step(call.original_transaction_id, locks_session=call.kind == "debit", intents=[intent])

    def answers(self, verdict: str) -> tuple[str, tuple[Any, ...]]:
        answered = self.intent or self.bet
        outcome = self.about() | {
            "transaction_id": answered.transaction_id,
            "verdict": verdict,
            "code": verdict,
            "pause_seconds": 0.1,
            "tries": 1,
        }
        return self.step(answered.transaction_id, answered.original_transaction_id, outcomes=[outcome])

    def step(self, *locked: uuid.UUID | None, locks_session: bool = True, **parts: Any) -> tuple[str, tuple[Any, ...]]:
        """A step of this round: its outcome as one text, such as `recorded` or `(committed,false)`."""
        locks = self.about() | {
            "locks_session": locks_session,
            "round_id": self.case.round_id,
            "transaction_ids": [each for each in locked if each is not None],
        }
        batch = msgspec.json.encode({"steps": [locks], **parts}).decode()
        shown = "coalesce('(' || o_outcome || ',' || o_applied || ')', o_outcome, o_part)"
        return f"(select {shown} from provider.record_steps(%s::jsonb, 60))", (batch,)


async def execute(connection: psycopg.AsyncConnection[Any], statement: tuple[str, tuple[Any, ...]]) -> Any:
    text, values = statement
    row = await (await connection.execute(f"select {text}".encode(), values)).fetchone()
    assert row is not None
    return row[0]


async def in_turn(owner_url: str, first: tuple[str, Any], second: tuple[str, Any]) -> str:
    """Two transactions: the second call is made while the first has not committed. Returns the second's outcome.

    A step does not wait: it is told `busy`, and tried again.
    """
    connect = psycopg.AsyncConnection.connect
    busy = asyncio.Event()

    async def try_again() -> Any:
        while (outcome := await execute(other, second)) == "busy":
            await other.rollback()
            busy.set()
            await asyncio.sleep(0.005)
        return outcome

    async with await connect(owner_url) as one, await connect(owner_url) as other:
        await execute(one, first)
        answer = asyncio.create_task(try_again())
        await until(lambda: answer.done() or busy.is_set() or rows(owner_url, WAITING))
        assert not answer.done(), "it decided without the row that another transaction was changing"
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
        ("accept", "accept", "(committed,false)"),
        ("accept", "refuse", "(committed,false)"),
        ("accept", "unknown", "(committed,false)"),
        ("refuse", "accept", "(refused,false)"),
        ("refuse", "unknown", "(refused,false)"),
        ("give up", "accept", "(pending,false)"),
        ("give up", "refuse", "(pending,false)"),
        ("give up", "unknown", "(pending,false)"),
        ("unknown", "unknown", "(pending,false)"),
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


@pytest.mark.parametrize("answer", ["accept", "refuse"])
@pytest.mark.parametrize("kind", ["credit", "rollback"])
async def test_an_answer_waits_for_what_is_around_its_transaction(
    case: RoundCase, owner_url: str, kind: str, answer: str
) -> None:
    """The round of a payout, the bet of a rollback: those who end rounds and give bets up hold them."""
    bet = await case.debit(OK)
    intent = paying(case, bet, end_round=True) if kind == "credit" else undoing(case, bet)
    await case.books.write_intent(intent)
    table, key, value = (
        ("rounds", "round_id", case.round_id)
        if kind == "credit"
        else ("wallet_transactions", "transaction_id", bet.transaction_id)
    )
    connect = psycopg.AsyncConnection.connect
    async with await connect(owner_url) as holder, await connect(owner_url) as other:
        query = f"select from provider.{table} where {key} = %s for no key update"
        await holder.execute(query.encode(), (value,))
        say = Statements(case, bet, intent)
        assert await execute(other, say.of(answer)) == "busy"
        await other.commit()
        assert await case.state_of(intent) == "pending"
        await holder.rollback()
        assert await execute(other, say.of(answer)) in ("(committed,true)", "(refused,true)")


async def test_a_rollback_that_a_game_asks_for_waits_for_whoever_ends_its_round(
    case: RoundCase, owner_url: str
) -> None:
    """Whoever ends the round writes a rollback with the same id: an insert that met it would be a deadlock."""
    bet = await case.debit(OK)
    say = Statements(case, bet)
    assert await in_turn(owner_url, say.of("void"), say.of("rollback")) == "already_recorded"


async def test_a_rollback_that_a_game_asks_for_waits_for_whoever_gives_its_bet_up(
    case: RoundCase, owner_url: str
) -> None:
    bet = await case.debit(OK)
    say = Statements(case, bet)
    assert await in_turn(owner_url, say.of("give up"), say.of("rollback")) == "already_recorded"


async def test_a_run_that_begins_sees_the_one_before_it_even_if_that_has_ended(owner_url: str) -> None:
    """One run for each night, over any number of processes."""
    begin = ("provider.begin_run_of('JAQPOT', 'test', true, 60, '2999-01-01', 3, 0)", ())
    end = "select provider.end_run(max(run_id), null) from provider.reconciliation_runs"

    connect = psycopg.AsyncConnection.connect
    async with await connect(owner_url) as one, await connect(owner_url) as other:
        assert await execute(one, begin) is not None
        await one.execute(end.encode())
        answer = asyncio.create_task(execute(other, begin))
        await until(lambda: answer.done() or rows(owner_url, WAITING))
        await one.commit()
        assert await answer is None
