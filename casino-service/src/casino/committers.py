"""The three queues in front of the database: what waits together executes together.

Owns how wide and how long each of them is, and that their lengths are watched. It must never hold a rule about money,
and never start anything: a queue works when something is put into it, and whoever asked for it closes it.
"""

from __future__ import annotations

from casino.callbacks.nonces import DatabaseNonceStore
from casino.db import Database
from casino.ops.metrics import Metrics
from casino.settings import Settings
from casino.wallet.commands import Balance, BalanceRequest, Ledger, WalletCommand, WalletOutcome
from casino.wallet.group_commit import GroupCommit


def committers(
    settings: Settings, database: Database, metrics: Metrics
) -> tuple[GroupCommit[WalletCommand, WalletOutcome], GroupCommit[BalanceRequest, Balance], DatabaseNonceStore]:
    """For money, for questions about a balance, and for nonces; all three must be closed before the database is."""
    ledger = Ledger(database, settings.ledger_id)
    commands: GroupCommit[WalletCommand, WalletOutcome] = GroupCommit(
        metrics.batched("money", ledger.execute),
        batch_max=settings.group_commit_max,
        lanes=settings.group_commit_lanes,
        queue_max=settings.queue_max,
        key_queue_max=settings.wallet_queue_max,
    )
    balances: GroupCommit[BalanceRequest, Balance] = GroupCommit(
        metrics.batched("balances", ledger.get_balances),
        batch_max=settings.group_commit_max,
        lanes=settings.group_commit_lanes,
        queue_max=settings.queue_max,
        key_queue_max=1,
    )
    nonces = DatabaseNonceStore(
        database,
        batch_max=settings.group_commit_max,
        lanes=settings.group_commit_lanes,
        queue_max=settings.queue_max,
        budget_seconds=settings.request_budget_seconds,
    )
    metrics.watch_queue("money", lambda: commands.size)
    metrics.watch_queue("balances", lambda: balances.size)
    metrics.watch_queue("nonces", lambda: nonces.size)
    return commands, balances, nonces
