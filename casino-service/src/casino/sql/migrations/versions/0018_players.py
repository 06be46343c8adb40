"""Players of the platform, their play sessions, approvals, shifts, limits and exclusions: see 0018_players.sql."""

from __future__ import annotations

from typing import Final

from casino.sql.migrations.row_security import secure
from shared_service.postgres.revisions import change_indexes, steps_beside

revision = "0018"
down_revision = "0017"

TABLES: Final = (
    *("players", "play_sessions", "approvals", "player_payments", "shifts", "player_limits", "player_exclusions"),
)
SESSIONS_INDEX: Final = (
    "create index concurrently game_sessions_of_wallet on casino.game_sessions (ledger_id, wallet_id)"
)
"""Neither column changes in a bet: what a bet updates stays off the index."""


def upgrade() -> None:
    """Take the steps of the SQL file, close the tables, build an index, beside running bets. May be repeated."""
    with steps_beside(__file__) as connection:
        secure(connection, *TABLES)
        change_indexes(connection, "drop index if exists casino.game_sessions_of_wallet", SESSIONS_INDEX)
