"""Webhooks and their outbox: see 0023_webhooks.sql."""

from __future__ import annotations

from typing import Final

from casino.sql.migrations.row_security import secure
from casino.sql.schema import SCHEMA
from shared_service.postgres.revisions import steps_beside

revision = "0023"
down_revision = "0022"

SETTLES: Final = SCHEMA.folder / "functions" / "webhooks" / "settle_told_events.sql"
"""A trigger's function, which this revision needs before all other functions are applied."""


def upgrade() -> None:
    """Take the steps of the SQL file, beside running bets. It may be begun again."""
    with steps_beside(__file__, first=[SETTLES]) as connection:
        secure(connection, "webhooks", "webhook_events", "webhook_deliveries")
