"""Limits of losses inside the debit: each boundary of amounts, and what counts in which period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from casino_testing.desk import Desk
from casino_testing.limits import LimitedPlayer
from casino_testing.tenant import Row, Tenant
from casino_testing.wallet import Wallet

NOON = datetime(2026, 3, 4, 20, tzinfo=UTC)
"""A Wednesday, noon in Los Angeles."""
TICK = timedelta(microseconds=1)
Set = Callable[[LimitedPlayer, int], object]
LIMITS: list[Set] = [
    lambda player, value: player.set_session_limit(value),
    lambda player, value: player.set_limit("loss", "day", value),
    lambda player, value: player.set_limit("loss", "week", value),
    lambda player, value: player.set_limit("loss", "month", value),
]
NAMES = ("session", "day", "week", "month")
each_limit = pytest.mark.parametrize("set_limit", LIMITS, ids=NAMES)


@pytest.fixture
def player(tenant: Tenant, wallet: Wallet, desk: Desk) -> LimitedPlayer:
    tenant.set_game(stake_min_minor=1)
    one = LimitedPlayer(tenant, wallet, desk, NOON)
    one.log_in()
    return one


def actions(tenant: Tenant) -> list[Row]:
    """The safety actions, the oldest first."""
    return sorted(tenant.rows("safety_actions"), key=lambda row: row["action_id"])


def test_a_player_without_limits_is_not_counted(player: LimitedPlayer, tenant: Tenant) -> None:
    player.set_limit("deposit", "day", 1)
    player.bet()
    assert (tenant.rows("limit_counters"), tenant.wallet()["has_limits"]) == ([], False)


@each_limit
def test_a_stake_that_would_reach_the_limit_is_refused(player: LimitedPlayer, set_limit: Set) -> None:
    """The platform's own example: with 1,500 after a net loss of 1,400, a stake of 100 is refused and 99 accepted."""
    set_limit(player, 1_500)
    player.bet(1_400)
    assert player.try_bet(100) == "limit_exceeded"
    player.bet(99)
    assert player.try_bet(1) == "limit_exceeded"


@pytest.mark.parametrize(("set_limit", "period"), [*zip(LIMITS, NAMES, strict=True)], ids=NAMES)
def test_the_evidence_of_a_refusal_names_the_limit(
    player: LimitedPlayer, tenant: Tenant, set_limit: Set, period: str
) -> None:
    """Red before: it said the stake alone. A limit that is not reached is beside each."""
    set_limit(player, 1_500)
    for each in NAMES[NAMES.index(period) + 1 :]:
        player.set_limit("loss", each, 9_000)
    player.bet(1_400)
    assert player.try_bet(100) == "limit_exceeded"
    (action,) = actions(tenant)
    said = {key: action["evidence"][key] for key in ("stakeMinor", "period", "limitMinor", "lossMinor")}
    assert said == {"stakeMinor": 100, "period": period, "limitMinor": 1_500, "lossMinor": 1_400}


def test_the_first_limit_that_is_reached_is_named(player: LimitedPlayer, tenant: Tenant) -> None:
    """In the order session, day, week, month; of several refusals in one batch each as its own turn saw it."""
    player.set_limit("loss", "month", 1_400)
    player.set_limit("loss", "day", 1_000)
    player.set_session_limit(1_200)
    outcomes = player.wallet.run_batch([player.draft(amount) for amount in (1_500, 900, 100, 50)])
    assert [outcome.code for outcome in outcomes] == ["limit_exceeded", None, "limit_exceeded", None]
    said = [tuple(row["evidence"][key] for key in ("period", "limitMinor", "lossMinor")) for row in actions(tenant)]
    assert said == [("session", 1_200, 0), ("day", 1_000, 900)]


@each_limit
def test_what_was_lost_before_the_limit_was_set_counts(player: LimitedPlayer, set_limit: Set) -> None:
    player.win(player.bet(2_000), 600)
    player.take_back(player.bet(5_000))
    set_limit(player, 1_500)
    assert player.try_bet(100) == "limit_exceeded"
    player.bet(99)


@each_limit
def test_whoever_is_ahead_may_lose_the_winnings_too(player: LimitedPlayer, set_limit: Set) -> None:
    set_limit(player, 1_500)
    player.win(player.bet(1_000), 4_000)
    assert player.try_bet(4_500) == "limit_exceeded"
    player.bet(4_499)


@each_limit
def test_a_limit_of_zero_lets_nothing_be_lost_but_winnings(player: LimitedPlayer, set_limit: Set) -> None:
    before = player.bet(1_000)
    set_limit(player, 0)
    assert player.try_bet(1) == "limit_exceeded"
    player.win(before, 1_002)
    assert player.try_bet(2) == "limit_exceeded"
    player.bet(1)


