"""The bench answers. How fast is for `make bench` to say: a test machine's speed proves nothing."""

import os

import pytest

from bench.__main__ import run_bench
from bench.against import measure_twice_if_slow
from bench.measurements import QUICK, Measurement, Sample, Target, interleave, ratio_of

takes_long = pytest.mark.skipif(os.environ.get("NIGHTLY") != "1", reason="half a minute of a core: NIGHTLY=1")


@takes_long
def test_a_quick_run_gets_an_answer_for_every_wallet_row() -> None:
    said: list[str] = []
    report = run_bench(["wallet"], size=QUICK, progress=said.append)
    assert {figure.key for figure in report.figures} == {
        "debits-32", "debits-64", "debits-128", "pgbench", "single", "hot", "mixed",
    }  # fmt: skip
    assert all(figure.value > 0 for figure in report.figures)
    assert len(report.targets) == 4
    assert said


@takes_long
def test_a_quick_run_gets_an_answer_for_every_row_to_compare_with_and_for_every_cost() -> None:
    report = run_bench(["peers", "cost"], size=QUICK, progress=lambda _text: None)
    loads = ("debits", "rounds", "plain-ledger")
    assert {figure.key for figure in report.figures} == {
        "one-process", "two-processes", "empty", "plain-ledger", "commit-1", "commit-32",
        *(f"{load}-{kind}" for load in loads for kind in ("core", "wal")),
    }  # fmt: skip
    assert all(figure.value > 0 for figure in report.figures)


@pytest.mark.slow
def test_twice_the_load_is_accepted_or_told_to_wait_and_the_wallet_recovers() -> None:
    """Row D3. What it accepts at which load is for `make bench`; here: nothing but 200 and 503, and the books agree."""
    report = run_bench(["overload"], size=QUICK, progress=lambda _text: None)
    assert {figure.key for figure in report.figures} == {"arrivals-1", "arrivals-2"}
    assert all(figure.value > 0 for figure in report.figures), "some bets were accepted at either load"


def test_rounds_are_taken_there_and_back_and_a_ratio_is_the_median_of_neighbours() -> None:
    order: list[str] = []

    def side(name: str, values: list[float]) -> Measurement:
        left = iter(values)

        def measure() -> Sample:
            order.append(name)
            return Sample(value=next(left))

        return Measurement(key=name, what=name, measure=measure)

    sides = [side("a", [10.0, 30.0, 20.0]), side("b", [5.0, 4.0, 100.0])]
    figures = interleave(sides, rounds=3, progress=lambda _text: None)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert (figures["a"].value, figures["a"].least, figures["a"].most, figures["a"].rounds) == (20.0, 10.0, 30.0, 3)
    assert ratio_of(figures, over="a", under="b", what="a over b", bound=4.0).value == 2.0


@pytest.mark.parametrize(
    ("value", "at_least", "met"), [(1.0, True, True), (0.999, True, False), (0.999, False, True), (1.001, False, False)]
)
def test_a_target_is_met_only_up_to_its_bound(*, value: float, at_least: bool, met: bool) -> None:
    assert Target(what="x", value=value, bound=1.0, at_least=at_least).met is met


def test_a_row_that_seems_slower_than_before_is_measured_again_in_more_rounds() -> None:
    taken: list[str] = []

    def row(name: str, value: float) -> Measurement:
        def measure() -> Sample:
            taken.append(name)
            return Sample(value=value)

        return Measurement(key=name.removesuffix(" before"), what=name, measure=measure)

    pairs = [(row("even", 98.0), row("even before", 100.0)), (row("slow", 97.0), row("slow before", 100.0))]
    figures = measure_twice_if_slow(pairs, rounds=2, again=3, progress=lambda _text: None)
    assert {key: figure.rounds for key, figure in figures.items()} == {
        "even": 2, "then-even": 2, "slow": 3, "then-slow": 3,
    }  # fmt: skip
    assert [taken.count(name) for name in ("even", "even before", "slow", "slow before")] == [2, 2, 5, 5]
