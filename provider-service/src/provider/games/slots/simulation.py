"""Plays many spins of a slot and compares their mean with the exact return."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from provider.games.fairness.draws import SeededSource
from provider.games.slots.model import SlotModel
from provider.games.slots.rtp import Payback
from provider.games.slots.spin import draw_stops, evaluate

CLIENT_SEED: Final = "simulation"
CONFIDENCE_99: Final = Fraction(25758, 10_000)


@dataclass(frozen=True, slots=True)
class Simulated:
    """`paid_x100`: what all spins paid together, in hundredths of a stake."""

    rounds: int
    hits: int
    paid_x100: int

    @property
    def mean(self) -> Fraction:
        """What a spin paid on average, as a share of the stake."""
        return Fraction(self.paid_x100, self.rounds * 100)

    def agrees_with(self, exact: Payback) -> bool:
        """Whether the mean lies in its 99 % interval around the exact return.

        A true model fails for one seed of a hundred, so give a fixed seed where a failure must mean a defect.
        """
        distance = self.mean - exact.mean
        return distance * distance * self.rounds <= CONFIDENCE_99 * CONFIDENCE_99 * exact.variance


def simulate(model: SlotModel, *, rounds: int, seed: bytes) -> Simulated:
    """Play `rounds` spins with this server seed: the counters from 0 on, drawn as a player's spins are."""
    known: dict[tuple[int, ...], int] = {}
    hits = paid_x100 = 0
    for counter in range(rounds):
        stops = draw_stops(model, SeededSource(seed, CLIENT_SEED, counter))
        x100 = known.get(stops)
        if x100 is None:
            x100 = known[stops] = evaluate(model, stops).x100
        hits += x100 > 0
        paid_x100 += x100
    return Simulated(rounds, hits, paid_x100)
