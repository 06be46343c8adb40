"""Events by month, snapshots of sessions, configurations of games: see 0020_events.sql."""

from casino.sql.migrations.row_security import secure
from casino.sql.schema import SCHEMA
from shared_service.postgres.revisions import steps_beside

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Take the steps of the SQL file, beside running bets. It may be begun again."""
    copy_row_security = SCHEMA.folder / "functions" / "events" / "copy_row_security.sql"
    with steps_beside(__file__, first=[copy_row_security]) as connection:
        secure(connection, "session_snapshots", "game_configs", "spins", "spin_sessions")
