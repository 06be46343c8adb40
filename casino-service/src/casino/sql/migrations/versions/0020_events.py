"""Events by month, snapshots of sessions, configurations of games: see 0020_events.sql."""

from casino.sql.migrations.row_security import secure
from shared_service.postgres.revisions import steps_beside

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Take the steps of the SQL file, beside running bets. It may be begun again."""
    with steps_beside(__file__) as connection:
        secure(connection, "spins", "spin_sessions")
