"""Tells webhooks what a check of the ledger found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from psycopg.types.json import Jsonb

from casino.audit.ledger_check import Finding
from casino.audit.snapshot import APPLICATION_NAME, CONNECT_TIMEOUT_SECONDS
from casino.sql.schema import SCHEMA
from shared_service.postgres import sessions as postgres_session

STATEMENT_TIMEOUT_MS: Final = 10_000
TELL: Final = """
    select casino.tell(
        ledger.ledger_id, coalesce(player.tenant_id, ledger.tenant_id), 'difference.found', player.player_id, null,
        %(data)s
    )
    from casino.ledgers as ledger
    left join casino.wallets as player
        on player.ledger_id = ledger.ledger_id and player.player_id = %(player_id)s and player.owner_kind = 'player'
    where ledger.ledger_id = %(ledger_id)s
"""


def tell_findings(url: str, ledger_id: int, findings: Iterable[Finding]) -> None:
    """Tell of each finding: the player's tenant, or the ledger's. Raises psycopg.Error, and then nobody was told."""
    with (
        postgres_session.connect(
            url,
            role=SCHEMA.owner_role,
            application_name=APPLICATION_NAME,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            migrated=True,
            statement_timeout=STATEMENT_TIMEOUT_MS,
            lock_timeout=STATEMENT_TIMEOUT_MS,
            idle_in_transaction_session_timeout=STATEMENT_TIMEOUT_MS,
        ) as connection,
        connection.transaction(),
    ):
        for found in findings:
            data = {
                "rule": found.rule, "transactionId": found.transaction_id, "expected": found.expected,
                "found": found.found, "rows": found.rows,
            }  # fmt: skip
            connection.execute(TELL, {"ledger_id": ledger_id, "player_id": found.player_id, "data": Jsonb(data)})
