"""The ledger: see 0001_ledger.sql."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL file beside this one."""
    run_sql_beside(__file__)
