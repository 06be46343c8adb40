"""Computes exactly what a slot pays back, by enumeration of all boards, in rational arithmetic."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import isqrt
from typing import Final

from provider.games.slots.model import SlotGame, SlotModel
from provider.games.slots.spin import evaluate

PayKey = tuple[str, int]
"""The symbol and the count of a pay."""

CONFIDENCE_90: Final = Fraction(1645, 1000)
"""The volatility index is the standard deviation times this."""


@dataclass(frozen=True, slots=True)
class Payback:
    """`boards_by_x100`: the number of boards by what they pay in hundredths of the stake. `lines_by_pay`: on how many
    lines of all boards each pay is the best."""

    boards: int
    boards_by_x100: Mapping[int, int]
    lines_by_pay: Mapping[PayKey, int]

    def rtp(self, game: SlotGame, *, stake_minor: int) -> Fraction:
        """The share of this stake that comes back in the long run, with the cap and with rounding."""
        paid = sum(
            min(game.max_win, stake_minor * x100 // 100) * boards for x100, boards in self.boards_by_x100.items()
        )
        return Fraction(paid, self.boards * stake_minor)

    @property
    def mean(self) -> Fraction:
        """The return of a stake that neither the cap nor rounding lowers."""
        return self._moment(1)

    @property
    def hit_rate(self) -> Fraction:
        """The share of boards that pay."""
        return Fraction(self.boards - self.boards_by_x100.get(0, 0), self.boards)

    @property
    def variance(self) -> Fraction:
        """The variance of what a stake of 1 pays."""
        return self._moment(2) - self.mean * self.mean

    @property
    def max_x100(self) -> int:
        """The most that a board pays."""
        return max(self.boards_by_x100)

    def _moment(self, power: int) -> Fraction:
        return Fraction(
            sum(x100**power * boards for x100, boards in self.boards_by_x100.items()), self.boards * 100**power
        )


def payback_of(model: SlotModel) -> Payback:
    """Evaluate every board."""
    boards: Counter[int] = Counter()
    lines: Counter[PayKey] = Counter()
    for stops in product(*(range(len(reel)) for reel in model.reels)):
        spun = evaluate(model, stops)
        boards[spun.x100] += 1
        lines.update((win.symbol, win.count) for win in spun.wins)
    return Payback(model.boards, boards, lines)


def decimals(value: Fraction, digits: int = 6) -> str:
    """A fraction of at least 0 as text, rounded down: `decimals(Fraction(2539, 2662))` is "0.953794"."""
    scaled = value.numerator * 10**digits // value.denominator
    return f"{scaled // 10**digits}.{scaled % 10**digits:0{digits}d}"


def volatility_index(variance: Fraction) -> Fraction:
    """The standard deviation, to six decimals and rounded down, times `CONFIDENCE_90`."""
    return Fraction(isqrt(variance.numerator * 10**12 // variance.denominator), 10**6) * CONFIDENCE_90
