"""A play session begins beside a batch that bets in two games launched before it, on connections of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from casino.client.commands import revoke
from casino_testing.desk import Desk
from casino_testing.limits import LimitedPlayer, count
from casino_testing.processes import held_transaction
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet, new_id
from shared_service_testing.waiting import wait_until

NOON = datetime(2026, 3, 4, 20, tzinfo=UTC)
CAN_LOG_IN = """
    update casino.players set login_code_mac = %s, pin_mac = 'pin' where ledger_id = %s and player_id = '1'
"""
WAITING = """
    select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() and query like %s
"""


@pytest.fixture
def player(tenant: Tenant, wallet: Wallet, desk: Desk) -> LimitedPlayer:
    one = LimitedPlayer(tenant, wallet, desk, NOON)
    one.log_in()
    return one


def bet_in_two_games_beside(player: LimitedPlayer, *, reverse: bool, comes: Callable[[], Any], named: str) -> Any:
    """What comes while a batch has bet in one of the games, and is about to bet in the other."""
    tenant, told = player.tenant, []
    count(tenant)
    player.wait(hours=5, minutes=50)
    games = [player.wallet.open_session() for _ in range(2)]
    player.wait(minutes=10)
    bets = [game.debit(1_000, round_id=new_id("round")) for game in games]
    if reverse:
        bets.reverse()
    batch = threading.Thread(target=lambda: told.append(player.wallet.run_batch(bets)))
    comer = threading.Thread(target=lambda: told.append(comes()))
    with held_transaction(tenant) as blocker:
        blocker.execute("select from casino.limit_counters where ledger_id = %s for update", [tenant.ledger_id])
        for thread, query in ((batch, "execute_wallet_commands"), (comer, named)):
            thread.start()
            wait_until(lambda: bool(tenant.sql(WAITING, f"%{query}%")), f"{query} waits")  # noqa: B023
    for thread in (batch, comer):
        thread.join()
    assert [row["state"] for row in tenant.transactions()] == ["committed"] * 2
    (came,) = [each for each in told if not isinstance(each, list)]
    return came


@pytest.mark.parametrize("reverse", [False, True])
def test_a_login_beside_a_batch_of_two_games(player: LimitedPlayer, tenant: Tenant, desk: Desk, reverse: bool) -> None:
    """Red before: the login held one game and waited for the other, as the batch did the other way round."""
    code = new_id("code").encode()
    tenant.sql(CAN_LOG_IN, code, tenant.ledger_id)
    login = bet_in_two_games_beside(
        player, reverse=reverse, named="login_player",
        comes=lambda: desk.call("login_player", new_id("name"), code, b"pin", "request", None),
    )  # fmt: skip
    assert login["o_code"] is None
    assert {row["play_session_id"] for row in tenant.rows("game_sessions")} == {player.running()}


@pytest.mark.parametrize("reverse", [False, True])
def test_a_launch_beside_a_batch_of_two_games(
    player: LimitedPlayer, tenant: Tenant, connect_wallet: Callable[[], Wallet], reverse: bool
) -> None:
    other = connect_wallet()
    other.set_clock(player.now + timedelta(hours=6))
    bet_in_two_games_beside(player, reverse=reverse, comes=other.open_session, named="open_session")
    assert {row["play_session_id"] for row in tenant.rows("game_sessions")} == {player.running()}


@pytest.mark.parametrize("reverse", [False, True])
def test_a_revocation_beside_a_batch_of_two_games(player: LimitedPlayer, tenant: Tenant, reverse: bool) -> None:
    def revoked() -> int:
        with psycopg.connect(tenant.url) as connection:
            told = revoke(connection, tenant.ledger_id, "1")
            assert told is not None
            return told[1]

    assert bet_in_two_games_beside(player, reverse=reverse, comes=revoked, named="array_agg(wallet_id)") == 2
