"""The claim that a nonce belongs to: see 0014_nonce_claims.sql."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the SQL file beside this one."""
    run_sql_beside(__file__)
