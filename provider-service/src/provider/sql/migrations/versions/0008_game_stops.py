"""Stopped games."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the statements of the .sql file beside this one."""
    run_sql_beside(__file__)
