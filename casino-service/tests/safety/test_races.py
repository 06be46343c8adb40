"""Two pages of one player ask at once, and a page asks while a round ends, on connections of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from casino_testing.risk import Player
from casino_testing.tenant import SET_CLOCK, Tenant
from shared_service_testing.waiting import wait_until

Connection = psycopg.Connection[tuple[Any, ...]]
ASK = """
    select o_code, o_action_type from casino.see_tenant(%(ledger)s, %(tenant)s) as seen
    cross join lateral casino.ask_safety(%(ledger)s, %(player)s, %(session)s) where seen is not null
"""
WAITING = "select count(*) as count from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"


@pytest.fixture
def pages(tenant: Tenant) -> Iterator[tuple[Connection, Connection]]:
    """Two connections, each with a transaction of its own."""
    with psycopg.connect(tenant.url) as first, psycopg.connect(tenant.url) as second:
        yield first, second


def ask(tenant: Tenant, player: Player, page: Connection) -> tuple[Any, ...] | None:
    page.execute(SET_CLOCK, [player.now.isoformat()])
    named = {"ledger": tenant.ledger_id, "tenant": tenant.tenant_id, "player": player.player_id}
    return page.execute(ASK, {**named, "session": player.play_session_id}).fetchone()


def ask_beside(tenant: Tenant, player: Player, pages: tuple[Connection, Connection]) -> list[Any]:
    """What both are told; the second asks while the first has not committed."""
    told = [ask(tenant, player, pages[0])]
    second = threading.Thread(target=lambda: told.append(ask(tenant, player, pages[1])))
    second.start()
    pid = pages[1].info.backend_pid
    wait_until(lambda: tenant.sql(WAITING, pid)[0]["count"] == 1, "the second waits for the first")
    pages[0].commit()
    second.join()
    pages[1].commit()
    return told


def test_an_action_is_shown_once_to_two_pages(
    tenant: Tenant, player: Player, pages: tuple[Connection, Connection]
) -> None:
    player.spins([1_000, 2_000, 3_000, 4_000], paid=9_000, after=10)
    assert player.types() == ["NUDGE"]
    assert ask_beside(tenant, player, pages) == [(None, "NUDGE"), (None, None)]


def test_an_action_that_is_due_is_taken_once_by_two_pages(
    tenant: Tenant, player: Player, pages: tuple[Connection, Connection]
) -> None:
    player.spins([1_000] * 12)
    tenant.sql("delete from casino.safety_actions where player_id = %s", player.player_id)
    assert ask_beside(tenant, player, pages) == [(None, "COOLDOWN"), (None, None)]
    assert player.types() == ["COOLDOWN"]
