"""What every part of the operator's platform shares: see 0015_platform.sql."""

from casino.sql.migrations.row_security import secure
from shared_service.postgres.revisions import steps_beside

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Take the steps of the SQL file, beside running bets. It may be begun again."""
    with steps_beside(__file__) as connection:
        secure(connection, "audit_trail")
