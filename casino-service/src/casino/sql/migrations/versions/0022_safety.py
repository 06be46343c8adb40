"""The risk engine and its actions: see 0022_safety.sql."""

from __future__ import annotations

from typing import Final

from casino.sql.migrations.row_security import secure
from shared_service.postgres.revisions import change_indexes, steps_beside

revision = "0022"
down_revision = "0021"

INDEXES: Final = {
    "rounds_newest": (
        "casino.rounds (ledger_id, wallet_id, opened_at desc, opening_no desc) where opened_at > '-infinity'"
    ),
    "game_sessions_of_play_session": "casino.game_sessions (ledger_id, play_session_id)",
    "player_limits_newest": "casino.player_limits (ledger_id, tenant_id, made_at desc, limit_id desc)",
    "player_exclusions_newest": "casino.player_exclusions (ledger_id, tenant_id, made_at desc, exclusion_id desc)",
}
"""None of these columns changes in a bet after its row was written: what a bet updates stays off the indexes.

Who wants rounds_newest repeats its condition, which every row meets. Without it a plan that is made while the table is
empty takes this index to look a round up by its id, and reads all rounds of the wallet.
"""


def upgrade() -> None:
    """Take the steps of the SQL file, close the table, build indexes, beside running bets. It may be begun again."""
    with steps_beside(__file__) as connection:
        secure(connection, "safety_actions")
        for name, columns in INDEXES.items():
            change_indexes(
                connection,
                f"drop index if exists casino.{name}",
                f"create index concurrently {name} on {columns}",
            )
