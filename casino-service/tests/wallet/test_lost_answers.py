"""What a broken connection to the database means: the outcome is unknown, and asking the same again finds it out."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from casino.sql.schema import APPLICATION_NAME
from casino.wallet.commands import Ledger, WalletOutcome
from casino_testing.processes import WAITING_FOR_LOCKS, Wire, databases, group_commit, held_transaction, ledgers
from casino_testing.service import settings_of
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import Session, Wallet
from shared_service.postgres.database import OutcomeUnknown, Overloaded
from shared_service_testing.waiting import until

BUDGET_SECONDS = 60.0
SLOW_EVENTS = """
    create function public.slow() returns trigger language plpgsql as
        $$begin if right(new.action_id, 5) = ':slow' then perform pg_advisory_xact_lock(0); end if; return new; end$$;
    create trigger slow before insert on casino.ledger_events for each row execute function public.slow();
"""
KILL_WHAT_WAITS = f"select pg_terminate_backend(pid) from ({WAITING_FOR_LOCKS}) as waiting"
KILL_THE_SERVICE = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    f" where application_name = '{APPLICATION_NAME}' and datname = current_database()"
)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed backend keeps its wallets until it is gone, which takes its time on a machine with other work."""
    monkeypatch.setattr("shared_service.postgres.group_commit.BUSY_PATIENCE_SECONDS", BUDGET_SECONDS)


def in_time() -> float:
    return asyncio.get_running_loop().time() + BUDGET_SECONDS


@asynccontextmanager
async def connected_by_wire(tenant: Tenant) -> AsyncIterator[tuple[Wire, Ledger]]:
    """One process with one connection, on which the statement is prepared: the next answer is that of an execution."""
    async with Wire.to(tenant.url) as wire, ledgers(tenant, 1, database_url=wire.url) as (ledger,):
        await ledger.execute([])
        yield wire, ledger


def test_a_batch_whose_answer_was_lost_after_the_commit_is_executed_again_and_finds_its_answers(
    wallet: Wallet, tenant: Tenant
) -> None:
    sessions = [wallet.open_session("1"), wallet.open_session("2")]
    bets = [session.debit() for session in sessions]

    async def play() -> None:
        async with connected_by_wire(tenant) as (wire, ledger), group_commit(ledger) as commands:
            wire.loses_answers = True
            waiting = [commands.submit(bet, key=bet.player_id, deadline=in_time()) for bet in bets]
            await until(lambda: len(tenant.transactions()) == len(bets))
            assert not any(future.done() for future in waiting)
            wire.loses_answers = False
            wire.cut()
            outcomes = await asyncio.gather(*waiting)
            assert [(outcome.code, outcome.replay) for outcome in outcomes] == [(None, True), (None, True)]
            assert {outcome.balance_minor for outcome in outcomes} == {OPENING_BALANCE_MINOR - 1_000}

    wallet.wait(play())
    assert len(tenant.transactions()) == 2
    assert (tenant.balance("1"), tenant.balance("2")) == (OPENING_BALANCE_MINOR - 1_000, OPENING_BALANCE_MINOR - 1_000)


def test_a_lost_answer_is_unknown_and_not_failed(wallet: Wallet, tenant: Tenant) -> None:
    bet = wallet.open_session().debit()

    async def play() -> None:
        async with connected_by_wire(tenant) as (wire, ledger):
            wire.loses_answers = True
            asking = asyncio.create_task(ledger.execute([bet]))
            await until(lambda: tenant.transactions() != [])
            wire.loses_answers = False
            wire.cut()
            with pytest.raises(OutcomeUnknown):
                await asking

    wallet.wait(play())
    assert wallet.run(bet).replay


def test_a_backend_killed_in_the_middle_of_a_batch_has_booked_nothing_and_the_batch_goes_again(
    own_database: str,
) -> None:
    tenant = Tenant.demo(own_database)
    wallet = Wallet(tenant, settings_of(tenant))
    session, neighbour = wallet.open_session("1"), wallet.open_session("2")
    tenant.sql(SLOW_EVENTS)

    async def play() -> None:
        async with ledgers(tenant, 1) as (ledger,), group_commit(ledger) as commands:
            batch = [session.debit(transaction_id="slow"), neighbour.debit()]
            with held_transaction(tenant) as holder:
                holder.execute("select pg_advisory_xact_lock(0)")
                waiting = [commands.submit(command, key=command.player_id, deadline=in_time()) for command in batch]
                await until(lambda: tenant.sql(KILL_WHAT_WAITS))
                assert tenant.transactions() == []
            outcomes = await asyncio.gather(*waiting)
            assert [(outcome.code, outcome.replay) for outcome in outcomes] == [(None, False), (None, False)]

    try:
        wallet.wait(play())
        assert len(tenant.transactions()) == 2
        assert tenant.differences() == []
    finally:
        wallet.close()
        tenant.close()


def test_connections_that_died_while_idle_cost_nobody_an_error(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()

    async def play() -> None:
        async with ledgers(tenant, 1, pool_size_max=2) as (ledger,), group_commit(ledger) as commands:
            for _ in range(5):
                await commands.submit(session.debit(), key="1", deadline=in_time())
                assert tenant.sql(KILL_THE_SERVICE)
            await commands.submit(session.debit(), key="1", deadline=in_time())

    wallet.wait(play())
    assert tenant.balance() == OPENING_BALANCE_MINOR - 6 * 1_000


def test_backends_killed_at_random_moments_under_load_book_every_bet_exactly_once(
    wallet: Wallet, tenant: Tenant
) -> None:
    bets_each, players = (150 if os.environ.get("NIGHTLY") == "1" else 50), 8
    for number in range(players):
        tenant.open_player(f"player {number}")
    sessions = [wallet.open_session(f"player {number}") for number in range(players)]
    answered: list[WalletOutcome] = []

    async def play() -> int:
        kills = 0
        async with ledgers(tenant, 1, pool_size_max=2) as (ledger,):
            betting = asyncio.gather(*(bet_often(ledger, session, bets_each) for session in sessions))
            while not betting.done():
                await until_more_bets(betting)
                kills += len(tenant.sql(KILL_THE_SERVICE))
            await betting
        return kills

    async def until_more_bets(betting: asyncio.Future[Any]) -> None:
        """Not just some time: where connecting takes longer than that, no connection would live to see a bet."""
        enough = len(answered) + random.randint(20, 200)
        await until(lambda: len(answered) >= enough or betting.done())

    async def bet_often(ledger: Ledger, session: Session, bets: int) -> None:
        async with group_commit(ledger) as commands:
            for _ in range(bets):
                outcome = await commands.submit(session.debit(), key=session.player_id, deadline=in_time())
                assert outcome.code is None
                answered.append(outcome)

    assert wallet.wait(play()) > 0
    assert len(tenant.transactions()) == players * bets_each
    expected_minor = OPENING_BALANCE_MINOR - bets_each * 1_000
    assert {tenant.balance(session.player_id) for session in sessions} == {expected_minor}


async def test_a_database_that_is_away_refuses_before_any_work(tenant: Tenant) -> None:
    async with Wire.to(tenant.url) as wire:
        nobody_listens = wire.url
    async with databases(tenant, 1, database_url=nobody_listens, pool_wait_seconds=0.05) as (database,):
        with pytest.raises(Overloaded):
            await database.call("select 1")
