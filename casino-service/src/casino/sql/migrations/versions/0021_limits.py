"""Limits of players inside the debit: see 0021_limits.sql."""

from __future__ import annotations

from typing import Final

from casino.sql.migrations.row_security import secure
from shared_service.postgres.revisions import change_indexes, steps_beside

revision = "0021"
down_revision = "0020"

INDEXES: Final = {
    "one_limit_in_force": (
        "casino.player_limits (ledger_id, player_id, kind, period) where status = 'ACTIVE' and play_session_id is null"
    ),
    "one_limit_of_play_session": "casino.player_limits (ledger_id, play_session_id) where status = 'ACTIVE'",
}
"""In the place of one that let a player have one limit of any play session in force."""


def upgrade() -> None:
    """Take the steps of the SQL file, close its table, build indexes, beside running bets. It may be begun again."""
    with steps_beside(__file__) as connection:
        secure(connection, "limit_counters")
        for name, columns in INDEXES.items():
            change_indexes(
                connection,
                f"drop index if exists casino.{name}",
                f"create unique index concurrently {name} on {columns}",
            )
