"""Limits of players inside the debit: see 0021_limits.sql."""

from casino.sql.migrations.row_security import secure
from shared_service.postgres.revisions import steps_beside

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Take the steps of the SQL file and close its table, beside running bets. It may be begun again."""
    with steps_beside(__file__) as connection:
        secure(connection, "limit_counters")
