"""Samples, medians and targets: how the bench turns rounds into figures.

Rounds are interleaved (A B C, C B A, …). A machine that grows slower or faster during the run then does so for every
side of a ratio.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Progress = Callable[[str], None]


class UnsoundRoundError(AssertionError):
    """A round whose answers or whose books were not what they must be: its speed means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One round of one measurement."""

    value: float
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Something that can be measured again and again. `what` is the row's text in the table."""

    key: str
    what: str
    measure: Callable[[], Sample]
    unit: str = "per second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The median of a measurement's rounds, and how far they lay apart."""

    key: str
    what: str
    unit: str
    value: float
    least: float
    most: float
    rounds: int
    p50_ms: float | None = None
    p99_ms: float | None = None
    values: tuple[float, ...] = ()
    """The rounds in their order, for ratios."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure or ratio that the product promises. `at_least` false means: at most."""

    what: str
    value: float
    bound: float
    at_least: bool = True
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one group of rows found."""

    figures: tuple[Figure, ...] = ()
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much one run may take: a quick one shows that everything answers, a full one measures."""

    rounds: int
    rounds_again: int
    """Of a row that seems slower than an earlier revision."""
    round_seconds: float
    warm_up_seconds: float
    player_count: int
    large_ledger_count: int
    memory_seconds: float


FULL = Size(
    rounds=5,
    rounds_again=15,
    round_seconds=4.0,
    warm_up_seconds=3.0,
    player_count=10_000,
    large_ledger_count=2_000_000,
    memory_seconds=60.0,
)
QUICK = Size(
    rounds=1,
    rounds_again=1,
    round_seconds=1.0,
    warm_up_seconds=0.5,
    player_count=1_000,
    large_ledger_count=40_000,
    memory_seconds=5.0,
)


def median_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def interleave(measurements: Sequence[Measurement], *, rounds: int, progress: Progress) -> dict[str, Figure]:
    """Measure everything once, then everything again in reverse, and so on, `rounds` times; the medians by key."""
    samples: Mapping[str, list[Sample]] = {measurement.key: [] for measurement in measurements}
    for number in range(1, rounds + 1):
        for measurement in measurements if number % 2 else reversed(measurements):
            sample = measurement.measure()
            samples[measurement.key].append(sample)
            tail = (
                f", p50 {sample.p50_ms:.1f} ms, p99 {sample.p99_ms:.1f} ms" if sample.p50_ms and sample.p99_ms else ""
            )
            progress(f"round {number} of {rounds}: {measurement.what}: {sample.value:,.0f} {measurement.unit}{tail}")
    return {measurement.key: _figure(measurement, samples[measurement.key]) for measurement in measurements}


def ratio_of(figures: Mapping[str, Figure], *, over: str, under: str, what: str, bound: float) -> Target:
    """The median of the ratios of rounds that were taken one after the other."""
    pairs = zip(figures[over].values, figures[under].values, strict=True)
    return Target(what=what, value=statistics.median(upper / lower for upper, lower in pairs), bound=bound)


def _figure(measurement: Measurement, samples: Sequence[Sample]) -> Figure:
    values = [sample.value for sample in samples]
    return Figure(
        key=measurement.key,
        what=measurement.what,
        unit=measurement.unit,
        value=statistics.median(values),
        least=min(values),
        most=max(values),
        rounds=len(values),
        values=tuple(values),
        p50_ms=median_of([sample.p50_ms for sample in samples]),
        p99_ms=median_of([sample.p99_ms for sample in samples]),
    )
