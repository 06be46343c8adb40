"""Token buckets and fingerprints of players' clients: see 0004_client_limits.sql."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL file beside this one."""
    run_sql_beside(__file__)
