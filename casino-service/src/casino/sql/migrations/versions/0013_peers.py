"""Ids are scoped to the provider: see 0013_peers.sql."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import op

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
    steps = Path(__file__).with_suffix(".sql").read_text("utf-8").split("\n-- step: ")[1:]
    with op.get_context().autocommit_block():
        connection = op.get_bind().connection.driver_connection
        if connection is None:
            raise RuntimeError("a migration needs an open connection")
        for step in steps:
            with connection.transaction():
                connection.execute(f"-- {step}".encode())
        # Each waits for transactions that are older than it, such as a backup's, and nobody waits behind it.
        op.execute("set lock_timeout = '60s'")
        try:
            for name, columns in INDEXES.items():
                op.execute(f"drop index if exists casino.{name}")
                op.execute(f"create unique index concurrently {name} on casino.{columns}")
        finally:
            op.execute("reset lock_timeout")
