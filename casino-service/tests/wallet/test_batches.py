"""Batches: many wallets decided and booked together, without one disturbing another."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from casino_testing.service import settings_of
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import Session, Wallet

BATCH_MAX = 64


def crowd(wallet: Wallet, size: int) -> list[Session]:
    for number in range(size):
        wallet.tenant.open_player(f"player {number}")
    return [wallet.open_session(f"player {number}") for number in range(size)]


def test_an_empty_batch_does_nothing(wallet: Wallet, tenant: Tenant) -> None:
    assert wallet.run_batch([]) == []
    assert tenant.transactions() == []


def test_a_full_batch_of_mixed_outcomes_answers_each_command_in_its_place(wallet: Wallet, tenant: Tenant) -> None:
    sessions = crowd(wallet, BATCH_MAX)
    replayed = [wallet.bet(session) for session in sessions[:8]]
    paid = [wallet.bet(session) for session in sessions[8:16]]
    undone = [wallet.bet(session) for session in sessions[16:24]]
    for session in sessions[32:40]:
        tenant.set_wallet(session.player_id, blocked_at=datetime.now(UTC))
    for session in sessions[40:48]:
        tenant.set_session(session.session_id, closed_at=datetime.now(UTC))
    batch = [
        *replayed,
        *(sessions[8 + place].credit(7_000, related_id=bet.transaction_id) for place, bet in enumerate(paid)),
        *(sessions[16 + place].rollback(bet.transaction_id) for place, bet in enumerate(undone)),
        *(session.rollback("never seen") for session in sessions[24:32]),
        *(session.debit() for session in sessions[32:48]),
        *(session.debit(player_id="1") for session in sessions[48:52]),
        *(session.debit(token_hash=f"{number:064x}") for number, session in enumerate(sessions[52:56])),
        *(session.debit(2_000) for session in sessions[56:64]),
    ]  # fmt: skip
    outcomes = wallet.run_batch(batch)
    told = [outcome.code or ("replay" if outcome.replay else "ok") for outcome in outcomes]
    assert told == [
        *["replay"] * 8,
        *["ok"] * 24,
        *["wallet_blocked"] * 8,
        *["session_expired"] * 8,
        *["session_player_mismatch"] * 4,
        *["session_not_found"] * 4,
        *["ok"] * 8,
    ]
    assert [outcome.request_id for outcome in outcomes] == [command.request_id for command in batch]
    balances = [tenant.balance(session.player_id) - OPENING_BALANCE_MINOR for session in sessions]
    assert balances == [*[-1_000] * 8, *[6_000] * 8, *[0] * 40, *[-2_000] * 8]


def test_a_batch_is_one_database_transaction_and_the_feed_keeps_its_order(wallet: Wallet, tenant: Tenant) -> None:
    batch = [session.debit() for session in reversed(crowd(wallet, 20))]
    wallet.run_batch(batch)
    rows = tenant.sql("select distinct xmin::text from casino.transactions where feed_position is not null"
                      " and ledger_id = %s", tenant.ledger_id)  # fmt: skip
    assert len(rows) == 1
    assert [row["transaction_id"] for row in tenant.transactions()] == [command.transaction_id for command in batch]


FORBID = """
    create function public.forbid() returns trigger language plpgsql as
        $$begin if to_jsonb(new)::text like '%%forbidden%%' then raise exception 'forbidden'; end if; return new; end$$;
    create trigger forbid before insert on casino.{table} for each row execute function public.forbid();
"""


@pytest.mark.parametrize("table", ["transactions", "postings", "ledger_events"])
def test_a_batch_that_fails_anywhere_leaves_nothing_of_itself(own_database: str, table: str) -> None:
    tenant = Tenant.demo(own_database)
    wallet = Wallet(tenant, settings_of(tenant))
    try:
        tenant.sql(FORBID.format(table=table))
        batch = [wallet.open_session("1").debit(), wallet.open_session("2").debit(transaction_id="forbidden")]
        before = tenant.money_rows()
        with pytest.raises(psycopg.errors.RaiseException):
            wallet.wait(wallet.ledger.execute(batch))
        assert tenant.money_rows() == before
        assert (tenant.balance("1"), tenant.balance("2")) == (OPENING_BALANCE_MINOR, OPENING_BALANCE_MINOR)
        wallet.accept(batch[0])
        assert tenant.differences() == []
    finally:
        wallet.close()
        tenant.close()


def test_the_wallets_of_two_ledgers_are_kept_apart(wallet: Wallet, tenant: Tenant, shared_database: str) -> None:
    other = Tenant.fresh(shared_database)
    stranger = Wallet(other, settings_of(other))
    try:
        bet = wallet.bet(wallet.open_session(), transaction_id="same", round_id="same")
        assert stranger.refuse(bet) == "session_not_found"
        stranger.bet(stranger.open_session(), transaction_id="same", round_id="same")
        assert (other.balance(), tenant.balance()) == (OPENING_BALANCE_MINOR - 1_000, OPENING_BALANCE_MINOR - 1_000)
        assert other.differences() == []
    finally:
        stranger.close()
        other.close()
