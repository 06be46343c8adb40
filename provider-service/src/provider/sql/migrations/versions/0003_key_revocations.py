"""Revoked signing keys."""

from provider.sql.files import execute_beside

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the statements of the .sql file beside this one."""
    execute_beside(__file__)
