"""What stops a bet, and the bonus: see 0019_gates.sql."""

from shared_service.postgres.revisions import steps_beside

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Take the steps of the SQL file, beside running bets. It may be begun again."""
    with steps_beside(__file__):
        pass
