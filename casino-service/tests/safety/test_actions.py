"""What follows from a risk: nudges, cooldowns and stops, in force from the commit of the round that led to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from casino_testing.risk import NOON, Player, let_be, play_to_stop
from casino_testing.tenant import SLOTS, Tenant
from casino_testing.wallet import Wallet, new_id

RISES = [1_000, 2_000, 3_000, 4_000]
OpenPlayer = Callable[..., Player]


def nudge(player: Player) -> None:
    """Score 35: three rises, slowly."""
    player.spins(RISES, paid=9_000, after=10)


def cool_down(player: Player) -> None:
    """Score 60 at the last spin: twelve lost spins at once. Before it the score is 25."""
    player.spins([1_000] * 12)


@pytest.fixture
def gambler(open_player: OpenPlayer) -> Player:
    """A player whom nobody forgives."""
    return open_player()


def test_a_calm_player_is_left_alone(gambler: Player) -> None:
    gambler.spins([1_000] * 11, after=10)
    assert gambler.types() == []


def test_an_elevated_risk_is_a_nudge_with_its_evidence(gambler: Player) -> None:
    nudge(gambler)
    (action,) = gambler.actions()
    assert (action["action_type"], action["score"], action["band"]) == ("NUDGE", 35, "ELEVATED")
    assert (action["reasons"], action["evidence"]["rises"]) == (["BET_ACCEL"], 3)
    assert (action["at"], action["shown_at"]) == (gambler.now, None)
    assert (action["play_session_id"], action["player_id"]) == (gambler.play_session_id, gambler.player_id)


@pytest.mark.parametrize(("wait", "count"), [(timedelta(minutes=5), 2), (timedelta(minutes=5, microseconds=-1), 1)])
def test_there_is_at_most_one_nudge_in_five_minutes(gambler: Player, wait: timedelta, count: int) -> None:
    nudge(gambler)
    gambler.move(wait)
    gambler.spin(paid=9_000)
    assert gambler.types() == ["NUDGE"] * count


def test_a_tilt_is_a_cooldown_of_ninety_seconds(gambler: Player) -> None:
    cool_down(gambler)
    (action,) = gambler.actions()
    assert (action["action_type"], action["score"], action["band"]) == ("COOLDOWN", 60, "TILT_RISK")
    assert action["reasons"] == ["LOSS_STREAK", "SPIN_RATE"]
    gambler.move(timedelta(seconds=90, microseconds=-1))
    assert gambler.wallet.refuse(gambler.session().debit(round_id="too early")) == "cooldown_active"
    gambler.move(timedelta(microseconds=1))
    gambler.wallet.bet(gambler.session(), round_id="in time")


@pytest.mark.parametrize(
    ("wait", "types"),
    [(timedelta(minutes=10), ["COOLDOWN"] * 2), (timedelta(minutes=10, microseconds=-1), ["COOLDOWN"])],
)
def test_there_is_at_most_one_cooldown_in_ten_minutes(gambler: Player, wait: timedelta, types: list[str]) -> None:
    cool_down(gambler)
    gambler.move(wait)
    gambler.spin()
    assert gambler.types() == types


def test_an_action_has_its_loss_where_the_loss_changes_nothing(gambler: Player) -> None:
    cool_down(gambler)
    (action,) = gambler.actions()
    assert action["evidence"]["lossMinor"] == 12_000


def test_a_loss_makes_a_nudge_of_a_rate_again_when_one_is_due(open_player: OpenPlayer) -> None:
    player = open_player(balance=20_000)
    player.spins([1_000] * 9)
    assert player.types() == ["NUDGE"]
    assert player.actions()[0]["reasons"] == ["SPIN_RATE", "LOSS_CLUSTER"]
    player.spin(paid=1_000, after=301)
    player.spins([1_000] * 5)
    assert player.types() == ["NUDGE"]
    player.spin()
    assert player.types() == ["NUDGE", "NUDGE"] == [name for name, _ in player.model.taken]


def test_a_longer_cooldown_stays(gambler: Player) -> None:
    gambler.spins([1_000] * 11)
    last = gambler.bet(1_000)
    gambler.tenant.set_wallet(gambler.player_id, cooldown_until=NOON + timedelta(hours=1))
    last.pay(0)
    assert gambler.tenant.wallet(gambler.player_id)["cooldown_until"] == NOON + timedelta(hours=1)


def test_a_stop_ends_the_game_sessions_and_refuses_bets_until_the_play_session_is_over(gambler: Player) -> None:
    other = gambler.session("2")
    waiting = gambler.bet(1_000, game_id="2")
    play_to_stop(gambler)
    action = gambler.actions()[-1]
    assert (action["action_type"], action["score"], action["band"]) == ("STOP", 95, "STOP")
    assert action["reasons"] == ["BET_ACCEL", "LOSS_STREAK", "SPIN_RATE"]

    for session in (gambler.session(), other):
        assert gambler.wallet.refuse(session.debit(round_id=new_id("round"))) == "session_expired"
    gambler.move(timedelta(hours=5, minutes=59))
    again = gambler.wallet.open_session(gambler.player_id)
    assert gambler.wallet.refuse(again.debit(round_id=new_id("round"))) == "cooldown_active"
    waiting.pay(5_000)  # a win still lands
    gambler.move(timedelta(minutes=1))
    later = gambler.wallet.open_session(gambler.player_id)
    gambler.wallet.bet(later, round_id=new_id("round"))


def test_after_a_stop_nothing_more_follows_in_its_play_session(gambler: Player) -> None:
    waiting = [gambler.bet(1_000) for _ in range(3)]
    play_to_stop(gambler)
    before = gambler.types()
    gambler.move(timedelta(minutes=30))
    for each in waiting:
        each.pay(0)
    assert gambler.types() == before


def test_a_round_that_is_taken_back_is_looked_at_too(gambler: Player) -> None:
    """It ends a round; what it shows then is a hop and a rate of before."""
    gambler.spins([1_000] * 7, paid=1_000)
    gambler.bet(1_000, game_id="2")
    gambler.bet(1_000, game_id="3").take_back()
    assert [(row["action_type"], row["reasons"]) for row in gambler.actions()] == [("NUDGE", ["SPIN_RATE", "GAME_HOP"])]


def test_players_of_one_batch_are_looked_at_each(open_player: OpenPlayer, wallet: Wallet) -> None:
    players = [open_player() for _ in range(3)]
    for player in players[:2]:
        player.spins([1_000] * 11)
    opened = [player.bet(1_000) for player in players]
    wallet.run_batch(
        [each.session.credit(0, round_id=each.round_id, related_id=each.transaction_id) for each in opened]
    )
    assert [player.types() for player in players] == [["COOLDOWN"], ["COOLDOWN"], []]


def test_several_rounds_of_one_player_in_one_batch(gambler: Player) -> None:
    opened = [gambler.bet(1_000) for _ in range(14)]
    gambler.wallet.run_batch(
        [each.session.credit(0, round_id=each.round_id, related_id=each.transaction_id) for each in opened]
    )
    assert gambler.types() == ["COOLDOWN"]


def test_a_player_who_is_let_be_meets_no_action(tenant: Tenant, gambler: Player) -> None:
    """Random commands of the wallet's model use it."""
    let_be(tenant, gambler.session())
    play_to_stop(gambler)
    gambler.spin()
    assert sorted(gambler.types()) == ["COOLDOWN", "NUDGE", "STOP"]


