"""Heads of the wallet's chain, and reconciliation."""

from provider.sql.files import execute_beside

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the statements of the .sql file beside this one."""
    execute_beside(__file__)
