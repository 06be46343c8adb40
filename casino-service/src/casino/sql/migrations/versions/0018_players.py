"""Players of the platform, their play sessions, approvals and shifts: see 0018_players.sql."""

from shared_service.postgres.revisions import steps_beside

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Take the steps of the SQL file, beside running bets. It may be begun again."""
    with steps_beside(__file__):
        pass
