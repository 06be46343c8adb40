"""Loads the demo data of docs/protocol.md, section 9: a tenant, two games, two players. Keeps existing rows."""

from __future__ import annotations

from typing import Final

from casino.sql.schema import SCHEMA
from shared_service.postgres import sessions as postgres_session

TENANT: Final = ("JAQPOT", "Jaqpot Casino")
LEDGER_ID: Final = 1
CURRENCY: Final = "USD"
OPENING_BALANCE_MINOR: Final = 1_000_000
STAKE_RANGE_MINOR: Final = (1_000, 100_000)
PLAYERS: Final = (("1", "alice"), ("2", "bob"))
GAMES: Final = (
    ("1", "SLOTS_001", "Slots"),
    ("2", "CRASH_001", "Crash"),
    ("3", "SLOTS_002", "More slots"),
    ("4", "CRASH_002", "Another crash"),
)


def seed_demo(owner_url: str) -> None:
    """Load the demo data as the schema's owner. May be repeated."""
    with (
        postgres_session.connect(
            owner_url, role=SCHEMA.owner_role, application_name="casino-seed-demo", migrated=True
        ) as connection,
        connection.transaction(),
    ):
        connection.execute(
            "insert into casino.tenants (tenant_id, display_name) values (%s, %s) on conflict do nothing", TENANT
        )
        connection.execute(
            "insert into casino.ledgers (ledger_id, tenant_id) values (%s, %s) on conflict do nothing",
            (LEDGER_ID, TENANT[0]),
        )
        for game in GAMES:
            connection.execute(
                "insert into casino.games"
                " (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
                " values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
                (TENANT[0], *game, *STAKE_RANGE_MINOR),
            )
        for player_id, name in PLAYERS:
            connection.execute(
                "select casino.open_player(%s, %s, %s, %s, %s, %s)",
                (TENANT[0], player_id, name, CURRENCY, OPENING_BALANCE_MINOR, LEDGER_ID),
            )
