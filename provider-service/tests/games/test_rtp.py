"""What a slot pays back: exactly, by every board, and in the sheet that is served."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import msgspec
import pytest

from provider.catalogue.games import GAMES, read_slot
from provider.games.fairness.draws import SeededSource
from provider.games.slots.model import Pay, SlotGame, SlotModel, UnfitModel
from provider.games.slots.par import sheet_of
from provider.games.slots.rtp import Payback, decimals, payback_of, volatility_index
from provider.games.slots.simulation import CLIENT_SEED, Simulated, simulate
from provider.games.slots.spin import draw_stops, evaluate

SLOT = GAMES["SLOTS_001"].slot
assert SLOT is not None
COIN = SlotGame(
    "COIN", "Coin", 1, 1, 1000, 1500,
    SlotModel((("h", "t"), ("h", "t")), 1, ((0, 0),), "h", (Pay("h", 2, 250), Pay("t", 2, 50))),
)  # fmt: skip


def test_every_board_counts_once() -> None:
    payback = payback_of(COIN.model)
    # h h pays 250; t t, t h and h t are t with wild: 50.
    assert payback.boards_by_x100 == {250: 1, 50: 3}
    assert payback.rtp(COIN, stake_minor=100) == Fraction(400, 400)
    assert payback.hit_rate == 1
    assert payback.variance == Fraction(250**2 + 3 * 50**2, 4 * 10_000) - 1
    assert payback.max_x100 == 250


def test_rounding_and_the_cap_lower_the_return() -> None:
    payback = payback_of(COIN.model)
    assert payback.rtp(COIN, stake_minor=1) == Fraction(2 + 0, 4)
    assert payback.rtp(COIN, stake_minor=1000) == Fraction(1500 + 3 * 500, 4000)


def test_a_rtp_is_shown_with_six_decimals_rounded_down() -> None:
    assert decimals(Fraction(2539, 2662)) == "0.953794"
    assert decimals(Fraction(999_999_999, 1_000_000_000)) == "0.999999"
    assert decimals(Fraction(1)) == "1.000000"
    assert decimals(volatility_index(Fraction(4))) == "3.290000"


def test_the_sheet_is_what_the_model_gives() -> None:
    """`make rtp` writes it. CI computes every RTP anew here."""
    for game in GAMES.values():
        if game.slot is not None:
            assert sheet_of(game.slot.game) == game.slot.sheet_document, "run: make rtp"


def test_the_return_of_the_first_slot_is_between_95_and_96_percent() -> None:
    payback = payback_of(SLOT.game.model)
    returned = payback.rtp(SLOT.game, stake_minor=SLOT.game.max_bet)
    assert (returned.numerator, returned.denominator) == SLOT.sheet.return_
    assert payback.rtp(SLOT.game, stake_minor=100) == returned
    assert float(payback.rtp(SLOT.game, stake_minor=1)) == pytest.approx(0.8634, abs=1e-4), "rounded down, and told"
    assert Fraction(95, 100) < returned < Fraction(96, 100)
    assert Fraction(30, 100) < payback.hit_rate < Fraction(40, 100)
    assert SLOT.game.max_bet * payback.max_x100 // 100 <= SLOT.game.max_win, "the cap cuts no win"


def test_the_shares_of_the_pays_sum_to_the_return() -> None:
    sheet = json.loads(SLOT.sheet_document)
    lines = len(sheet["lines"])
    shares = [Fraction(*pay["probability"]) * lines * pay["x100"] / 100 for pay in sheet["pays"]]
    assert sum(shares) == Fraction(*sheet["return"])
    assert sum(each["boards"] for each in sheet["distribution"]) == sheet["boards"] == SLOT.game.model.boards


@pytest.mark.parametrize(
    "changed",
    [
        msgspec.structs.replace(SLOT.game, max_win=SLOT.game.max_win - 1),
        msgspec.structs.replace(SLOT.game, version=2),
        msgspec.structs.replace(SLOT.game, model=msgspec.structs.replace(SLOT.game.model, wild="bar")),
    ],
    ids=["limit", "version", "model"],
)
def test_a_changed_game_with_an_unchanged_sheet_is_refused(changed: SlotGame) -> None:
    with pytest.raises(UnfitModel, match="make rtp"):
        read_slot(msgspec.json.encode(changed), SLOT.sheet_document)
    assert read_slot(msgspec.json.encode(SLOT.game), SLOT.sheet_document) == dataclasses.replace(SLOT)


def test_simulated_spins_agree_with_the_exact_return_and_not_with_another() -> None:
    """With a fixed seed: without one a true model fails every hundredth time."""
    model = SLOT.game.model
    simulated = simulate(model, rounds=50_000, seed=b"\x11" * 32)
    exact = payback_of(model)
    assert simulated.agrees_with(exact)
    assert abs(simulated.hits / simulated.rounds - float(exact.hit_rate)) < 0.01
    dearer = msgspec.structs.replace(
        model, pays=tuple(Pay(each.symbol, each.count, each.x100 * 6 // 5) for each in model.pays)
    )
    assert not simulated.agrees_with(payback_of(dearer))


def test_a_simulation_draws_as_a_spin_does() -> None:
    seed, rounds = b"\x33" * 32, 200
    spun = [
        evaluate(SLOT.game.model, draw_stops(SLOT.game.model, SeededSource(seed, CLIENT_SEED, counter)))
        for counter in range(rounds)
    ]
    assert simulate(SLOT.game.model, rounds=rounds, seed=seed).paid_x100 == sum(each.x100 for each in spun)


def test_the_interval_is_that_of_99_percent() -> None:
    exact = Payback(2, {0: 1, 200: 1}, {})  # a mean of 1 and a variance of 1
    assert (exact.mean, exact.variance) == (1, 1)
    edge = Simulated(rounds=10_000, hits=0, paid_x100=1_025_758)  # 2.5758 standard errors
    assert edge.agrees_with(exact)
    for distance, agrees in ((Fraction(25, 100), True), (Fraction(26, 100), False), (Fraction(-26, 100), False)):
        simulated = Simulated(rounds=100, hits=0, paid_x100=int(10_000 * (1 + distance)))
        assert simulated.agrees_with(exact) is agrees


def test_a_spin_that_pays_anything_is_a_hit() -> None:
    model = SlotModel((("a", "w"),), 1, ((0,),), "w", (Pay("a", 1, 1),))
    assert simulate(model, rounds=50, seed=b"\x11" * 32).hits == 50


def test_a_sheet_states_the_return_of_the_largest_stake_that_is_a_multiple_of_100() -> None:
    game = msgspec.structs.replace(COIN, max_bet=399, max_win=800)
    sheet = json.loads(sheet_of(game))
    assert Fraction(*sheet["return"]) == payback_of(COIN.model).rtp(game, stake_minor=300) == 1
    assert payback_of(COIN.model).rtp(game, stake_minor=399) < 1, "capped"
    assert sheet["rtpAtMinBet"] == "0.500000"


def test_a_sheet_states_the_odds_of_the_largest_win() -> None:
    model = SlotModel((("a", "b", "w"),), 1, ((0,),), "w", (Pay("a", 1, 100),))
    sheet = json.loads(sheet_of(SlotGame("G", "G", 1, 100, 100, 1000, model)))
    assert sheet["maximum"] == {"x100": 100, "boards": 2, "odds": "1.500000"}


@pytest.mark.parametrize(("x100", "volatility"), [(800, "low"), (1500, "medium"), (3000, "high")])
def test_volatility_is_a_word_for_the_index(x100: int, volatility: str) -> None:
    model = SlotModel((("a", "w", *"bcdefgh"),), 1, ((0,),), "w", (Pay("a", 1, x100),))
    sheet = json.loads(sheet_of(SlotGame("G", "G", 1, 100, 100, 10_000, model)))
    bounds = {"low": (0, 6), "medium": (6, 12), "high": (12, 100)}[volatility]
    assert sheet["volatility"] == volatility
    assert bounds[0] <= float(sheet["volatilityIndex"]) < bounds[1]
