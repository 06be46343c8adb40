"""Revoked signing keys: see 0005_key_revocations.sql."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the SQL file beside this one."""
    run_sql_beside(__file__)