@each_limit
def test_a_bet_that_is_taken_back_does_not_count(player: LimitedPlayer, set_limit: Set) -> None:
    set_limit(player, 1_500)
    bet = player.bet(1_499)
    assert player.try_bet(1) == "limit_exceeded"
    player.take_back(bet)
    player.bet(1_499)


@each_limit
def test_refused_bets_and_replays_do_not_count(player: LimitedPlayer, set_limit: Set) -> None:
    set_limit(player, 1_500)
    refused = player.draft(1_500)
    for _ in range(3):
        assert player.wallet.run(refused).code == "limit_exceeded"
    bet = player.bet(1_000)
    assert all(player.wallet.run(bet).replay for _ in range(3))
    player.bet(499)


@each_limit
def test_several_bets_in_one_batch_are_held_against_it_one_after_the_other(
    player: LimitedPlayer, set_limit: Set
) -> None:
    set_limit(player, 1_500)
    outcomes = player.wallet.run_batch([player.draft(500) for _ in range(4)])
    assert [outcome.code for outcome in outcomes] == [None, None, "limit_exceeded", "limit_exceeded"]


@each_limit
def test_a_wallet_that_is_over_it_still_wins_and_gets_stakes_back(player: LimitedPlayer, set_limit: Set) -> None:
    open_bets = [player.bet(1_000) for _ in range(2)]
    set_limit(player, 0)
    player.win(open_bets[0], 1)
    player.take_back(open_bets[1])
    assert player.try_bet(1) == "limit_exceeded"


@pytest.mark.parametrize("set_limit", LIMITS[1:], ids=NAMES[1:])
def test_a_limit_holds_in_each_tab_and_with_each_game_session(player: LimitedPlayer, set_limit: Set) -> None:
    set_limit(player, 1_500)
    player.bet(1_000)
    other = player.wallet.open_session()
    assert player.wallet.run(other.debit(500, round_id="other tab")).code == "limit_exceeded"


@each_limit
def test_the_largest_amounts_are_counted(player: LimitedPlayer, tenant: Tenant, set_limit: Set) -> None:
    """A counter has no end, where a total of a session has one."""
    set_limit(player, 10**12)
    player.bet(1)
    assignments = ", ".join(f"{name}_loss_minor = %(loss)s" for name in NAMES)
    statement = f"update casino.limit_counters set {assignments} where ledger_id = %(ledger)s"
    for loss, code in ((-(2**70), None), (2**70, "limit_exceeded")):
        tenant.sql(statement, {"loss": loss, "ledger": tenant.ledger_id})
        assert player.try_bet(1) == code


@pytest.mark.parametrize(
    ("period", "last", "in_utc"),
    [
        ("day", "2026-03-04", "2026-03-05T08:00"),
        ("week", "2026-03-08, the clocks change", "2026-03-09T07:00"),
        ("month", "2026-03-31", "2026-04-01T07:00"),
    ],
)
def test_a_period_ends_at_the_local_midnight_of_the_tenant(
    player: LimitedPlayer, period: str, last: str, in_utc: str
) -> None:
    end = datetime.fromisoformat(in_utc).replace(tzinfo=UTC)
    player.set_limit("loss", period, 1_000)
    player.bet(900)
    player.at(end - TICK)
    assert player.try_bet(100) == "limit_exceeded", last
    player.at(end)
    player.bet(999)
    assert player.try_bet(1) == "limit_exceeded"


def test_an_iso_week_goes_on_into_the_next_month(player: LimitedPlayer) -> None:
    """Monday 2026-03-30 to Sunday 2026-04-05."""
    player.at(datetime(2026, 3, 31, 20, tzinfo=UTC))
    player.log_in()
    player.set_limit("loss", "month", 5_000)
    player.set_limit("loss", "week", 1_000)
    player.bet(900)
    player.at(datetime(2026, 4, 2, 20, tzinfo=UTC))
    assert player.try_bet(100) == "limit_exceeded", "the week"
    player.at(datetime(2026, 4, 6, 20, tzinfo=UTC))
    player.bet(999)
    row = player.counters()
    assert (row["day_loss_minor"], row["week_loss_minor"], row["month_loss_minor"]) == (999, 999, 999)


def test_a_counter_begins_with_what_was_lost_earlier_in_its_own_period(player: LimitedPlayer) -> None:
    for day, stake in ((1, 1_000), (2, 200), (3, 40), (4, 5)):  # a Sunday, then Monday to Wednesday
        player.at(datetime(2026, 3, day, 20, tzinfo=UTC))
        player.bet(stake)
    player.set_limit("loss", "month", 10_000)
    row = player.counters()
    assert (row["day_loss_minor"], row["week_loss_minor"], row["month_loss_minor"]) == (5, 245, 1_245)


def test_a_rollback_gives_back_only_to_the_periods_of_its_bet(player: LimitedPlayer) -> None:
    player.set_limit("loss", "month", 10_000)
    yesterday = player.bet(700)
    player.wait(hours=24)
    player.bet(1_000)
    player.take_back(yesterday)
    row = player.counters()
    assert (row["day_loss_minor"], row["week_loss_minor"], row["month_loss_minor"]) == (1_000, 1_000, 1_000)


