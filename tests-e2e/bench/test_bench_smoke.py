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


@takes_long
def test_a_quick_run_gets_an_answer_with_and_without_the_platforms_gates() -> None:
    report = run_bench(["gates"], size=QUICK, progress=lambda _text: None)
    assert {figure.key for figure in report.figures} == {"open", "gated"}
    assert all(figure.value > 0 for figure in report.figures)


@takes_long
def test_a_quick_run_gets_an_answer_with_and_without_limits() -> None:
    report = run_bench(["limits"], size=QUICK, progress=lambda _text: None)
    assert {figure.key for figure in report.figures} == {"free", "limited"}
    assert all(figure.value > 0 for figure in report.figures)


@takes_long
def test_a_quick_run_gets_an_answer_with_and_without_the_risk_engine() -> None:
    report = run_bench(["safety"], size=QUICK, progress=lambda _text: None)
    assert {figure.key for figure in report.figures} == {"unwatched", "watched"}
    assert all(figure.value > 0 for figure in report.figures)


@takes_long
def test_a_quick_run_gets_an_answer_beside_a_webhook_that_hangs() -> None:
    report = run_bench(["webhooks"], size=QUICK, progress=lambda _text: None)
    assert {figure.key for figure in report.figures} == {"alone", "beside"}
    assert all(figure.value > 0 for figure in report.figures)


@takes_long
def test_twice_the_load_is_accepted_or_told_to_wait_and_the_wallet_recovers() -> None:
    """Row D3. What it accepts at which load is for `make bench`; here: nothing but 200 and 503, and the books agree."""
    report = run_bench(["overload"], size=QUICK, progress=lambda _text: None)
    assert {figure.key for figure in report.figures} == {"arrivals-1", "arrivals-2"}
    assert all(figure.value > 0 for figure in report.figures), "some bets were accepted at either load"


@takes_long
def test_bets_and_logins_are_all_accepted_beside_each_other() -> None:
    report = run_bench(["logins"], size=QUICK, progress=lambda _text: None)
    assert {figure.key for figure in report.figures} == {"bets-alone", "bets-beside-logins"}
    assert all(figure.value > 0 for figure in report.figures)


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

    def row(side: str, name: str, value: float) -> Measurement:
        def measure() -> Sample:
            taken.append(f"{side} {name}")
            return Sample(value=value)

        return Measurement(key=f"{side} {name}", what=name, measure=measure)

    sides = [
        [row("now", "even", 98.0), row("now", "slow", 97.0)],
        [row("old", "even", 100.0), row("old", "slow", 100.0)],
        [row("older", "even", 49.0), row("older", "slow", 48.5)],
    ]
    of_old, of_older = measure_twice_if_slow(sides, ["old", "older"], rounds=2, again=3, progress=lambda _text: None)
    assert [target.value for target in of_old.targets] == [0.98, 0.97]
    assert [target.value for target in of_older.targets] == [2.0, 2.0]
    assert [figure.rounds for figure in of_older.figures] == [2, 2, 3, 3]
    assert [taken.count(f"{side} {name}") for name in ("even", "slow") for side in ("now", "old", "older")] == [
        2, 2, 2, 5, 5, 5,
    ]  # fmt: skip
