"""Floats of tenants, and vouchers: see 0017_money.sql."""

from casino.sql.migrations.row_security import secure
from shared_service.postgres.revisions import steps_beside

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Take the steps of the SQL file, beside running bets. It may be begun again."""
    with steps_beside(__file__) as connection:
        secure(connection, "float_entries", "vouchers", "voucher_slips")
