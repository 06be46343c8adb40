"""The offset of feed positions after a restore: see 0006_feed_offset.sql."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the SQL file beside this one."""
    run_sql_beside(__file__)
