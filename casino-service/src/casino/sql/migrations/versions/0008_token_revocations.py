"""Revocation of players' access tokens: see 0008_token_revocations.sql."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the SQL file beside this one."""
    run_sql_beside(__file__)
