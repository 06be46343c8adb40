"""Ids are scoped to the provider: see 0013_peers.sql."""

from __future__ import annotations

from typing import Final

from shared_service.postgres.revisions import change_indexes, steps_beside

revision = "0013"
down_revision = "0012"

INDEXES: Final = {
    "rounds_of_provider": "rounds (ledger_id, wallet_id, round_id, provider_id)",
    "tombstones_of_provider": "tombstones (ledger_id, wallet_id, transaction_id, provider_id)",
    "attempts_of_provider": "attempts (ledger_id, wallet_id, transaction_id, provider_id, attempt)",
    "transactions_feed_of_provider": "transactions (ledger_id, provider_id, feed_position)",
}
"""The first three are conflict targets and become primary keys. The last one leads a provider through its feed."""


def upgrade() -> None:
    """Take the steps of the SQL file, then build the indexes, all beside running bets. It may be begun again."""
    with steps_beside(__file__) as connection:
        for name, columns in INDEXES.items():
            change_indexes(
                connection,
                f"drop index if exists casino.{name}",
                f"create unique index concurrently {name} on casino.{columns}",
            )
