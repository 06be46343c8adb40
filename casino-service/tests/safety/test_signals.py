"""The signals of the risk engine, each on both sides of its boundary; signals and actions against a model in Python."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import cycle, islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casino_testing.risk import NOON, Open, Player, Round
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet
from shared_service_testing.drawing import IS_NIGHTLY

SLOWLY = 10.0
OpenPlayer = Callable[..., Player]


def signals(player: Player) -> list[str]:
    """The database's signals, which the model confirms."""
    found = player.risk()
    assert found["o_reasons"] == player.model.reasons(player.now)
    assert found["o_score"] == player.model.score(player.now)
    return list(found["o_reasons"])


def test_nothing_was_played(player: Player) -> None:
    assert signals(player) == []
    assert player.risk()["o_evidence"]["medianGapMs"] is None


@pytest.mark.parametrize(("stakes", "is_there"), [((1, 2, 1, 2, 3), True), ((1, 2, 1, 2, 2), False)])
def test_three_rises_of_the_stake_are_an_acceleration(
    player: Player, stakes: tuple[int, ...], *, is_there: bool
) -> None:
    player.spins([1_000 * stake for stake in stakes], paid=9_000, after=SLOWLY)
    assert signals(player) == (["BET_ACCEL"] if is_there else [])


@pytest.mark.parametrize(("more", "is_there"), [(16, True), (17, False)])
def test_rises_count_within_the_last_twenty_spins(player: Player, more: int, *, is_there: bool) -> None:
    player.spins([1_000, 2_000, 3_000, 4_000], paid=9_000, after=SLOWLY)
    player.spins([1_000] * more, paid=9_000, after=SLOWLY)
    assert ("BET_ACCEL" in signals(player)) is is_there


@pytest.mark.parametrize(("wins", "is_there"), [((0,) * 12, True), ((0,) * 11, False), ((999,) * 12, True)])
def test_twelve_spins_that_pay_less_than_the_stake_are_a_streak(
    player: Player, wins: tuple[int, ...], *, is_there: bool
) -> None:
    for paid in wins:
        player.spin(paid=paid, after=SLOWLY)
    assert signals(player) == (["LOSS_STREAK"] if is_there else [])


def test_a_spin_that_pays_its_stake_ends_a_streak(player: Player) -> None:
    player.spins([1_000] * 12, after=SLOWLY)
    player.spin(paid=1_000, after=SLOWLY)
    assert signals(player) == []


@pytest.mark.parametrize(
    ("gaps", "is_there"),
    [
        ((0.0,) * 6, True),
        ((0.0,) * 5, False),
        ((1.199999,) * 6, True),
        ((1.2,) * 6, False),
        ((0.4, 0.4, 0.4, 2.0, 2.0, 2.0), False),
        ((0.4, 0.4, 0.4, 1.9, 2.0, 2.0), True),
        ((0.4, 0.4, 0.4, 0.4, 9.0, 9.0, 9.0), True),
    ],
)
def test_a_median_gap_under_twelve_tenths_of_a_second_is_a_rate(
    player: Player, gaps: tuple[float, ...], *, is_there: bool
) -> None:
    player.spin(paid=1_000)
    for gap in gaps:
        player.spin(paid=1_000, after=gap)
    assert signals(player) == (["SPIN_RATE"] if is_there else [])


def test_the_rate_is_that_of_the_last_twenty_spins(player: Player) -> None:
    player.spins([1_000] * 30, paid=1_000)
    player.spins([1_000] * 19, paid=1_000, after=SLOWLY)
    assert signals(player) == []


@pytest.mark.parametrize(
    ("balance", "lost", "is_there"),
    [(10_000, 5_000, True), (10_000, 4_999, False), (20_000, 6_000, True), (20_000, 5_999, False)],
)
def test_a_cluster_is_the_larger_of_5000_and_three_tenths_of_the_opening_balance(
    open_player: OpenPlayer, balance: int, lost: int, *, is_there: bool
) -> None:
    player = open_player(balance=balance)
    player.spin(lost + 1_000, paid=1_000)
    assert signals(player) == (["LOSS_CLUSTER"] if is_there else [])


def test_a_loss_leaves_the_cluster_five_minutes_after_its_round_ended(open_player: OpenPlayer) -> None:
    player = open_player(balance=10_000)
    long = player.bet(5_000)
    player.move(timedelta(minutes=20))
    long.pay(0)
    player.move(timedelta(minutes=5))
    assert signals(player) == ["LOSS_CLUSTER"]
    player.move(timedelta(microseconds=1))
    assert signals(player) == []


def test_what_is_still_open_is_no_loss(open_player: OpenPlayer) -> None:
    player = open_player(balance=10_000)
    player.bet(9_000)
    assert signals(player) == []


