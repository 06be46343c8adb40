"""The loss limit of a play session: lowered and never raised, and where it ends."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from casino.wallet.commands import BalanceRequest, token_hash
from casino_testing.desk import Desk
from casino_testing.limits import LimitedPlayer
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet

NOON = datetime(2026, 3, 4, 20, tzinfo=UTC)


@pytest.fixture
def player(tenant: Tenant, wallet: Wallet, desk: Desk) -> LimitedPlayer:
    one = LimitedPlayer(tenant, wallet, desk, NOON)
    one.log_in()
    return one


def test_it_is_lowered_and_never_raised(player: LimitedPlayer) -> None:
    assert [player.set_session_limit(value) for value in (5_000, 5_000, 3_000)] == [None] * 3
    assert [player.set_session_limit(value) for value in (3_001, 5_000)] == ["LOSS_LIMIT_LOCKED"] * 2
    assert player.set_session_limit(0) is None
    assert player.try_bet() == "limit_exceeded"


def test_each_change_is_told_and_the_same_value_again_is_none(player: LimitedPlayer, tenant: Tenant) -> None:
    for value in (5_000, 5_000, 3_000):
        player.set_session_limit(value)
    told = [row for row in tenant.rows("ledger_events") if row["event_type"] == "LIMIT_CHANGED"]
    assert sorted((row["amount_minor"], row["code"], row["player_id"]) for row in told) == [
        (3_000, "loss session", "1"), (5_000, "loss session", "1"),
    ]  # fmt: skip


def test_a_login_within_six_hours_continues_the_same_one(player: LimitedPlayer) -> None:
    player.set_session_limit(2_000)
    player.bet(1_000)
    player.wait(hours=5, minutes=59)
    player.log_in()
    assert player.try_bet(1_000) == "limit_exceeded"


def test_another_play_session_begins_without_it(player: LimitedPlayer) -> None:
    player.set_session_limit(2_000)
    open_bet = player.bet(1_500)
    player.wait(hours=6)
    player.log_in()
    player.bet(5_000)
    player.set_session_limit(7_000)
    player.win(open_bet, 1_500)
    assert player.try_bet(2_000) == "limit_exceeded", "a payout of the play session before counts there"
    player.bet(1_999)


def test_a_rollback_in_another_play_session_gives_it_nothing(player: LimitedPlayer) -> None:
    player.set_session_limit(2_000)
    open_bet = player.bet(1_500)
    player.wait(hours=6)
    player.log_in()
    player.set_session_limit(2_000)
    player.bet(1_000)
    player.take_back(open_bet)
    assert player.try_bet(1_000) == "limit_exceeded"


def test_a_game_that_was_launched_before_the_play_session_ended_counts_in_the_next(
    player: LimitedPlayer,
) -> None:
    """Red before: bets of the tab that was open escaped the limit of the session that a login began."""
    player.wait(hours=5, minutes=50)
    session = player.session()
    player.wait(minutes=10)
    player.log_in()
    player.set_session_limit(1_000)
    assert player.wallet.run(session.debit(1_000)).code == "limit_exceeded"


@pytest.mark.parametrize("which", ["unknown", "another player's", "over", "none"])
def test_only_the_own_play_session_that_runs_has_one(
    player: LimitedPlayer, tenant: Tenant, desk: Desk, which: str
) -> None:
    named = {"unknown": uuid.uuid4(), "over": player.running(), "none": None}.get(which)
    if which == "another player's":
        named = tenant.sql("select casino.begin_play_session(%s, '2') as id", tenant.ledger_id)[0]["id"]
    if which == "over":
        player.wait(hours=6)
        player.log_in()
    assert desk.call("set_session_limit", "1", named, 5)["o_code"] == "NOT_FOUND"
    assert [row["loss_limit_minor"] for row in tenant.rows("play_sessions")] == [None] * len(
        tenant.rows("play_sessions")
    )


def test_nobody_sets_one_of_a_player_out_of_sight(player: LimitedPlayer, tenant: Tenant) -> None:
    below = Desk(tenant, tenant.add_tenant_below("AGENT"))
    assert below.call("set_session_limit", "1", player.running(), 5)["o_code"] == "NOT_FOUND"
    below.close()


def test_an_exclusion_in_mid_game_takes_the_next_bet_and_nothing_else(player: LimitedPlayer, desk: Desk) -> None:
    bets = [player.bet() for _ in range(2)]
    session = player.session()
    desk.call("exclude_player", "1", "P7D", None, "player", "1")
    assert player.wallet.run(session.debit(1_000, round_id="next")).code == "player_excluded"
    player.win(bets[0], 5_000)
    player.take_back(bets[1])
    player.at(NOON + timedelta(days=7) - timedelta(microseconds=1))
    assert player.tenant.wallet()["excluded_until"] > player.now
    player.at(NOON + timedelta(days=7))
    player.log_in()
    player.bet()


@pytest.fixture
def kept_open(player: LimitedPlayer) -> Session:
    """A game that asks for its balance until its play session is over, and with which the next one begins.

    3,000 were lost in the play session before, the half of it with a bet that is still open.
    """
    session = player.session()
    player.win(player.bet(1_500), 0)
    open_bet = session.debit(1_500, round_id="open", transaction_id="open")
    player.wallet.accept(open_bet)
    for _ in range(15):
        player.wait(minutes=25)
        player.wallet.balances([BalanceRequest(session.provider_id, token_hash(session.token), player.player_id)])
    player.log_in()
    return session


def test_what_was_lost_before_in_a_game_that_stayed_open_is_not_lost_in_the_next_play_session(
    player: LimitedPlayer, kept_open: Session
) -> None:
    """Red before: the first limit that a player set counted all that the game ever took."""
    player.set_session_limit(2_000)
    assert player.counters()["session_loss_minor"] == 0
    player.wallet.accept(kept_open.debit(1_999, round_id="next"))
    net = "select casino.play_session_net(play_sessions) as net from casino.play_sessions where play_session_id = %s"
    assert player.tenant.sql(net, player.running()) == [{"net": -1_999}]


def test_a_rollback_of_a_bet_before_gives_the_next_play_session_nothing_in_a_game_that_stayed_open(
    player: LimitedPlayer, kept_open: Session
) -> None:
    """Red before: a bet of yesterday that was taken back let the player lose more than the limit."""
    player.set_session_limit(3_000)
    player.wallet.accept(kept_open.debit(1_000, round_id="next"))
    player.wallet.accept(kept_open.rollback("open", round_id="open"))
    assert player.wallet.run(kept_open.debit(2_000, round_id="one more")).code == "limit_exceeded"
    player.wallet.accept(kept_open.debit(1_999, round_id="less"))
