"""Play: see 0007_play.sql."""

from __future__ import annotations

from shared_service.postgres.revisions import change_indexes, steps_beside

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Take the steps of the SQL file, each in a transaction of its own, then add an index beside running spins."""
    with steps_beside(__file__) as connection:
        change_indexes(
            connection,
            "drop index concurrently if exists provider.spins_by_player",  # left invalid by an interrupted try
            "create index concurrently spins_by_player on provider.spins (player_id, game_code, created_at)",
        )
