"""A slot's board, lines and payout, and the rules of its file."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from importlib.resources import files
from itertools import product
from typing import Any

import pytest

from provider.games.fairness.draws import SeededSource
from provider.games.slots import spin as module
from provider.games.slots.model import FreeSpins, Pay, SlotModel, UnfitModel, read_game
from provider.games.slots.spin import LineWin, Spun, draw_stops, evaluate, events_of, play_round, win_minor

FILE = files("provider.games.slots") / "data" / "SLOTS_001.json"
GAME = read_game(FILE.read_bytes())
SMALL = SlotModel(
    reels=(("a", "w", "b"), ("a", "b", "c"), ("b", "a", "a")),
    rows=2,
    lines=((0, 0, 0), (1, 1, 1)),
    wild="w",
    pays=(Pay("a", 3, 500), Pay("a", 2, 100), Pay("b", 3, 500), Pay("w", 1, 20)),
)


class Numbers:
    """A source that gives these numbers."""

    def __init__(self, *numbers: int) -> None:
        self.bounds: list[int] = []
        self._numbers = iter(numbers)

    def below(self, bound: int) -> int:
        self.bounds.append(bound)
        return next(self._numbers)


def test_a_board_shows_the_symbols_from_each_stop_on_and_wraps() -> None:
    spun = evaluate(SMALL, (2, 1, 2))
    assert spun.board == (("b", "a"), ("b", "c"), ("a", "b"))


def test_one_number_for_each_reel_from_left_to_right() -> None:
    source = Numbers(3, 1, 2)
    assert draw_stops(GAME.model, source) == (3, 1, 2)
    assert source.bounds == [22, 22, 22]
    assert draw_stops(GAME.model, SeededSource(b"\x33" * 32, "lucky", 0)) == (12, 15, 1)


@pytest.mark.parametrize(
    ("stops", "wins"),
    [
        ((0, 0, 1), (LineWin(0, "a", 3, 500),)),  # the second line is w b a: wild alone
        ((1, 1, 0), (LineWin(0, "b", 3, 500),)),
        ((0, 0, 0), (LineWin(0, "a", 2, 100),)),
        ((2, 2, 2), ()),
    ],
)
def test_a_line_pays_its_largest_pay_once(stops: tuple[int, ...], wins: tuple[LineWin, ...]) -> None:
    assert [win for win in evaluate(SMALL, stops).wins if win.line == 0] == list(wins)


def test_wild_stands_for_every_symbol() -> None:
    assert evaluate(SMALL, (1, 0, 1)).wins[0] == LineWin(0, "a", 3, 500)
    (alone,) = [win for win in evaluate(SMALL, (1, 2, 0)).wins if win.line == 0]
    assert alone == LineWin(0, "w", 1, 20)


def test_of_equal_pays_the_first_of_the_model_counts() -> None:
    model = SlotModel((("w",), ("w",)), 1, ((0, 0),), "w", (Pay("a", 2, 50), Pay("b", 2, 50)))
    assert evaluate(model, (0, 0)).wins == (LineWin(0, "a", 2, 50),)


@pytest.mark.parametrize("stops", [(0, 0), (0, 0, 0, 0)])
def test_there_is_one_stop_for_each_reel(stops: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        evaluate(SMALL, stops)


def test_a_payout_is_rounded_down_once_and_capped() -> None:
    spun = evaluate(SMALL, (0, 0, 1))
    assert spun.x100 == 500 + sum(win.x100 for win in spun.wins if win.line == 1)
    assert win_minor((spun,), stake_minor=33, max_win_minor=10**9) == 33 * spun.x100 // 100
    assert win_minor((spun,), stake_minor=33, max_win_minor=100) == 100
    halves = Spun((), (), (LineWin(0, "a", 3, 50), LineWin(1, "a", 3, 50)))
    assert win_minor((halves,), stake_minor=1, max_win_minor=100) == 1, "not each line for itself"
    half = Spun((), (), (LineWin(0, "a", 3, 50),))
    assert win_minor((half, half), stake_minor=1, max_win_minor=100) == 1, "not each spin for itself"


def test_events_are_the_spin_its_wins_in_line_order_and_the_end() -> None:
    spun = evaluate(SMALL, (0, 0, 1))
    events = json.loads(json.dumps(events_of((spun,), win_minor=7)))
    assert events[0] == {"type": "spin", "stops": [0, 0, 1], "board": [list(reel) for reel in spun.board]}
    assert events[1] == {"type": "win", "line": 0, "symbol": "a", "count": 3, "x100": 500}
    assert events[-1] == {"type": "end", "win": 7}
    assert [event["type"] for event in events[1:-1]] == ["win"] * len(spun.wins)


FEATURE = SlotModel(
    (("s", "a", "b"), ("s", "b", "a")), 1, ((0, 0),), "a", (Pay("b", 2, 100),), "s", (FreeSpins(1, 1), FreeSpins(2, 3))
)  # fmt: skip


def test_free_spins_take_the_next_numbers_and_award_no_others() -> None:
    source = Numbers(0, 0, 1, 2, 2, 1, 0, 0)
    played = play_round(FEATURE, source)
    assert [spun.stops for spun in played] == [(0, 0), (1, 2), (2, 1), (0, 0)]
    assert [spun.free_spins for spun in played] == [3, 0, 0, 3], "what the last one would have awarded is not played"
    assert win_minor(played, stake_minor=150, max_win_minor=10**9) == 300
    assert [len(play_round(FEATURE, Numbers(*stops, 1, 1))) for stops in ((0, 1), (1, 0), (1, 1))] == [2, 2, 1]


def test_events_of_free_spins_stand_between_the_spin_that_awards_them_and_the_end() -> None:
    played = play_round(FEATURE, Numbers(0, 1, 2, 1))
    assert [tuple(event.values())[:2] for event in events_of(played, win_minor=5)] == [
        ("spin", (0, 1)), ("free_spins", 1), ("spin", (2, 1)), ("win", 0), ("end", 5),
    ]  # fmt: skip


def test_the_published_vector_of_a_round_with_free_spins() -> None:
    """docs/fairness.md."""
    game = read_game((FILE.parent / "SLOTS_002.json").read_bytes())
    played = play_round(game.model, SeededSource(b"\x33" * 32, "lucky", 5))
    assert [len(played), win_minor(played, stake_minor=1000, max_win_minor=game.max_win)] == [11, 2000]
    assert [spun.stops for spun in played[:3]] == [(10, 14, 8, 1, 5), (19, 8, 16, 12, 12), (6, 18, 3, 11, 7)]


def test_the_published_vector_of_a_spin() -> None:
    """docs/fairness.md and the example of docs/protocol.md."""
    spun = evaluate(GAME.model, draw_stops(GAME.model, SeededSource(b"\x33" * 32, "lucky", 11)))
    win = win_minor((spun,), stake_minor=1000, max_win_minor=GAME.max_win)
    assert events_of((spun,), win_minor=win) == [
        {
            "type": "spin",
            "stops": (15, 5, 1),
            "board": (("lemon", "plum", "orange"), ("bell", "bar", "orange"), ("bell", "plum", "orange")),
        },
        {"type": "win", "line": 2, "symbol": "orange", "count": 3, "x100": 150},
        {"type": "end", "win": 1500},
    ]


def test_what_a_line_pays_is_what_the_definition_says() -> None:
    """Against the definition, word by word, for every board of the game."""
    model = GAME.model
    for stops in product(range(0, 22, 3), range(22), range(0, 22, 5)):
        spun = evaluate(model, stops)
        for number, line in enumerate(model.lines):
            symbols = [spun.board[reel][row] for reel, row in enumerate(line)]
            paid = [pay.x100 for pay in model.pays if set(symbols[: pay.count]) <= {pay.symbol, model.wild}]
            assert sum(win.x100 for win in spun.wins if win.line == number) == max(paid, default=0)


def test_only_the_model_and_the_source_reach_the_draw() -> None:
    """No player, balance, stake, voucher or history is among the arguments; the import contract forbids other ways."""
    assert list(inspect.signature(draw_stops).parameters) == ["model", "source"]
    assert list(inspect.signature(play_round).parameters) == ["model", "source"]
    assert list(inspect.signature(evaluate).parameters) == ["model", "stops"]
    assert list(inspect.signature(SeededSource).parameters) == ["server_seed", "client_seed", "counter"]
    assert not [name for name in vars(module) if name in ("random", "secrets", "time", "os")]


Change = Callable[[dict[str, Any]], object]
BROKEN: list[tuple[str, Change]] = [
    ("limits are positive and in order", lambda game: game.update(minBet=200_000)),
    ("limits are positive and in order", lambda game: game.update(minBet=0)),
    ("limits are positive and in order", lambda game: game.update(maxWin=99_999)),
    ("versions begin with 1", lambda game: game.update(version=0)),
    ("reels, rows, lines and pays exist", lambda game: game["model"].update(reels=[])),
    ("reels, rows, lines and pays exist", lambda game: game["model"].update(rows=0)),
    ("reels, rows, lines and pays exist", lambda game: game["model"].update(lines=[])),
    ("reels, rows, lines and pays exist", lambda game: game["model"].update(pays=[])),
    ("a reel has a symbol for each row", lambda game: game["model"]["reels"].__setitem__(0, ["wild", "bar"])),
    ("there are at most 5 million boards", lambda game: game["model"].update(reels=[["wild"] * 200] * 3)),
    ("a line has a row for each reel", lambda game: game["model"]["lines"].append([0, 0])),
    ("a line's rows are on the board", lambda game: game["model"]["lines"].append([3, 0, 0])),
    ("a line's rows are on the board", lambda game: game["model"]["lines"].append([0, 0, -1])),
    ("no line comes twice", lambda game: game["model"]["lines"].append([0, 0, 0])),
    ("the wild symbol is on a reel", lambda game: game["model"].update(wild="joker")),
    ("a pay's symbol is on a reel", lambda game: game["model"]["pays"].append(pay("joker", 3, 1))),
    ("a pay counts symbols of a line", lambda game: game["model"]["pays"].append(pay("bar", 4, 1))),
    ("a pay counts symbols of a line", lambda game: game["model"]["pays"].append(pay("bar", 0, 1))),
    ("a pay is positive", lambda game: game["model"]["pays"].append(pay("bar", 2, 0))),
    ("no pay comes twice", lambda game: game["model"]["pays"].append(pay("bar", 3, 1))),
    ("no board pays over 10,000 times the stake", lambda game: game["model"]["pays"][0].update(x100=200_001)),
    ("a scatter awards free spins, and nothing else does", lambda game: game["model"].update(scatter="bar")),
    (
        "a scatter awards free spins, and nothing else does",
        lambda game: game["model"].update(freeSpins=[{"count": 3, "spins": 1}]),
    ),
    ("the scatter is on a reel", lambda game: game["model"].update(free(scatter="star"))),
    ("a scatter fits no line", lambda game: game["model"].update(free(scatter="wild"))),
    ("a scatter fits no line", lambda game: game["model"].update(free(scatter="seven"))),
    ("an award counts scatters once", lambda game: game["model"].update(free((3, 1), (3, 2)))),
    ("an award counts scatters once", lambda game: game["model"].update(free((0, 1)))),
    ("an award is 1 to 50 free spins", lambda game: game["model"].update(free((3, 0)))),
    ("an award is 1 to 50 free spins", lambda game: game["model"].update(free((3, 51)))),
]
MALFORMED: list[tuple[str, Change]] = [
    ("unknown field `more`", lambda game: game.update(more=1)),
    ("required field `maxWin`", lambda game: game.pop("maxWin")),
    ("Expected `int`", lambda game: game.update(minBet=1.5)),
]
FIT: list[Change] = [
    lambda game: game.update(minBet=1, maxBet=1, maxWin=1),
    lambda game: game["model"].update(rows=1, lines=[[0, 0, 0]]),
    lambda game: game["model"].update(reels=[["wild", "bar", "bell"]] * 3, pays=[pay("bar", 1, 1)]),
    lambda game: game["model"].update(
        reels=[["wild", "bar"] * 100, ["bar"] * 250, ["bar"] * 100], pays=[pay("bar", 3, 1)]
    ),
    lambda game: game["model"]["pays"][0].update(x100=200_000),
    lambda game: game["model"].update(free((1, 1), (9, 50))),
]


def free(*awards: tuple[int, int], scatter: str = "extra") -> dict[str, Any]:
    """Free spins for a scatter that stands on a reel and in no pay."""
    reels = json.loads(FILE.read_bytes())["model"]["reels"]
    reels[0].append("extra")
    return {
        "reels": reels,
        "scatter": scatter,
        "freeSpins": [{"count": count, "spins": spins} for count, spins in awards or [(3, 1)]],
    }


def pay(symbol: str, count: int, x100: int) -> dict[str, Any]:
    return {"symbol": symbol, "count": count, "x100": x100}


def changed(change: Change) -> bytes:
    content = json.loads(FILE.read_bytes())
    change(content)
    return json.dumps(content).encode()


def test_a_file_that_breaks_a_rule_is_refused_with_the_rule() -> None:
    for rule, change in BROKEN:
        with pytest.raises(UnfitModel, match=rf"^SLOTS_001: {re.escape(rule)}$"):
            read_game(changed(change))
    for cause, change in MALFORMED:
        with pytest.raises(UnfitModel, match=re.escape(cause)):
            read_game(changed(change))


def test_the_bounds_themselves_are_fit() -> None:
    for change in FIT:
        read_game(changed(change))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff"])
def test_a_file_that_is_no_game_is_refused(content: bytes) -> None:
    with pytest.raises(UnfitModel):
        read_game(content)