def test_an_action_is_told_with_the_round_that_led_to_it(tenant: Tenant, gambler: Player) -> None:
    tenant.set_tenant(region="NV")
    cool_down(gambler)
    (told,) = [row for row in tenant.rows("ledger_events") if row["event_type"] == "SAFETY_ACTION"]
    assert (told["code"], told["region"], told["amount_minor"]) == ("COOLDOWN", "NV", 0)
    assert (told["player_id"], told["session_id"]) == (gambler.player_id, str(gambler.play_session_id))


def test_an_action_is_told_to_webhooks_that_ask_for_it(tenant: Tenant, gambler: Player) -> None:
    tenant.sql(
        "insert into casino.webhooks (ledger_id, tenant_id, url, events, made_by, made_at)"
        " values (%s, %s, 'https://hooks.test', '{safety.action}', 'x', casino.clock())",
        tenant.ledger_id, tenant.tenant_id,
    )  # fmt: skip
    cool_down(gambler)
    (told,) = tenant.rows("webhook_events")
    (action,) = gambler.actions()
    assert (told["event_type"], told["data"]) == (
        "safety.action",
        {
            "tenantId": tenant.tenant_id, "playerId": gambler.player_id, "actionId": str(action["action_id"]),
            "sessionId": str(gambler.play_session_id), "actionType": "COOLDOWN", "score": 60,
            "reasons": ["LOSS_STREAK", "SPIN_RATE"],
        },
    )  # fmt: skip


def test_a_bet_that_a_loss_limit_refuses_is_a_stop_that_ends_nothing(tenant: Tenant, gambler: Player) -> None:
    tenant.set_session(gambler.session().session_id, loss_limit_minor=1_500)
    gambler.spin()
    refused = gambler.session().debit(1_000, round_id="over")
    assert gambler.wallet.refuse(refused) == "limit_exceeded"
    assert gambler.wallet.run(refused).replay
    (action,) = gambler.actions()
    assert (action["action_type"], action["reasons"], action["score"]) == ("STOP", ["LOSS_LIMIT"], 0)
    assert action["evidence"] == {
        "stakeMinor": 1_000, "roundId": "over", "gameKey": "SLOTS_001",
        "period": "gameSession", "limitMinor": 1_500, "lossMinor": 1_000,
    }  # fmt: skip
    assert action["shown_at"] == gambler.now, "the refusal shows it"
    tenant.set_session(gambler.session().session_id, loss_limit_minor=None)
    gambler.wallet.bet(gambler.sessions[SLOTS], round_id="in the same session")


def test_a_replayed_credit_takes_no_second_action(gambler: Player) -> None:
    gambler.spins([1_000] * 11)
    last = gambler.bet(1_000)
    credit = last.session.credit(0, round_id=last.round_id, related_id=last.transaction_id)
    gambler.wallet.accept(credit)
    gambler.move(timedelta(minutes=11))
    assert gambler.wallet.run(credit).replay
    assert gambler.types() == ["COOLDOWN"]
