"""A play session: begun by a login when none runs, and over six hours after its last login or bet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from casino.players import play_sessions
from casino.players.play_sessions import PlaySessions
from casino.sql.schema import database_for
from casino_testing.service import settings_of
from casino_testing.tenant import SET_CLOCK, Tenant
from casino_testing.wallet import Wallet

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def at(tenant: Tenant) -> Callable[[datetime], None]:
    """Sets the clock of the arranging connection."""
    tenant.make_clock_settable()
    return lambda now: tenant.sql(SET_CLOCK, now.isoformat()) and None


def log_in(tenant: Tenant, player_id: str = "1") -> Any:
    return tenant.sql("select casino.begin_play_session(%s, %s) as id", tenant.ledger_id, player_id)[0]["id"]


def running(tenant: Tenant, player_id: str = "1") -> Any:
    return tenant.sql("select casino.running_play_session(%s, %s) as id", tenant.ledger_id, player_id)[0]["id"]


def test_a_login_begins_one_with_the_balance_of_that_moment(tenant: Tenant) -> None:
    first = log_in(tenant)
    (row,) = tenant.rows("play_sessions")
    assert (row["play_session_id"], row["opening_balance_minor"], row["ended_at"]) == (first, tenant.balance(), None)
    assert row["check_due_at"] == row["started_at"] + timedelta(minutes=60)
    assert running(tenant) == first


def test_a_login_within_six_hours_continues_it(tenant: Tenant, at: Callable[[datetime], None]) -> None:
    at(NOON)
    first = log_in(tenant)
    at(NOON + timedelta(hours=5, minutes=59))
    assert log_in(tenant) == first
    at(NOON + timedelta(hours=11, minutes=58))
    assert running(tenant) == first
    assert log_in(tenant) == first


def test_it_is_over_six_hours_after_its_last_login(tenant: Tenant, at: Callable[[datetime], None]) -> None:
    at(NOON)
    first = log_in(tenant)
    at(NOON + timedelta(hours=6))
    assert running(tenant) is None
    assert log_in(tenant) != first
    (ended,) = [row for row in tenant.rows("play_sessions") if row["play_session_id"] == first]
    assert ended["ended_at"] == NOON + timedelta(hours=6)


def test_a_bet_keeps_it_going(tenant: Tenant, wallet: Wallet, at: Callable[[datetime], None]) -> None:
    at(NOON)
    first = log_in(tenant)
    wallet.set_clock(NOON + timedelta(hours=4))
    session = wallet.open_session()
    bet = wallet.bet(session)
    wallet.set_clock(NOON + timedelta(hours=4, minutes=20))
    wallet.accept(session.credit(related_id=bet.transaction_id))  # no bet
    at(NOON + timedelta(hours=9, minutes=59))
    assert running(tenant) == first
    at(NOON + timedelta(hours=10))
    assert running(tenant) is None


def test_a_player_has_one_of_their_own(tenant: Tenant) -> None:
    assert log_in(tenant, "1") != log_in(tenant, "2")
    assert log_in(tenant, "nobody") is None


OVER = "update casino.play_sessions set last_login_at = now() - interval '7 hours' where ledger_id = %s"
RUNNING = "select count(*) as times from casino.play_sessions where ledger_id = %s and ended_at is null"


async def test_the_loop_ends_play_sessions_page_by_page(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play_sessions, "PAGE", 2)
    for player_id in ("1", "2", "3", "4", "5"):
        tenant.open_player(player_id)
        log_in(tenant, player_id)
    async with database_for(settings_of(tenant)) as database:
        sessions = PlaySessions(database, tenant.ledger_id)
        assert not await sessions.end_some()
        tenant.sql(OVER, tenant.ledger_id)
        assert [await sessions.end_some() for _ in range(4)] == [True, True, False, False]
    assert tenant.sql(RUNNING, tenant.ledger_id) == [{"times": 0}]
