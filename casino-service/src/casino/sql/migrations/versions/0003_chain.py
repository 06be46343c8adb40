"""The hash chain of every wallet: see 0003_chain.sql."""

from alembic import op

from casino.sql.schema import SCHEMA
from shared_service.postgres.revisions import run_sql_beside

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL file beside this one.

    What was booked before gets its hashes by the one formula, which this revision therefore needs before all others
    functions are applied.
    """
    op.get_bind().exec_driver_sql((SCHEMA.folder / "functions" / "wallet" / "entry_hash.sql").read_text("utf-8"))
    run_sql_beside(__file__)
