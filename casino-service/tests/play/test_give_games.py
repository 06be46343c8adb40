"""Which games a tenant has: those of its nearest ancestor, and at a new top every game of provider main."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from casino_testing.service import login_url
from casino_testing.tenant import Row, Tenant

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def application(tenant: Tenant) -> Iterator[Connection]:
    """The login that serves, in its role."""
    with psycopg.connect(login_url(tenant.url), autocommit=True, options="-c role=casino_app") as connection:
        yield connection


def new_top(tenant: Tenant) -> str:
    tenant_id = f"{tenant.tenant_id}-TOP"
    tenant.sql(
        "insert into casino.tenants (tenant_id, display_name, ledger_id) values (%s, 'A top', %s)",
        tenant_id,
        tenant.ledger_id,
    )
    return tenant_id


def give(tenant: Tenant, tenant_id: str) -> int:
    return int(tenant.sql("select casino.give_games(%s, %s) as given", tenant.ledger_id, tenant_id)[0]["given"])


def games_of(tenant: Tenant, tenant_id: str) -> dict[str, Row]:
    rows = tenant.sql("select * from casino.games where tenant_id = %s order by game_id", tenant_id)
    return {row["game_code"]: row for row in rows}


def note(application: Connection, tenant: Tenant, provider_id: str, *games: dict[str, Any]) -> int:
    row = application.execute(
        "select casino.note_provider_games(%s, %s, %s::jsonb)", (tenant.ledger_id, provider_id, json.dumps(games))
    ).fetchone()
    assert row is not None
    return int(row[0])


def new_game(rtp: float | None = 0.95) -> dict[str, Any]:
    return {"gameCode": f"GAME_{uuid.uuid4().hex[:8]}", "name": "A game", "expectedRtp": rtp}


def find(tenant: Tenant, tenant_id: str, game_id: str) -> str | None:
    row = tenant.sql("select game_code from casino.find_game(%s, %s, %s)", tenant.ledger_id, tenant_id, game_id)[0]
    found: str | None = row["game_code"]
    return found


def test_a_new_top_has_every_game_of_main_with_stakes_from_1_to_100_000(tenant: Tenant) -> None:
    tenant.add_games_of("acme")
    top = new_top(tenant)
    assert find(tenant, top, "1") is None
    assert give(tenant, top) >= 2
    found = games_of(tenant, top)
    assert {"SLOTS_001", "CRASH_001"} <= set(found)
    assert "SLOTS_002" not in found or found["SLOTS_002"]["provider_id"] == "main"
    assert {(row["stake_min_minor"], row["stake_max_minor"], row["provider_id"]) for row in found.values()} == {
        (1, 100_000, "main")
    }
    assert found["SLOTS_001"]["game_id"] == "1", "a game has the id that it has at the ledger's tenant"
    assert give(tenant, top) == 0, "given once"


def test_a_game_that_the_studio_adds_is_given_to_those_who_take_all(tenant: Tenant, application: Connection) -> None:
    top, game = new_top(tenant), new_game()
    give(tenant, top)
    assert note(application, tenant, "main", game) == 1
    assert games_of(tenant, top)[game["gameCode"]]["game_id"] == game["gameCode"]
    assert game["gameCode"] not in games_of(tenant, tenant.tenant_id), "this tenant has the games that it was given"
    assert note(application, tenant, "main", game) == 0
    assert note(application, tenant, "main", {**game, "expectedRtp": 0.9}) == 1, "another return is news"


def test_a_round_of_a_given_game_pays_at_most_what_the_studio_states(tenant: Tenant, application: Connection) -> None:
    """Red before: the fallback of the ledger, a hundred times as much."""
    top, game = new_top(tenant), {**new_game(), "maxWinMinor": 5_000_000}
    give(tenant, top)
    note(application, tenant, "main", game)
    assert games_of(tenant, top)[game["gameCode"]]["win_cap_minor"] == 5_000_000
    assert note(application, tenant, "main", {**game, "maxWinMinor": 4_000_000}) == 1, "another cap is news"


def test_a_game_of_another_provider_is_given_to_nobody(tenant: Tenant, application: Connection) -> None:
    top, game = new_top(tenant), new_game(None)
    give(tenant, top)
    assert note(application, tenant, "acme", game) == 1
    assert game["gameCode"] not in games_of(tenant, top)


def test_what_a_tenant_changed_stays(tenant: Tenant, application: Connection) -> None:
    top = new_top(tenant)
    give(tenant, top)
    tenant.sql("update casino.games set disabled_at = now(), stake_max_minor = 7 where tenant_id = %s", top)
    note(application, tenant, "main", new_game())
    assert games_of(tenant, top)["SLOTS_001"]["stake_max_minor"] == 7
    assert games_of(tenant, top)["SLOTS_001"]["disabled_at"] is not None


def test_a_tenant_that_is_not_there_is_given_nothing(tenant: Tenant) -> None:
    assert give(tenant, "NOBODY") == 0


def test_a_game_is_found_by_its_id_or_its_code_at_the_nearest_tenant_that_has_games(tenant: Tenant) -> None:
    middle, below = tenant.add_tenant_below("a"), tenant.add_tenant_below("b", parent=f"{tenant.tenant_id}-a")
    for asked in ("1", "SLOTS_001"):
        assert [find(tenant, each, asked) for each in (tenant.tenant_id, middle, below)] == ["SLOTS_001"] * 3
    tenant.sql(
        "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
        " values (%s, 'SLOTS_001', 'OTHER', 'Other', 1, 2)",
        middle,
    )
    assert find(tenant, below, "SLOTS_001") == "OTHER", "an id goes before a code"
    assert find(tenant, below, "1") is None, "games of the nearest tenant that has any"
