"""Builds the two queues of the ledger: wallet commands and balance requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from casino.settings import Settings
from casino.wallet.commands import Balance, BalanceRequest, Ledger, WalletCommand, WalletOutcome
from shared_service.postgres.database import Database
from shared_service.postgres.group_commit import GroupCommit

TURNS_MAX: Final = 8
"""So many commands of one wallet may be in one batch. Each turn costs the batch half a millisecond."""

C = TypeVar("C")
R = TypeVar("R")


class Batched(Protocol):
    """Wraps `execute` so that the metrics count the size of each batch, with queue=`name`."""

    def __call__(
        self, name: str, execute: Callable[[Sequence[C]], Awaitable[R]], /
    ) -> Callable[[Sequence[C]], Awaitable[R]]: ...


@dataclass(frozen=True, slots=True)
class WalletQueues:
    """Two group commits. The waiting items of each are executed together, in one database transaction."""

    commands: GroupCommit[WalletCommand, WalletOutcome]
    balances: GroupCommit[BalanceRequest, Balance]


def wallet_queues(settings: Settings, database: Database, *, batched: Batched) -> WalletQueues:
    """The queues of the settings' ledger. They need no start."""
    ledger = Ledger(database, settings.ledger_id)
    commands: GroupCommit[WalletCommand, WalletOutcome] = GroupCommit(
        batched("money", ledger.execute),
        batch_max=settings.group_commit_max,
        lanes=settings.group_commit_lanes,
        queue_max=settings.queue_max,
        key_queue_max=settings.wallet_queue_max,
        turns_max=TURNS_MAX,
    )
    balances: GroupCommit[BalanceRequest, Balance] = GroupCommit(
        batched("balances", ledger.get_balances),
        batch_max=settings.group_commit_max,
        lanes=settings.group_commit_lanes,
        queue_max=settings.queue_max,
        key_queue_max=1,
    )
    return WalletQueues(commands, balances)


async def close(queues: WalletQueues) -> None:
    """Refuse new items and finish the waiting ones. The database must still be open."""
    await asyncio.gather(queues.commands.close(), queues.balances.close())
