"""Computes exactly what a round of a slot pays back, from the counts of its boards, in rational arithmetic."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Final

from provider.games.slots.boards import BoardKey, PayKey, boards_by_key, lines_by_pay
from provider.games.slots.model import SlotGame, SlotModel
from provider.games.slots.sums import repeated_sums, sums

CONFIDENCE_90: Final = Fraction(1645, 1000)
"""The volatility index is the standard deviation times this."""


@dataclass(frozen=True, slots=True)
class Payback:
    """`boards_by_key`: the number of boards by what they pay in hundredths of the stake and the free spins that they
    award. `lines_by_pay`: on how many lines of all boards each pay is the best."""

    boards: int
    boards_by_key: Mapping[BoardKey, int]
    lines_by_pay: Mapping[PayKey, int]

    def rtp(self, game: SlotGame, *, stake_minor: int, max_win_minor: int | None = None) -> Fraction:
        """The share of this stake that comes back in the long run, with the cap and with rounding.

        `max_win_minor`: a cap in place of the game's.
        """
        cap = game.max_win if max_win_minor is None else max_win_minor
        if stake_minor * self.max_x100 // 100 <= cap:
            return self.mean - self._rounded_off(stake_minor) / stake_minor
        capped_from = -(-cap * 100 // stake_minor)
        below = self.rounds_below(capped_from)
        paid = sum(stake_minor * x100 // 100 * rounds for x100, rounds in below.items())
        capped = self.rounds - sum(below.values())
        return Fraction(paid + cap * capped, self.rounds * stake_minor)

    @property
    def rounds(self) -> int:
        """How many rounds there are when every round draws as many boards as the longest one."""
        return int(self.boards ** (self.free_spins_max + 1))

    @property
    def free_spins_max(self) -> int:
        """The most free spins that a board awards."""
        return max(spins for _, spins in self.boards_by_key)

    @property
    def boards_by_x100(self) -> Counter[int]:
        """The number of boards by what they pay."""
        counts: Counter[int] = Counter()
        for (x100, _), boards in self.boards_by_key.items():
            counts[x100] += boards
        return counts

    @property
    def board_mean(self) -> Fraction:
        """What a board pays of a stake of 1, without the free spins that it awards."""
        return self._mean_of(lambda x100, _: Fraction(x100, 100))

    @property
    def mean(self) -> Fraction:
        """The return of a stake that neither the cap nor rounding lowers."""
        of_board = self.board_mean
        return self._mean_of(lambda x100, spins: Fraction(x100, 100) + spins * of_board)

    @property
    def variance(self) -> Fraction:
        """The variance of what a round pays of a stake of 1."""
        mean = self.board_mean
        spread = self._mean_of(lambda x100, _: Fraction(x100, 100) ** 2) - mean * mean
        squares = self._mean_of(lambda x100, spins: (Fraction(x100, 100) + spins * mean) ** 2 + spins * spread)
        return squares - self.mean * self.mean

    @property
    def hit_rate(self) -> Fraction:
        """The share of rounds that pay."""
        nothing = Fraction(self.boards_by_x100.get(0, 0), self.boards)
        return 1 - self._mean_of(lambda x100, spins: Fraction(0) if x100 else nothing**spins)

    @property
    def feature_rate(self) -> Fraction:
        """The share of rounds that have free spins."""
        return self._mean_of(lambda _, spins: Fraction(spins > 0))

    @property
    def max_x100(self) -> int:
        """The most that a round pays."""
        best = max(self.boards_by_x100)
        return max(x100 + spins * best for x100, spins in self.boards_by_key)

    @property
    def max_probability(self) -> Fraction:
        """How probable a round is that pays the most."""
        most, (best, boards) = self.max_x100, max(self.boards_by_x100.items())
        again = Fraction(boards, self.boards)
        return self._mean_of(lambda x100, spins: again**spins if x100 + spins * best == most else Fraction(0))

    def rounds_below(self, limit_x100: int) -> Counter[int]:
        """How many of all `rounds` pay each amount below this limit."""
        counts: Counter[int] = Counter()
        for spins, first in self._first_boards().items():
            free = repeated_sums(self.boards_by_x100, spins, below=limit_x100)
            unseen = self.boards ** (self.free_spins_max - spins)
            for x100, rounds in sums(first, free, below=limit_x100).items():
                counts[x100] += rounds * unseen
        return counts

    def _rounded_off(self, stake_minor: int) -> Fraction:
        """What rounding down takes from a round on average, in minor units. It depends on hundredths alone."""
        counts: Counter[int] = Counter()
        by_hundredths = _of_hundredths(self.boards_by_x100, stake_minor)
        for spins, first in self._first_boards().items():
            total = _of_hundredths(first, stake_minor)
            for _ in range(spins):
                total = _of_hundredths(sums(total, by_hundredths, below=200), 1)
            for hundredths, rounds in total.items():
                counts[hundredths] += rounds * self.boards ** (self.free_spins_max - spins)
        return Fraction(sum(each * rounds for each, rounds in counts.items()), 100 * self.rounds)

    def _first_boards(self) -> dict[int, Counter[int]]:
        """The boards that a round may begin with, by the free spins that they award."""
        first: dict[int, Counter[int]] = {}
        for (x100, spins), boards in self.boards_by_key.items():
            first.setdefault(spins, Counter())[x100] += boards
        return first

    def _mean_of(self, value: Callable[[int, int], Fraction]) -> Fraction:
        return sum((boards * value(*key) for key, boards in self.boards_by_key.items()), Fraction(0)) / self.boards


def payback_of(model: SlotModel) -> Payback:
    """Count every board."""
    return Payback(model.boards, boards_by_key(model), lines_by_pay(model))


def decimals(value: Fraction, digits: int = 6) -> str:
    """A fraction of at least 0 as text, rounded down: `decimals(Fraction(2539, 2662))` is "0.953794"."""
    scaled = value.numerator * 10**digits // value.denominator
    return f"{scaled // 10**digits}.{scaled % 10**digits:0{digits}d}"


def volatility_index(variance: Fraction) -> Fraction:
    """The standard deviation, to six decimals and rounded down, times `CONFIDENCE_90`."""
    return Fraction(isqrt(variance.numerator * 10**12 // variance.denominator), 10**6) * CONFIDENCE_90


def _of_hundredths(counts: Mapping[int, int], times: int) -> Counter[int]:
    """The counts of what is left of the values, times this, below 100."""
    left: Counter[int] = Counter()
    for value, count in counts.items():
        left[value * times % 100] += count
    return left
