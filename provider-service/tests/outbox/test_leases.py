"""Functions that take due rows skip locked rows and take the longest due first."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

import psycopg
import pytest

from provider.ops import nonces
from provider_testing.abandoned_rounds import plant_abandoned_rounds
from provider_testing.round_case import LOST, OK, RoundCase, another_round, called, paying, undoing
from provider_testing.service import rows

LOCK_TIMEOUT = "set lock_timeout = '100ms'"
"""A call that passes over locked rows waits for no lock, so this bound never ends it."""


LEASED = """
    update provider.wallet_transactions set due_at = clock_timestamp() + interval '1 hour' where transaction_id = %s
"""


class Taking(NamedTuple):
    """A function that takes rows that are due: at most so many, the longest due first, none that somebody holds."""

    statement: str
    table: str
    key: str
    due: str
    prepare: tuple[str, ...] = ()

    def hold(self, connection: psycopg.Connection[Any], key: uuid.UUID) -> None:
        query = f"select from provider.{self.table} where {self.key} = %s for no key update"
        connection.execute(query.encode(), (key,))

    def make_due(self, owner_url: str, count: int) -> list[uuid.UUID]:
        """Plant rows that are due; returns their keys in the order in which they lie in the table."""
        plant_abandoned_rounds(owner_url, count)
        with psycopg.connect(owner_url) as connection:
            for statement in self.prepare:
                connection.execute(statement.encode())
        query = f"select {self.key} as key from provider.{self.table} where {self.due} is not null order by ctid"
        found = [row["key"] for row in rows(owner_url, query)]
        assert len(found) == count
        return found

    def take(self, connection: psycopg.Connection[Any], most: int) -> int:
        row = connection.execute(self.statement.encode(), (most,)).fetchone()
        assert row is not None
        return int(row[0])


GIVE_UP = "select provider.give_up_expired_bets(10)"
ROUTE = "select provider.route_due(10)"
PLAYED_YESTERDAY = (
    "update provider.rounds set state = 'voided', ended_code = 'x', ended_at = now(), created_at = now() - interval"
    " '1 day'",
    "update provider.wallet_transactions set state = 'refused', due_at = null",
)
WAITS_FOR_ITS_RETRY = (
    "update provider.wallet_transactions set outcome_code = 'deadline', due_at = now() + interval '2 hours'"
    " where kind = 'rollback'"
)
TAKING = {
    "give_up_expired_bets": Taking(
        "select provider.give_up_expired_bets(%s)", "wallet_transactions", "transaction_id", "due_at"
    ),
    "end_abandoned_rounds": Taking(
        "select provider.end_abandoned_rounds(%s, 60)", "rounds", "round_id", "lease_until"
    ),
    "route_due": Taking(
        "select provider.route_due(%s)", "wallet_transactions", "transaction_id", "due_at", (GIVE_UP,)
    ),
    "claim_due_of": Taking(
        "select count(*) from provider.claim_due_of(array['JAQPOT'], array[%s], 60)",
        "wallet_transactions", "transaction_id", "due_at", (GIVE_UP, ROUTE),
    ),
    "hasten_due_of": Taking(
        "select provider.hasten_due_of('JAQPOT', %s)", "wallet_transactions", "transaction_id", "due_at",
        (GIVE_UP, WAITS_FOR_ITS_RETRY),
    ),
    "stop_stale_sessions": Taking(
        "select provider.stop_stale_sessions(0, %s)", "game_sessions", "provider_session_id", "created_at",
        PLAYED_YESTERDAY,
    ),
}  # fmt: skip
for_each_taking = pytest.mark.parametrize("taking", TAKING.values(), ids=TAKING)


@for_each_taking
def test_a_row_that_somebody_holds_is_passed_over_and_taken_later(owner_url: str, taking: Taking) -> None:
    """One stuck bet, round or session must not hold up the recovery of all others."""
    keys = taking.make_due(owner_url, 3)
    with psycopg.connect(owner_url) as stuck, psycopg.connect(owner_url) as recovery:
        taking.hold(stuck, keys[0])
        recovery.execute(LOCK_TIMEOUT)
        assert taking.take(recovery, 10) == 2
        stuck.rollback()
        assert [taking.take(recovery, 10) for _ in range(2)] == [1, 0]


@for_each_taking
def test_what_one_process_takes_no_other_takes(owner_url: str, taking: Taking) -> None:
    taking.make_due(owner_url, 3)
    with psycopg.connect(owner_url) as one, psycopg.connect(owner_url) as other:
        other.execute(LOCK_TIMEOUT)
        assert taking.take(one, 2) == 2
        assert taking.take(other, 10) == 1


@for_each_taking
def test_the_longest_due_goes_first_and_no_more_than_the_limit(owner_url: str, taking: Taking) -> None:
    """Otherwise what has just become due could keep an old payout waiting for ever."""
    keys = taking.make_due(owner_url, 5)
    due, key = taking.due, taking.key
    age = f"update provider.{taking.table} set {due} = {due} - make_interval(mins => %s) where {key} = %s"
    everything = f"select * from provider.{taking.table}"
    with psycopg.connect(owner_url) as recovery:
        for index, minutes in enumerate((20, 40, 10, 50, 30)):  # they lie in the table in another order
            recovery.execute(age.encode(), (minutes, keys[index]))
        recovery.commit()
        before = rows(owner_url, everything)
        recovery.execute("set enable_indexscan = off")  # it would bring them in this order by chance
        assert taking.take(recovery, 2) == 2
        recovery.commit()
        after = rows(owner_url, everything)
        assert {row[key] for row in before if row not in after} == {keys[3], keys[1]}


async def test_only_what_waits_for_its_next_attempt_is_hastened(case: RoundCase, owner_url: str) -> None:
    """A bet or a payout that somebody is sending has a lease: without it the bet would be given up."""
    bet = await case.debit(OK)
    waiting, sending = paying(case, bet), paying(case, bet)
    await case.books.write_intent(waiting)
    await case.books.write_outcome(waiting, called(LOST))
    await case.books.write_intent(sending)
    await case.books.write_intent(case.call("debit", round_id=await another_round(case)))
    with psycopg.connect(owner_url) as connection:
        connection.execute(LEASED, (waiting.transaction_id,))
        row = connection.execute("select provider.hasten_due_of('JAQPOT', 10)").fetchone()
    assert row is not None
    due = await case.books.claim_due({"JAQPOT": 10})
    assert (row[0], [call.transaction_id == waiting.transaction_id for call in due]) == (1, [True])


async def test_a_round_whose_lease_runs_is_not_abandoned(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit(OK)
    early = await case.books.end_abandoned_rounds(10)
    await case.books.write_intent(paying(case, bet))
    await case.end_leases()
    assert (early, await case.books.end_abandoned_rounds(10)) == (0, 1)
    (lease,) = rows(owner_url, "select state, lease_until > clock_timestamp() as runs from provider.rounds")
    assert lease == {"state": "open", "runs": True}, "it is looked at again after a whole lease"


async def test_an_abandoned_round_waits_for_its_payouts_alone(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit(OK)
    paid = paying(case, bet)
    await case.books.write_intent(paid)
    await case.books.write_outcome(paid, called(OK))
    await case.books.write_intent(undoing(case, bet))
    await case.end_leases()
    await case.books.end_abandoned_rounds(10)
    assert rows(owner_url, "select state from provider.rounds") == [{"state": "settled"}]


@pytest.mark.parametrize("kind", ["credit", "rollback"])
async def test_a_call_that_is_taken_over_is_the_call_that_was_written_down(case: RoundCase, kind: str) -> None:
    """Another process sends the same bytes under the same request id."""
    bet = await case.debit(OK)
    written = paying(case, bet, end_round=True) if kind == "credit" else undoing(case, bet)
    await case.books.write_intent(written)
    await case.end_leases()
    (due,) = await case.books.claim_due({"JAQPOT": 10})
    assert due.opened("token", fresh_request_id="another") == written


def test_a_nonce_that_somebody_holds_does_not_hold_up_the_pruning(owner_url: str) -> None:
    insert = "insert into provider.nonces values ('main', %s, clock_timestamp() - interval '1 day')"
    with psycopg.connect(owner_url) as stuck, psycopg.connect(owner_url) as pruning:
        for nonce in ("one", "two"):
            stuck.execute(insert, (nonce,))
        stuck.commit()
        stuck.execute("select from provider.nonces where nonce = 'one' for update")
        pruning.execute(LOCK_TIMEOUT)
        assert pruning.execute(nonces._PRUNE.encode()).rowcount == 1
