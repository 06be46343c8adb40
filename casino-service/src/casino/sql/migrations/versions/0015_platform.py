"""What every part of the operator's platform shares: see 0015_platform.sql."""

from typing import Final

from casino.sql.migrations.row_security import secure
from shared_service.postgres.revisions import steps_beside

revision = "0015"
down_revision = "0014"

TENANTS_TABLES: Final = """
    select relname from pg_class
    join pg_attribute on attrelid = pg_class.oid and attname = 'tenant_id' and not attisdropped
    where relnamespace = 'casino'::regnamespace and relkind in ('r', 'p')
    order by relname
"""


def upgrade() -> None:
    """Take the steps of the SQL file, then let owners see every table, one after the other, beside running bets.

    Bets hold several tables at once, so a transaction that changed two would wait for a bet that waits for it.
    """
    with steps_beside(__file__) as connection:
        secure(connection, *(name for (name,) in connection.execute(TENANTS_TABLES).fetchall()))
