"""Nonces of signed requests: see 0002_nonces.sql."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL file beside this one."""
    run_sql_beside(__file__)
