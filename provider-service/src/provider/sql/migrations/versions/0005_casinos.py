"""Several casinos at one studio: see 0005_casinos.sql."""

from __future__ import annotations

from typing import Final

from shared_service.postgres.revisions import change_indexes, steps_beside

revision = "0005"
down_revision = "0004"

INDEXES: Final = {
    "wallet_transactions_due_by_casino": "(outbox_casino_code, due_at)"
    " where state = 'pending' and due_at is not null and outbox_casino_code is not null",
    "wallet_transactions_due_unrouted": "(due_at)"
    " where state = 'pending' and due_at is not null and outbox_casino_code is null",
}
REPLACED: Final = "wallet_transactions_due"


def upgrade() -> None:
    """Take the steps of the SQL file, each in a transaction of its own, then exchange an index beside running bets."""
    with steps_beside(__file__) as connection:
        for name, rest in INDEXES.items():
            change_indexes(
                connection,
                f"drop index concurrently if exists provider.{name}",  # left invalid by an interrupted try
                f"create index concurrently {name} on provider.wallet_transactions {rest}",
            )
        change_indexes(connection, f"drop index concurrently if exists provider.{REPLACED}")
