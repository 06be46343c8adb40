"""casino.take_games as whoever has the serving login may call it: with anything, and past the file of providers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from casino.peers.entries import AMOUNT_MAX_MINOR
from casino_testing.processes import held_transaction
from casino_testing.service import login_url
from casino_testing.tenant import SLOTS, Row, Tenant
from shared_service_testing.waiting import wait_until

Connection = psycopg.Connection[tuple[Any, ...]]
WAITS = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%%take_games%%' and pid = %s"


@pytest.fixture
def application(tenant: Tenant) -> Iterator[Connection]:
    """The login that serves, in its role."""
    with psycopg.connect(login_url(tenant.url), autocommit=True, options="-c role=casino_app") as connection:
        yield connection


def game(game_id: str = "7", **more: Any) -> dict[str, Any]:
    usual = {"providerId": "acme", "gameId": game_id, "gameCode": f"CODE_{game_id}", "name": "Slots of acme"}
    return {**usual, "minBet": 1_000, "maxBet": 100_000, "maxWin": None, "twoParty": False, **more}


def take(application: Connection, tenant_id: str, *games: dict[str, Any]) -> str | None:
    row = application.execute("select casino.take_games(%s, %s::jsonb)", (tenant_id, json.dumps(games))).fetchone()
    assert row is not None
    refusal: str | None = row[0]
    return refusal


def games_of(tenant: Tenant, tenant_id: str | None = None) -> list[Row]:
    return tenant.sql("select * from casino.games where tenant_id = %s order by game_id", tenant_id or tenant.tenant_id)


@pytest.mark.parametrize("provider", ["main", None])
@pytest.mark.parametrize("game_id", [SLOTS, "7"])
def test_it_changes_no_game_of_the_environments_provider_and_adds_none(
    application: Connection, tenant: Tenant, game_id: str, provider: str | None
) -> None:
    before = games_of(tenant)
    refusal = take(application, tenant.tenant_id, game("6"), game(game_id, providerId=provider, maxWin=10**15))
    assert refusal == f"game {game_id} is of main: a file adds games of further providers"
    assert games_of(tenant) == before


def test_it_changes_no_game_of_another_provider_than_the_one_that_it_is_named_with(
    application: Connection, tenant: Tenant
) -> None:
    assert take(application, tenant.tenant_id, game("7"), game("8", providerId="other")) is None
    before = games_of(tenant)
    for game_id, owner in ((SLOTS, "main"), ("8", "other")):
        refusal = take(application, tenant.tenant_id, game("7", maxWin=9), game(game_id, maxWin=9))
        assert refusal == f"game {game_id} belongs to provider {owner}"
    assert games_of(tenant) == before


def test_a_game_that_the_operator_adds_at_that_moment_stays_the_operators(
    application: Connection, tenant: Tenant
) -> None:
    def call() -> None:
        with suppress(psycopg.errors.LockNotAvailable):  # on a slow machine nothing is done, and the service asks again
            take(application, tenant.tenant_id, game("7", maxWin=9))

    with held_transaction(tenant) as operator:
        operator.execute(
            "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
            " values (%s, '7', 'OURS', 'Ours', 1, 2)",
            [tenant.tenant_id],
        )
        thread = threading.Thread(target=call)
        thread.start()
        wait_until(lambda: not thread.is_alive() or bool(tenant.sql(WAITS, application.info.backend_pid)), "it waits")
        operator.commit()
        thread.join()
    (ours,) = [row for row in games_of(tenant) if row["game_id"] == "7"]
    assert (ours["provider_id"], ours["game_code"], ours["win_cap_minor"]) == ("main", "OURS", None)


@pytest.mark.parametrize("member", ["maxBet", "maxWin"])
def test_its_amounts_are_those_that_a_file_may_have(application: Connection, tenant: Tenant, member: str) -> None:
    refusal = take(application, tenant.tenant_id, game("7", **{member: AMOUNT_MAX_MINOR + 1}))
    assert refusal == f"game 7 has an amount above {AMOUNT_MAX_MINOR}"
    assert take(application, tenant.tenant_id, game("7", **{member: AMOUNT_MAX_MINOR})) is None


def test_a_tenant_that_has_the_games_of_the_tenant_above_keeps_them(application: Connection, tenant: Tenant) -> None:
    """Its first own game would hide them all."""
    below = tenant.add_tenant_below("A")
    refusal = take(application, below, game())
    assert refusal is not None
    assert refusal.startswith(f"the tenant {below} has the games of the tenant above it")
    assert games_of(tenant, below) == []
    assert take(application, below) is None, "a file without games is none of its business"
    tenant.sql(
        "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
        " values (%s, '1', 'OWN', 'Own', 1, 2)",
        below,
    )
    assert take(application, below, game()) is None
    assert [row["game_id"] for row in games_of(tenant, below)] == ["1", "7"]
