"""The same seed gives the same campaign: what is printed, what each call meets, and which rounds are played."""

import os
import subprocess
import sys

import pytest

from chaos.plan import ALWAYS, PROCESS_WEIGHTS, WIRE_SHARES, Plan, draw_plan
from chaos.process_faults import MENU as PROCESS_MENU
from chaos.wire_policy import MENU

SEEDS = range(60)


def decisions(plan: Plan) -> list[object]:
    return [plan.wire_fault(f"player-{player:03d}", number) for player in range(5) for number in range(200)]


def test_the_same_seed_prints_the_same_plan_in_another_process() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}  # a copy of the checkout may not be installed
    command = [sys.executable, "-m", "chaos", "--plan", "--seed", "4711", "--seconds", "90"]
    printed = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout
        for _ in range(2)
    ]
    assert printed[0] == printed[1] == f"{draw_plan(4711, 90)}\n"


def test_different_seeds_give_different_plans() -> None:
    assert len({str(draw_plan(seed, 60)) for seed in SEEDS}) == len(SEEDS)


def test_every_call_meets_the_same_fault_under_the_same_seed_and_another_under_another() -> None:
    assert decisions(draw_plan(5, 60)) == decisions(draw_plan(5, 60))
    assert decisions(draw_plan(5, 60)) != decisions(draw_plan(6, 60))


def test_every_player_plays_the_same_rounds_under_the_same_seed() -> None:
    seeds = [draw_plan(5, 60).round_seed("player-001", number) for number in range(100)]
    assert seeds == [draw_plan(5, 60).round_seed("player-001", number) for number in range(100)]
    assert None in seeds, "rounds of nine steps are played too"
    assert len(set(seeds)) > 50


def test_a_longer_campaign_of_a_seed_begins_as_the_shorter_one() -> None:
    short, long = draw_plan(9, 30), draw_plan(9, 120)
    assert short.shares == long.shares
    assert long.schedule[: len(short.schedule)] == short.schedule


@pytest.mark.parametrize("seed", SEEDS)
def test_every_seed_has_what_a_campaign_is_for_and_leaves_most_calls_alone(seed: int) -> None:
    plan = draw_plan(seed, 60)
    shares = dict(plan.shares)
    assert set(ALWAYS) <= set(shares)
    assert sum(shares.values()) < 0.6
    assert {"kill_casino", "kill_provider"} <= {fault.kind for fault in plan.schedule}
    assert all(fault.at_seconds < 60 for fault in plan.schedule)


def test_every_fault_is_drawn_by_some_seed_and_each_has_its_place_on_the_menu() -> None:
    plans = [draw_plan(seed, 60) for seed in SEEDS]
    assert {kind for plan in plans for kind, _ in plan.shares} == set(WIRE_SHARES) == set(MENU)
    assert {fault.kind for plan in plans for fault in plan.schedule} == set(PROCESS_WEIGHTS) == set(PROCESS_MENU)


def test_about_as_many_calls_suffer_as_the_shares_say() -> None:
    plan = draw_plan(3, 60)
    drawn = [plan.wire_fault("player-000", number) for number in range(20_000)]
    for kind, share in plan.shares:
        found = sum(fault is not None and fault.kind == kind for fault in drawn) / len(drawn)
        assert abs(found - share) < 0.01, kind
