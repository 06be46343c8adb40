"""Staff, their logins and their API keys: see 0016_staff.sql."""

from casino.sql.migrations.row_security import secure
from shared_service.postgres.revisions import steps_beside

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Take the steps of the SQL file, beside running bets. It may be begun again."""
    with steps_beside(__file__) as connection:
        secure(connection, "staff", "api_keys")
