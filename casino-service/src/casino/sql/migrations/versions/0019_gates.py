"""What stops a bet, and the bonus: see 0019_gates.sql."""

from __future__ import annotations

from typing import Final

from casino.sql.migrations.row_security import secure
from casino.sql.schema import SCHEMA
from shared_service.postgres.revisions import change_indexes, steps_beside

revision = "0019"
down_revision = "0018"

TRIGGERS: Final = ("hold_tenants", "settle_inherited")
"""Functions of triggers, which this revision needs before all other functions are applied."""


def upgrade() -> None:
    """Take the steps of the SQL file and build an index, beside running bets. It may be begun again."""
    functions = [SCHEMA.folder / "functions" / "tenants" / f"{name}.sql" for name in TRIGGERS]
    with steps_beside(__file__, first=functions) as connection:
        change_indexes(
            connection,
            "drop index if exists casino.game_sessions_of_wallet",
            "create index concurrently game_sessions_of_wallet on casino.game_sessions (ledger_id, wallet_id)",
        )
        secure(connection, "bonuses", "stops")
