"""What providers say that their games pay back becomes casino.game_configs, beside what the operator says."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from casino_testing.tenant import Tenant

NOTE = "select casino.note_provider_games(%s, %s, %s)"


def say(tenant: Tenant, rtp: float | None, provider_id: str = "main") -> None:
    games = [{"gameCode": "SLOTS_001", "name": "Slots", "expectedRtp": rtp}]
    tenant.sql(NOTE, tenant.ledger_id, provider_id, Jsonb(games))


def configs(tenant: Tenant) -> list[tuple[Any, ...]]:
    rows = sorted(tenant.rows("game_configs"), key=lambda row: row["since"])
    return [(row["game_key"], float(row["expected_rtp"]), row["stated_by"]) for row in rows]


def test_what_a_provider_says_is_noted_when_it_changes(tenant: Tenant) -> None:
    for rtp in (None, 0.95, 0.95, 0.96, None, 0.96):
        say(tenant, rtp)
    assert configs(tenant) == [("SLOTS_001", 0.95, "provider"), ("SLOTS_001", 0.96, "provider")]


def test_what_the_operator_says_stays_until_the_provider_says_something_else(tenant: Tenant) -> None:
    say(tenant, 0.95)
    tenant.sql(
        "insert into casino.game_configs values (%s, %s, 'SLOTS_001', now(), 0.9, 'operator')",
        tenant.ledger_id, tenant.tenant_id,
    )  # fmt: skip
    say(tenant, 0.95)
    assert configs(tenant)[-1] == ("SLOTS_001", 0.9, "operator")
    say(tenant, 0.97)
    assert configs(tenant)[-1] == ("SLOTS_001", 0.97, "provider")


def test_a_tenant_without_the_game_gets_none(tenant: Tenant) -> None:
    tenant.sql("delete from casino.games where tenant_id = %s and game_code = 'SLOTS_001'", tenant.tenant_id)
    say(tenant, 0.95)
    say(tenant, 0.5, "another provider")
    assert configs(tenant) == []
