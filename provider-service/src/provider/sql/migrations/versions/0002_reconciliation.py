"""Heads of the wallet's chain, and reconciliation."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the statements of the .sql file beside this one."""
    run_sql_beside(__file__)
