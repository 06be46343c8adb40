"""What `migrate` has applied, file by file: see 0010_applied_sql_files.sql."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the SQL file beside this one."""
    run_sql_beside(__file__)
