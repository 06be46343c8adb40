"""The provider's books: sessions, rounds, wallet transactions and nonces."""

from provider.sql.files import execute_beside

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the statements of the .sql file beside this one."""
    execute_beside(__file__)
