"""Counts all boards of a slot by what they pay and award, exactly.

Boards are built reel by reel. Those that no later reel can tell apart are counted together: every board is counted, and
millions of them are a few thousand steps.
"""

from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import product
from math import prod

from provider.games.slots.model import SlotModel
from provider.games.slots.spin import best_pay

BoardKey = tuple[int, int]
"""What a board pays in hundredths of the stake, and the free spins that it awards."""
PayKey = tuple[str, int]
"""The symbol and the count of a pay."""
_Begun = tuple[str, ...] | None
"""The symbols of a line so far; None when no later symbol changes what it pays."""
_State = tuple[int, int, tuple[_Begun, ...]]
"""What is paid for sure, the scatters, and the lines."""


def boards_by_key(model: SlotModel) -> Counter[BoardKey]:
    """How many boards there are of each key."""
    add_symbol = _line_steps(model)
    states: Counter[_State] = Counter({(0, 0, ((),) * len(model.lines)): 1})
    for place, reel in enumerate(model.reels):
        shown = Counter(tuple(reel[(stop + row) % len(reel)] for row in range(model.rows)) for stop in range(len(reel)))
        longer: Counter[_State] = Counter()
        for (x100, scatters, lines), boards in states.items():
            for symbols, stops in shown.items():
                steps = [
                    add_symbol(begun, symbols[line[place]]) for line, begun in zip(model.lines, lines, strict=True)
                ]
                state = (
                    x100 + sum(paid for paid, _ in steps),
                    scatters + sum(symbol == model.scatter for symbol in symbols),
                    tuple(begun for _, begun in steps),
                )
                longer[state] += boards * stops
        states = longer
    keys: Counter[BoardKey] = Counter()
    for (x100, scatters, _), boards in states.items():
        keys[x100, model.spins_for(scatters)] += boards
    return keys


def lines_by_pay(model: SlotModel) -> Counter[PayKey]:
    """On how many lines of all boards each pay is the best.

    A reel shows each of its symbols equally often in each row, so all lines have the same counts.
    """
    counts: Counter[PayKey] = Counter()
    for symbols in product(*(Counter(reel).items() for reel in model.reels)):
        pay = best_pay(model, [symbol for symbol, _ in symbols])
        if pay is not None:
            counts[pay.symbol, pay.count] += len(model.lines) * prod(times for _, times in symbols)
    return counts


def _line_steps(model: SlotModel) -> Callable[[_Begun, str], tuple[int, _Begun]]:
    """A function that adds a symbol to a line: what it pays, once that is known, and the line if it is not."""

    @cache
    def add_symbol(begun: _Begun, symbol: str) -> tuple[int, _Begun]:
        if begun is None:
            return 0, None
        symbols = (*begun, symbol)
        if any(
            pay.count > len(symbols) and all(each in (pay.symbol, model.wild) for each in symbols) for pay in model.pays
        ):
            return 0, symbols
        pay = best_pay(model, symbols)
        return (0 if pay is None else pay.x100), None

    return add_symbol
