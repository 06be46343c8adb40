"""The provider's books: sessions, rounds, wallet transactions and nonces."""

from shared_service.postgres.revisions import run_sql_beside

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the statements of the .sql file beside this one."""
    run_sql_beside(__file__)