def test_a_rollback_of_an_older_week_or_month_lowers_nothing(player: LimitedPlayer) -> None:
    player.set_limit("loss", "month", 10_000)
    in_march = player.bet(700)
    player.at(datetime(2026, 4, 1, 20, tzinfo=UTC))
    player.bet(1_000)
    player.take_back(in_march)
    row = player.counters()
    assert (row["day_loss_minor"], row["week_loss_minor"], row["month_loss_minor"]) == (1_000, 1_000, 1_000)


def test_a_payout_counts_when_it_lands(player: LimitedPlayer) -> None:
    player.set_limit("loss", "day", 1_000)
    bet = player.bet(900)
    player.wait(hours=24)
    player.win(bet, 500)
    assert player.try_bet(1_500) == "limit_exceeded"
    player.bet(1_499)


@pytest.mark.parametrize(
    ("timezone", "last_moment", "first_moment"),
    [
        ("America/Los_Angeles", "2026-03-08T23:59:59-07:00", "2026-03-09T00:00:00-07:00"),
        ("America/Los_Angeles", "2026-11-01T23:59:59-08:00", "2026-11-02T00:00:00-08:00"),
        ("America/Havana", "2026-03-07T23:59:59-05:00", "2026-03-08T01:00:00-04:00"),
        ("Australia/Lord_Howe", "2026-10-04T23:59:59+11:00", "2026-10-05T00:00:00+11:00"),
        ("Asia/Kathmandu", "2026-05-05T23:59:59+05:45", "2026-05-06T00:00:00+05:45"),
        ("Pacific/Kiritimati", "2026-05-05T23:59:59+14:00", "2026-05-06T00:00:00+14:00"),
    ],
    ids=["23 hours", "25 hours", "no midnight", "half an hour", "quarter of an hour", "first on earth"],
)
def test_a_day_has_the_hours_of_its_time_zone(
    player: LimitedPlayer, tenant: Tenant, timezone: str, last_moment: str, first_moment: str
) -> None:
    tenant.set_tenant(timezone=timezone)
    player.at(datetime.fromisoformat(last_moment) - timedelta(hours=22))
    player.set_limit("loss", "day", 1_000)
    player.bet(900)
    player.at(datetime.fromisoformat(last_moment))
    assert player.try_bet(100) == "limit_exceeded"
    player.at(datetime.fromisoformat(first_moment))
    player.bet(999)


def test_another_time_zone_begins_when_the_day_of_the_one_before_is_over(player: LimitedPlayer, tenant: Tenant) -> None:
    """From Kiritimati to Los Angeles: no bet of a day is forgotten, and none counts twice."""
    tenant.set_tenant(timezone="Pacific/Kiritimati")
    player.set_limit("loss", "day", 1_000)
    player.bet(900)
    tenant.set_tenant(timezone="America/Los_Angeles")
    end = datetime(2026, 3, 5, 10, tzinfo=UTC)
    player.at(end - TICK)
    assert player.try_bet(100) == "limit_exceeded"
    player.at(end)
    player.bet(900)
    midnight = datetime(2026, 3, 6, 8, tzinfo=UTC)
    player.at(midnight - TICK)
    assert player.try_bet(100) == "limit_exceeded"
    player.at(midnight)
    player.bet(900)


def test_a_higher_limit_holds_from_its_confirmation_and_not_before(player: LimitedPlayer) -> None:
    player.set_limit("loss", "month", 1_000)
    limit_id = player.set_limit("loss", "month", 2_000)["o_limit_id"]
    player.bet(900)
    player.wait(hours=24)
    assert player.try_bet(100) == "limit_exceeded", "due, and not confirmed"
    assert player.desk.call("confirm_limit", "1", limit_id)["o_code"] is None
    player.bet(100)


def test_a_limit_that_is_removed_bounds_nobody_and_its_counter_goes_on(player: LimitedPlayer) -> None:
    player.set_limit("loss", "month", 1_000)
    limit_id = player.set_limit("loss", "month", None)["o_limit_id"]
    player.wait(hours=24)
    player.desk.call("confirm_limit", "1", limit_id)
    player.bet(5_000)
    player.set_limit("loss", "month", 5_500)
    assert player.try_bet(500) == "limit_exceeded"
    player.bet(499)


def test_a_limit_that_staff_lowers_holds_for_the_next_bet(player: LimitedPlayer) -> None:
    player.set_limit("loss", "day", 1_000)
    player.bet(400)
    player.set_limit("loss", "day", 500, staff=True)
    assert player.try_bet(100) == "limit_exceeded"
    player.bet(99)


def test_the_limit_of_one_player_is_not_anothers(player: LimitedPlayer, wallet: Wallet) -> None:
    player.set_limit("loss", "day", 0)
    wallet.bet(wallet.open_session("2"))
