"""No feed position below 1, which the feed would show to nobody: see 0009_feed_positions.sql."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the SQL file beside this one."""
    run_sql_beside(__file__)
