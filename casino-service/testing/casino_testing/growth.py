"""A ledger that grows under connections whose plans were made when it was empty, and what work reads in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from casino.wallet.commands import WalletCommand
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet

OTHER_PLAYERS: Final = 500
TABLES: Final = (
    *("wallets", "game_sessions", "rounds", "transactions", "postings", "tombstones"),
    *("nonces_0", "nonces_1", "nonces_2"),
)
READS: Final = """
    select coalesce(sum(seq_tup_read), 0)::bigint as scanned, coalesce(sum(idx_tup_fetch), 0)::bigint as fetched
    from pg_stat_user_tables where schemaname = 'casino' and relname <> 'entry_kinds' -- it does not grow
"""


def freeze_statistics(tenant: Tenant) -> None:
    """Take statistics now and never again: the planner goes on believing in what there is at this moment."""
    months = [row["name"] for row in tenant.sql("select o_partition::text as name from casino.event_months()")]
    for table in [*(f"casino.{name}" for name in TABLES), *months]:
        tenant.sql(f"alter table {table} set (autovacuum_enabled = false)")
        tenant.sql(f"analyze {table}")


def open_sessions(wallet: Wallet, count: int, name: str) -> list[Session]:
    """So many players with a session each."""
    for number in range(count):
        wallet.tenant.open_player(f"{name} {number}")
    return [wallet.open_session(f"{name} {number}") for number in range(count)]


def add_other_players(tenant: Tenant) -> None:
    """Many more players with a session each, whom nobody will ask for."""
    numbers = {"tenant": tenant.tenant_id, "ledger": tenant.ledger_id, "count": OTHER_PLAYERS}
    tenant.sql(
        "select casino.open_player(%(tenant)s, 'other ' || n, 'x', 'USD', 1000, %(ledger)s)"
        " from generate_series(1, %(count)s) as n",
        numbers,
    )
    tenant.sql(
        "select o_code from generate_series(1, %(count)s) as n, lateral casino.open_session(%(ledger)s, %(tenant)s,"
        " 'other ' || n, '1', gen_random_uuid(), sha256(n::text::bytea), null, null)",
        numbers,
    )


def a_round_of_everything(sessions: list[Session], number: int) -> list[list[WalletCommand]]:
    """Batches of bets, second bets, rollbacks, payouts, replays, tombstones and refusals."""
    round_id = f"round {number}"
    bets = [session.debit(round_id=round_id) for session in sessions]
    undone = [session.debit(round_id=round_id) for session in sessions]
    pairs = zip(sessions, undone, strict=True)
    undos = [session.rollback(bet.transaction_id, round_id=round_id) for session, bet in pairs]
    pairs = zip(sessions, bets, strict=True)
    wins = [session.credit(1_000, round_id=round_id, related_id=bet.transaction_id) for session, bet in pairs]
    stones = [session.rollback(f"never seen {number}", round_id=round_id) for session in sessions]
    refused = [session.debit(1, round_id=round_id) for session in sessions]
    return [bets, undone, undos, wins, bets, undos, stones, refused]


def play(wallet: Wallet, sessions: list[Session], number: int) -> None:
    """One round of everything."""
    for batch in a_round_of_everything(sessions, number):
        wallet.run_batch(batch)


def reads_of(wallet: Wallet, work: Callable[[], Any]) -> tuple[int, int]:
    """How many rows a piece of work reads by scanning, and how many by an index."""
    before = _reads(wallet)
    work()
    after = _reads(wallet)
    return after[0] - before[0], after[1] - before[1]


def _reads(wallet: Wallet) -> tuple[int, int]:
    # Counters reach the shared statistics at the end of a transaction, and only now and then unless they are pushed.
    wallet.tenant.sql("select pg_stat_force_next_flush()")
    wallet.tenant.sql("select 1")
    wallet.wait(wallet.database.call("select pg_catalog.pg_stat_force_next_flush()"))
    wallet.wait(wallet.database.call("select 1"))
    row = wallet.tenant.sql(READS)[0]
    return int(row["scanned"]), int(row["fetched"])
