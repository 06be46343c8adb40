"""The risk engine and its actions: see 0022_safety.sql."""

from shared_service.postgres.revisions import steps_beside

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Take the steps of the SQL file, beside running bets. It may be begun again."""
    with steps_beside(__file__):
        pass
