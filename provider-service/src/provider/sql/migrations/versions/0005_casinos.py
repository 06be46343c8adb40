"""Several casinos at one studio: see 0005_casinos.sql."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import op

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
    steps = Path(__file__).with_suffix(".sql").read_text("utf-8").split("\n-- step: ")[1:]
    with op.get_context().autocommit_block():
        connection = op.get_bind().connection.driver_connection
        if connection is None:
            raise RuntimeError("a migration needs an open connection")
        for step in steps:
            with connection.transaction():
                connection.execute(f"-- {step}".encode())
        # These wait for transactions that are older, such as a backup's, and nobody waits behind them.
        op.execute("set lock_timeout = '60s'")
        try:
            for name, rest in INDEXES.items():
                op.execute(f"drop index concurrently if exists provider.{name}")  # left invalid by an interrupted try
                op.execute(f"create index concurrently {name} on provider.wallet_transactions {rest}")
            op.execute(f"drop index concurrently if exists provider.{REPLACED}")
        finally:
            op.execute("reset lock_timeout")
