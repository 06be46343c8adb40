"""Webhooks and their outbox: see 0023_webhooks.sql."""

from shared_service.postgres.revisions import steps_beside

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Take the steps of the SQL file, beside running bets. It may be begun again."""
    with steps_beside(__file__):
        pass
