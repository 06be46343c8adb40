"""Protocol section 4 (2), (4), (10): what two processes do to one wallet at the same instant."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter

from casino.wallet.commands import BalanceRequest, Ledger, WalletCommand, WalletOutcome, token_hash
from casino_testing.processes import WAIT_SECONDS_MAX, held_transaction, ledgers, until_answered
from casino_testing.tenant import OPENING_BALANCE_MINOR, PLAYERS, Tenant
from casino_testing.wallet import Session, Wallet, answer

TRIALS = 1_000 if os.environ.get("NIGHTLY") == "1" else 200
FEWER_TRIALS = 150 if os.environ.get("NIGHTLY") == "1" else 40
HEAD_START_SECONDS_MAX = 0.002


async def race(
    one: Ledger, first: WalletCommand, other: Ledger, second: WalletCommand
) -> tuple[WalletOutcome, WalletOutcome]:
    """Two commands from two processes, with a head start for one of them that differs from trial to trial."""
    head_start_seconds = random.uniform(-HEAD_START_SECONDS_MAX, HEAD_START_SECONDS_MAX)

    async def send(ledger: Ledger, command: WalletCommand, pause_seconds: float) -> WalletOutcome:
        if pause_seconds > 0:
            await asyncio.sleep(pause_seconds)
        return await until_answered(ledger, command)

    return await asyncio.gather(
        send(one, first, head_start_seconds), send(other, second, -head_start_seconds)
    )  # fmt: skip


def test_two_copies_at_once_take_one_stake_and_answer_the_same(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()

    async def play() -> None:
        async with ledgers(tenant, 2) as (one, other):
            for number in range(FEWER_TRIALS):
                bet = session.debit(round_id=str(number))
                first, second = await race(one, bet, other, bet)
                assert {first.replay, second.replay} == {True, False}
                assert answer(bet, first) == answer(bet, second)

    wallet.wait(play())
    assert tenant.balance() == OPENING_BALANCE_MINOR - FEWER_TRIALS * 1_000


def test_the_last_thousand_is_spent_once(wallet: Wallet, tenant: Tenant) -> None:
    """Row G1."""
    for number in range(FEWER_TRIALS):
        tenant.open_player(f"poor {number}", balance_minor=1_000)
    sessions = [wallet.open_session(f"poor {number}") for number in range(FEWER_TRIALS)]

    async def play() -> None:
        async with ledgers(tenant, 2) as (one, other):
            for session in sessions:
                outcomes = await race(one, session.debit(), other, session.debit())
                assert {outcome.code for outcome in outcomes} == {None, "insufficient_balance"}

    wallet.wait(play())
    assert {tenant.balance(session.player_id) for session in sessions} == {0}


def test_a_bet_racing_its_rollback_is_either_reversed_or_buried(wallet: Wallet, tenant: Tenant) -> None:
    """Row B4."""
    sessions = [wallet.open_session(player_id) for player_id in PLAYERS]
    seen: Counter[str] = Counter()

    async def play(one: Ledger, other: Ledger, session: Session) -> None:
        for number in range(TRIALS // len(sessions)):
            bet = session.debit(round_id=str(number))
            undo = session.rollback(bet.transaction_id, round_id=str(number))
            debited, undone = await race(one, bet, other, undo)
            seen[fate(debited, undone)] += 1

    async def play_all() -> None:
        async with ledgers(tenant, 2, pool_size_max=len(sessions)) as (one, other):
            await asyncio.gather(*(play(one, other, session) for session in sessions))

    wallet.wait(play_all())
    assert seen.keys() == {"reversed", "buried"}, seen
    assert seen.total() == TRIALS
    assert {tenant.balance(session.player_id) for session in sessions} == {OPENING_BALANCE_MINOR}
    states = Counter(row["state"] for row in tenant.transactions() if row["kind"] == "debit")
    assert states == {"rolled_back": seen["reversed"]}
    assert len(tenant.rows("tombstones")) == seen["buried"]


def fate(debited: WalletOutcome, undone: WalletOutcome) -> str:
    """What became of a bet and its rollback; anything but these two would be wrong."""
    assert undone.code is None
    if debited.code is None:
        assert not undone.tombstone
        return "reversed"
    assert debited.code == "transaction_rolled_back"
    assert undone.tombstone
    return "buried"


def test_two_rollbacks_of_one_bet_at_once_return_it_once(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()

    async def play() -> None:
        async with ledgers(tenant, 2) as (one, other):
            for number in range(FEWER_TRIALS):
                bet = session.debit(round_id=str(number))
                await until_answered(one, bet)
                undo, again = (session.rollback(bet.transaction_id, round_id=str(number)) for _ in range(2))
                outcomes = await race(one, undo, other, again)
                assert sorted(outcome.already_rolled_back for outcome in outcomes) == [False, True]

    wallet.wait(play())
    assert tenant.balance() == OPENING_BALANCE_MINOR


def test_a_payout_racing_a_rollback_leaves_a_bet_paid_or_returned_never_both(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    seen: Counter[tuple[str | None, str | None]] = Counter()

    async def play() -> None:
        async with ledgers(tenant, 2) as (one, other):
            for number in range(FEWER_TRIALS):
                bet = session.debit(round_id=str(number))
                await until_answered(one, bet)
                payout = session.credit(1_000, round_id=str(number))
                undo = session.rollback(bet.transaction_id, round_id=str(number))
                paid, undone = await race(one, payout, other, undo)
                seen[paid.code, undone.code] += 1

    wallet.wait(play())
    assert seen.keys() == {(None, "round_has_payout"), ("bet_rolled_back", None)}, seen
    assert tenant.balance() == OPENING_BALANCE_MINOR


def test_a_wallet_that_another_process_holds_is_left_out_and_not_waited_for(wallet: Wallet, tenant: Tenant) -> None:
    stuck, free = wallet.open_session("1"), wallet.open_session("2")
    batch = [stuck.debit(), free.debit()]
    for lock in (
        "select 1 from casino.wallets where ledger_id = %s and player_id = '1' for update",
        "select pg_advisory_xact_lock((ledger_id::bigint << 48) # wallet_id) from casino.wallets"
        " where ledger_id = %s and player_id = '1'",
    ):
        with held_transaction(tenant) as holder:
            holder.execute(lock, [tenant.ledger_id])
            busy, booked = wallet.wait(asyncio.wait_for(wallet.ledger.execute(batch), timeout=WAIT_SECONDS_MAX))
            assert busy is None
            assert booked is not None
            assert booked.code is None
        batch = [batch[0], free.debit()]
    wallet.accept(batch[0])


def test_a_balance_is_read_although_a_money_command_holds_wallet_and_session(wallet: Wallet, tenant: Tenant) -> None:
    session = wallet.open_session()
    tenant.sql("update casino.game_sessions set expires_at = expires_at - interval '1 minute' where ledger_id = %s",
               tenant.ledger_id)  # fmt: skip
    with held_transaction(tenant) as holder:
        for table in ("wallets", "game_sessions"):
            holder.execute(f"select 1 from casino.{table} where ledger_id = %s for update", [tenant.ledger_id])
        question = BalanceRequest(provider_id="main", token_hash=token_hash(session.token), player_id="1")
        (balance,) = wallet.wait(asyncio.wait_for(wallet.ledger.get_balances([question]), timeout=WAIT_SECONDS_MAX))
    assert balance is not None
    assert balance.balance_minor == OPENING_BALANCE_MINOR


def test_batches_in_opposing_order_never_wait_for_each_other_in_a_ring(wallet: Wallet, tenant: Tenant) -> None:
    size, rounds = 24, 40
    for number in range(size):
        tenant.open_player(f"player {number}")
    sessions = [wallet.open_session(f"player {number}") for number in range(size)]

    async def work(ledger: Ledger, order: list[Session]) -> None:
        for _ in range(rounds):
            left = [session.debit(1_000, round_id="endless") for session in order]
            while left:
                outcomes = await ledger.execute(left)
                left = [command for command, outcome in zip(left, outcomes, strict=True) if outcome is None]

    async def play() -> None:
        async with ledgers(tenant, 2) as (one, other):
            await asyncio.gather(work(one, sessions), work(other, sessions[::-1]))

    wallet.wait(play())
    expected_minor = OPENING_BALANCE_MINOR - 2 * rounds * 1_000
    assert {tenant.balance(session.player_id) for session in sessions} == {expected_minor}