def test_three_games_within_five_minutes_are_a_hop(player: Player) -> None:
    player.bet(1_000)
    player.spin(paid=1_000, game_id="2", after=150)
    assert signals(player) == []
    player.spin(paid=1_000, game_id="3", after=150)
    assert signals(player) == ["GAME_HOP"]
    player.move(timedelta(microseconds=1))
    assert signals(player) == []


def test_a_round_that_was_taken_back_is_no_spin(player: Player) -> None:
    player.spins([1_000] * 11, after=SLOWLY)
    player.bet(1_000).take_back()
    assert signals(player) == []
    ended = {row["round_id"]: row["ended_at"] for row in player.tenant.rows("rounds")}
    assert len(ended) == 12
    assert None not in ended.values()


def test_a_second_bet_of_a_round_that_was_taken_back_lets_it_run_again(tenant: Tenant, player: Player) -> None:
    opened = player.bet(1_000)
    opened.take_back()
    player.wallet.bet(opened.session, round_id=opened.round_id)
    assert [row["ended_at"] for row in tenant.rows("rounds")] == [None]


def test_spins_stand_in_the_order_of_their_first_debits(player: Player) -> None:
    """Rounds that overlap end in another order than they began."""
    opened = [player.bet(1_000 * stake) for stake in (1, 2, 3, 4)]
    for each in reversed(opened):
        each.pay(9_000)
    assert signals(player) == ["BET_ACCEL"]


def test_a_later_credit_of_a_round_counts_in_it_and_ends_nothing(player: Player) -> None:
    player.spins([1_000] * 11, after=SLOWLY)
    last = player.bet(1_000)
    last.pay(0)
    assert signals(player) == ["LOSS_STREAK"]
    player.move(timedelta(seconds=1))
    last.pay(1_000)
    assert signals(player) == []
    assert NOON + timedelta(seconds=110) in {row["ended_at"] for row in player.tenant.rows("rounds")}


def test_another_play_session_begins_with_nothing(player: Player) -> None:
    player.spins([1_000] * 12, after=SLOWLY)
    player.move(timedelta(hours=6))
    player.sessions.clear()
    player.model.rounds.clear()
    player.spin(after=SLOWLY)
    assert signals(player) == []


def test_the_evidence_has_the_figures(open_player: OpenPlayer) -> None:
    player = open_player(balance=30_000, forgiven=True)
    player.spins(islice(cycle((1_000, 2_000)), 12), after=0.5)
    assert player.risk()["o_evidence"] == {
        "spins": 12, "rises": 6, "losingSpins": 12, "medianGapMs": 500, "lossMinor": 18_000,
        "openingBalanceMinor": 30_000, "games": 1,
    }  # fmt: skip
    assert player.risk()["o_score"] == 100


STEP = st.tuples(
    st.sampled_from([0.0, 0.5, 1.2, 40.0, 200.0]),
    st.sampled_from(["1", "2", "3"]),
    st.sampled_from([1_000, 2_000, 5_000]),
    st.sampled_from(["lost", "lost", "lost", "won", "taken back", "left open", "an older one ends"]),
)


@settings(
    max_examples=200 if IS_NIGHTLY else 12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(balance=st.sampled_from([60_000, 200_000]), steps=st.lists(STEP, min_size=15, max_size=40))
def test_every_sequence_scores_and_leads_to_what_the_model_says(
    tenant: Tenant, wallet: Wallet, balance: int, steps: list[tuple[float, str, int, str]]
) -> None:
    tenant.sql(
        "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
        " values (%s, '3', 'DICE_001', 'Dice', 1000, 100000) on conflict do nothing",
        tenant.tenant_id,
    )
    player = Player(tenant, wallet, NOON, balance=balance, forgiven=True)
    left_open: list[Open] = []
    for seconds, game_id, stake, what in steps:
        player.move(timedelta(seconds=seconds))
        if what == "an older one ends":
            if left_open:
                left_open.pop(0).pay(0)
        elif tenant.balance(player.player_id) < stake:
            continue
        else:
            opened = player.bet(stake, game_id=game_id)
            match what:
                case "lost":
                    opened.pay(0)
                case "won":
                    opened.pay(2 * stake)
                case "taken back":
                    opened.take_back()
                case _:
                    left_open.append(opened)
        signals(player)
    assert player.types() == [name for name, _ in player.model.taken]


def test_the_model_itself(player: Player) -> None:
    player.model.rounds = [Round("1", NOON, 1_000, 0, NOON)] * 12
    assert player.model.reasons(NOON) == ["LOSS_STREAK", "SPIN_RATE"]
