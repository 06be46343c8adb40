"""What the chain covers besides money, and who signed: see 0007_evidence.sql."""

from alembic import op

from shared_service.postgres.revisions import run_sql_beside

revision = "0007"
down_revision = "0006"

# Empty while every transaction has its signer. Built while bets go on, so outside the revision's transaction: if that
# is interrupted, the next run begins this revision again.
UNSIGNED_INDEX = """
    create index concurrently transactions_unsigned on casino.transactions (ledger_id)
    where entry_formula > 1 and kind <> 'deposit' and coalesce(signed_by, '') = ''
"""


def upgrade() -> None:
    """Run the SQL file beside this one, then build the index."""
    run_sql_beside(__file__)
    with op.get_context().autocommit_block():
        op.execute("drop index if exists casino.transactions_unsigned")
        # It waits for transactions that are older than it, such as a backup's, and nobody waits behind it.
        op.execute("set lock_timeout = '60s'")
        try:
            op.execute(UNSIGNED_INDEX)
        finally:
            op.execute("reset lock_timeout")
