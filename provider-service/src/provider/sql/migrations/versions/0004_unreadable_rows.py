"""Two more kinds of difference: a row that cannot be read, and one that is told twice."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the statements of the .sql file beside this one."""
    run_sql_beside(__file__)
