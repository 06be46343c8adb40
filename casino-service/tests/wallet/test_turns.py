"""Several commands of one wallet in one batch answer and book as if each had come in a batch of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from casino.wallet.commands import Ledger, WalletOutcome
from casino_testing.processes import Wire, book_in, group_commit, held_transaction, ledgers
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import STAKE_MINOR, Session, Wallet, answer
from shared_service_testing.waiting import until

BUDGET_SECONDS = 60.0


@pytest.fixture
def session(wallet: Wallet) -> Session:
    return wallet.open_session()


def told(outcomes: Sequence[WalletOutcome]) -> list[str]:
    return [outcome.code or ("replay" if outcome.replay else "ok") for outcome in outcomes]


def left_minor(outcomes: Sequence[WalletOutcome]) -> list[int | None]:
    return [outcome.balance_minor for outcome in outcomes]


def test_each_turn_sees_the_balance_that_the_one_before_left(wallet: Wallet, tenant: Tenant) -> None:
    tenant.open_player("poor", balance_minor=2_500)
    session = wallet.open_session("poor")
    outcomes = wallet.run_batch([session.debit(round_id=str(number)) for number in range(4)])
    assert told(outcomes) == ["ok", "ok", "insufficient_balance", "insufficient_balance"]
    assert left_minor(outcomes)[:2] == [1_500, 500]
    assert tenant.balance("poor") == 500


def test_a_batch_in_turns_is_one_transaction_and_the_feed_has_the_order_of_the_batch(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    other, third = wallet.open_session("2"), wallet.open_session()
    batch = [
        session.debit(), other.debit(), third.debit(round_id="of the third"), session.debit(), other.debit(),
        session.credit(), session.debit(round_id="next"),
    ]  # fmt: skip
    outcomes = wallet.run_batch(batch)
    assert told(outcomes) == ["ok"] * len(batch)
    assert [outcome.request_id for outcome in outcomes] == [command.request_id for command in batch]
    assert [row["transaction_id"] for row in tenant.transactions()] == [command.transaction_id for command in batch]
    rows = tenant.sql("select distinct xmin::text from casino.transactions where feed_position is not null"
                      " and ledger_id = %s", tenant.ledger_id)  # fmt: skip
    assert len(rows) == 1
    heads = [outcome.head for outcome, command in zip(outcomes, batch, strict=True) if command.player_id == "1"]
    assert [head and int(head.partition(":")[0]) for head in heads] == list(range(2, 2 + len(heads)))
    assert tenant.differences() == []


def test_a_copy_of_a_command_in_its_batch_is_its_replay(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    bet = session.debit()
    first, between, copy = wallet.run_batch([bet, session.debit(), bet])
    assert told([first, between, copy]) == ["ok", "ok", "replay"]
    assert answer(bet, copy) == answer(bet, first)
    (noted,) = tenant.rows("attempts")
    assert (noted["transaction_id"], noted["attempt"], noted["times"]) == (bet.transaction_id, "replay", 1)
    assert tenant.balance() == OPENING_BALANCE_MINOR - 2 * STAKE_MINOR


def test_copies_in_one_batch_are_counted_as_copies_in_many(wallet: Wallet, tenant: Tenant, session: Session) -> None:
    bet = session.debit()
    assert told(wallet.run_batch([bet] * 4)) == ["ok", "replay", "replay", "replay"]
    (noted,) = tenant.rows("attempts")
    assert noted["times"] == 3


def test_a_rollback_finds_the_bet_of_its_batch_and_a_later_bet_finds_the_rollback(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    bet, late = session.debit(), session.debit()
    undo, entomb = session.rollback(bet.transaction_id), session.rollback(late.transaction_id)
    outcomes = wallet.run_batch([bet, undo, entomb, late, undo, bet])
    assert told(outcomes) == ["ok", "ok", "ok", "transaction_rolled_back", "replay", "replay"]
    assert [outcome.tombstone for outcome in outcomes[1:3]] == [False, True]
    assert tenant.balance() == OPENING_BALANCE_MINOR
    assert tenant.differences() == []


def test_a_credit_finds_the_bet_of_its_batch_and_closes_the_round(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    early, bet = session.credit(), session.debit()
    win = session.credit(5_000, related_id=bet.transaction_id)
    outcomes = wallet.run_batch([early, bet, win, session.debit(), session.rollback(bet.transaction_id)])
    assert told(outcomes) == ["no_matching_bet", "ok", "ok", "round_has_payout", "round_has_payout"]
    assert tenant.balance() == OPENING_BALANCE_MINOR - STAKE_MINOR + 5_000
    assert tenant.differences() == []


def test_a_refusal_that_is_remembered_answers_its_copy_in_the_batch(wallet: Wallet, tenant: Tenant) -> None:
    """Although the payout between the two would pay for the bet."""
    tenant.open_player("poor", balance_minor=STAKE_MINOR)
    session = wallet.open_session("poor")
    open_bet = wallet.bet(session)
    bet = session.debit(round_id="next")
    win = session.credit(related_id=open_bet.transaction_id)
    first, paid, copy = wallet.run_batch([bet, win, bet])
    assert told([first, paid, copy]) == ["insufficient_balance", "ok", "insufficient_balance"]
    assert (first.replay, copy.replay) == (False, True)
    assert answer(bet, copy) == answer(bet, first)


def test_a_command_that_names_no_wallet_is_refused_beside_those_in_turns(wallet: Wallet, session: Session) -> None:
    batch = [session.debit(token_hash="00" * 32), session.debit(), session.debit(player_id="2"), session.debit()]
    assert told(wallet.run_batch(batch)) == ["session_not_found", "ok", "session_player_mismatch", "ok"]


def test_a_busy_wallet_is_busy_for_all_its_commands_and_its_neighbour_has_all_its_turns(
    wallet: Wallet, tenant: Tenant, session: Session
) -> None:
    other = wallet.open_session("2")
    with held_transaction(tenant) as holder:
        book_in(holder, tenant, [session.debit()])
        batch = [session.debit(), other.debit(), session.debit(), other.debit()]
        outcomes = wallet.wait(wallet.ledger.execute(batch))
        assert [outcome is None for outcome in outcomes] == [True, False, True, False]
    assert (tenant.balance(), tenant.balance("2")) == (OPENING_BALANCE_MINOR, OPENING_BALANCE_MINOR - 2 * STAKE_MINOR)


def test_two_processes_with_batches_in_turns_on_one_wallet_spend_what_there_is_once(
    wallet: Wallet, tenant: Tenant
) -> None:
    """Both keep asking while the other one has the wallet."""
    tenant.open_player("poor", balance_minor=25 * STAKE_MINOR)
    session = wallet.open_session("poor")
    outcomes: list[WalletOutcome] = []

    async def bet_often(ledger: Ledger) -> None:
        async with group_commit(ledger) as commands:
            deadline = asyncio.get_running_loop().time() + BUDGET_SECONDS
            bets = [session.debit(round_id=f"{id(ledger)} {number}") for number in range(20)]
            outcomes.extend(
                await asyncio.gather(*(commands.submit(bet, key=bet.player_id, deadline=deadline) for bet in bets))
            )

    async def play() -> None:
        async with ledgers(tenant, 2) as (one, other):
            await asyncio.gather(bet_often(one), bet_often(other))

    wallet.wait(play())
    assert sorted(told(outcomes)) == ["insufficient_balance"] * 15 + ["ok"] * 25
    assert sorted(balance for balance in left_minor(outcomes) if balance is not None) == [
        number * STAKE_MINOR for number in range(25)
    ]
    assert tenant.balance("poor") == 0
    assert tenant.differences() == []


def test_a_batch_in_turns_whose_answer_was_lost_finds_its_answers(
    wallet: Wallet, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared_service.postgres.group_commit.BUSY_PATIENCE_SECONDS", BUDGET_SECONDS)
    session = wallet.open_session()
    bet = session.debit()
    batch = [bet, session.rollback(bet.transaction_id), session.debit(), session.debit(2 * OPENING_BALANCE_MINOR)]

    async def play() -> None:
        async with Wire.to(tenant.url) as wire, ledgers(tenant, 1, database_url=wire.url) as (ledger,):
            await ledger.execute([])
            async with group_commit(ledger) as commands:
                deadline = asyncio.get_running_loop().time() + BUDGET_SECONDS
                wire.loses_answers = True
                waiting = [commands.submit(command, key="1", deadline=deadline) for command in batch]
                await until(lambda: len(tenant.transactions()) >= 3)
                wire.loses_answers = False
                wire.cut()
                outcomes = await asyncio.gather(*waiting)
                assert told(outcomes)[:3] == ["replay"] * 3
                assert left_minor(outcomes)[:3] == [
                    OPENING_BALANCE_MINOR - STAKE_MINOR, OPENING_BALANCE_MINOR, OPENING_BALANCE_MINOR - STAKE_MINOR,
                ]  # fmt: skip
                assert outcomes[3].code is not None

    wallet.wait(play())
    assert tenant.balance() == OPENING_BALANCE_MINOR - STAKE_MINOR
    assert tenant.differences() == []
