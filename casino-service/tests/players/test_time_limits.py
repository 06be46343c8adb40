"""Limits of time inside the debit: what counts as played, and the bet at which a limit is reached."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from casino_testing.desk import Desk
from casino_testing.limits import LimitedPlayer
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet

NOON = datetime(2026, 3, 4, 20, tzinfo=UTC)
"""A Wednesday, noon in Los Angeles."""
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
MIDNIGHT = datetime(2026, 3, 5, 8, tzinfo=UTC)
REFUSED = "session_time_limit"


@pytest.fixture
def player(tenant: Tenant, wallet: Wallet, desk: Desk) -> LimitedPlayer:
    one = LimitedPlayer(tenant, wallet, desk, NOON)
    one.log_in()
    return one


def play(player: LimitedPlayer, minutes: int, *, every: int = 10) -> None:
    """Bet once in ten minutes."""
    for _ in range(minutes // every):
        player.wait(minutes=every)
        player.bet()


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_a_bet_at_which_the_time_is_reached_is_refused(player: LimitedPlayer, period: str) -> None:
    player.set_limit("time", period, 60)
    play(player, 50)
    player.at(NOON + timedelta(minutes=60) - TICK)
    player.bet()
    player.at(NOON + timedelta(minutes=60))
    assert player.try_bet() == REFUSED


def test_a_refusal_is_an_event_and_no_action(player: LimitedPlayer, tenant: Tenant) -> None:
    player.set_limit("time", "day", 0)
    assert player.try_bet() == REFUSED
    codes = [row["code"] for row in tenant.rows("ledger_events") if row["event_type"] == "ERROR"]
    assert (codes, tenant.rows("safety_actions")) == ([REFUSED], [])


def test_time_runs_to_the_first_bet_from_the_login(player: LimitedPlayer) -> None:
    player.set_limit("time", "day", 60)
    player.wait(minutes=60)
    assert player.try_bet() == REFUSED


def test_time_does_not_run_from_a_bet_to_the_next_login(player: LimitedPlayer) -> None:
    player.set_limit("time", "day", 60)
    play(player, 50)
    player.wait(hours=3)
    player.log_in()
    player.wait(minutes=9)
    player.bet()
    player.wait(minutes=1)
    assert player.try_bet() == REFUSED


@pytest.mark.parametrize(
    ("pause", "played_minutes"), [(15 * MINUTE - TICK, 25), (15 * MINUTE, 10)], ids=["too short", "long enough"]
)
@pytest.mark.parametrize("limited", ["before", "after"])
def test_a_login_ends_the_clock_of_a_pause_of_fifteen_minutes_or_more(
    player: LimitedPlayer, pause: timedelta, played_minutes: int, limited: str
) -> None:
    """Red before: whoever logged in before every bet played without end. It is the same in the history."""
    if limited == "before":
        player.set_limit("time", "day", 1_000)
    player.bet()
    player.at(NOON + pause)
    player.log_in()
    player.at(NOON + 25 * MINUTE)
    player.bet()
    if limited == "after":
        player.set_limit("time", "day", 1_000)
    assert player.counters()["day_played"] == played_minutes * MINUTE


def test_a_login_before_every_bet_stops_no_clock(player: LimitedPlayer) -> None:
    player.set_limit("time", "day", 60)
    player.bet()
    for _ in range(5):
        player.wait(minutes=10)
        player.log_in()
        player.bet()
    player.wait(minutes=10)
    player.log_in()
    assert player.try_bet() == REFUSED


def test_time_runs_from_bet_to_bet_without_a_login(player: LimitedPlayer) -> None:
    player.set_limit("time", "day", 120)
    player.bet()
    player.wait(minutes=119)
    player.bet()
    player.wait(minutes=1)
    assert player.try_bet() == REFUSED


def test_time_that_a_refusal_reached_stays_reached_after_another_login(player: LimitedPlayer) -> None:
    player.set_limit("time", "day", 60)
    play(player, 30)
    player.wait(minutes=30)
    refused = player.draft()
    assert player.wallet.run(refused).code == REFUSED
    assert player.wallet.run(refused).replay
    assert player.counters()["day_played"] == 60 * MINUTE
    player.wait(minutes=10)
    player.log_in()
    assert player.try_bet() == REFUSED
    player.at(MIDNIGHT)
    player.log_in()
    player.bet()


def test_wins_and_rollbacks_land_and_take_no_time(player: LimitedPlayer) -> None:
    player.set_limit("time", "day", 60)
    player.wait(minutes=30)
    bets = [player.bet() for _ in range(2)]
    player.wait(minutes=30)
    assert player.try_bet() == REFUSED
    player.win(bets[0], 500)
    player.take_back(bets[1])
    assert player.counters()["day_played"] == 60 * MINUTE


def test_only_the_part_inside_a_period_counts(player: LimitedPlayer) -> None:
    player.at(MIDNIGHT - timedelta(minutes=20))
    player.log_in()
    player.set_limit("time", "month", 1_000)
    player.bet()
    player.at(MIDNIGHT + timedelta(minutes=15))
    player.bet()
    row = player.counters()
    assert (row["day_played"], row["week_played"]) == (15 * MINUTE, 35 * MINUTE)


def test_a_payout_after_midnight_hides_no_time(player: LimitedPlayer) -> None:
    """The counters are of the new day before the first bet of that day comes."""
    player.at(MIDNIGHT - timedelta(minutes=20))
    player.log_in()
    player.set_limit("time", "day", 1_000)
    bet = player.bet()
    player.at(MIDNIGHT + timedelta(minutes=5))
    player.win(bet, 1)
    player.at(MIDNIGHT + timedelta(minutes=15))
    player.bet()
    row = player.counters()
    assert (row["day_played"], row["week_played"]) == (15 * MINUTE, 35 * MINUTE)


def test_a_limit_of_no_minutes_refuses_every_bet(player: LimitedPlayer) -> None:
    player.set_limit("time", "day", 0)
    assert player.try_bet() == REFUSED


def test_a_limit_of_the_most_minutes_is_no_error(player: LimitedPlayer) -> None:
    for period in ("month", "week", "day"):
        player.set_limit("time", period, 10**12)
    player.bet()


@pytest.mark.parametrize("again", [False, True], ids=["one login", "a second login"])
def test_time_that_was_played_before_the_limit_was_set_counts(player: LimitedPlayer, again: bool) -> None:
    play(player, 30)
    player.wait(hours=2)
    if again:
        player.log_in()
    play(player, 20)
    player.set_limit("time", "day", 1_000)
    assert player.counters()["day_played"] == (50 if again else 170) * MINUTE
    player.set_limit("time", "day", 60 if again else 180)
    player.wait(minutes=10)
    assert player.try_bet() == REFUSED


def test_before_the_limit_too_only_the_part_inside_a_period_counted(player: LimitedPlayer) -> None:
    player.at(MIDNIGHT - timedelta(minutes=20))
    player.log_in()
    player.bet()
    player.at(MIDNIGHT + timedelta(minutes=15))
    player.bet()
    player.set_limit("time", "day", 1_000)
    row = player.counters()
    assert (row["day_played"], row["week_played"]) == (15 * MINUTE, 35 * MINUTE)


def test_a_time_limit_is_answered_after_a_loss_limit(player: LimitedPlayer) -> None:
    player.set_limit("time", "day", 0)
    player.set_limit("loss", "day", 0)
    assert player.try_bet() == "limit_exceeded"
    assert player.counters()["day_played"] == 0 * MINUTE
