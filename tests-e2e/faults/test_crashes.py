"""Protocol section 7: kill -9 of either service between any two writes. After a restart both sides' books agree."""

import random
import threading
import time
from collections.abc import Callable

import pytest

from e2e_testing.fault import Call, Fault, Gate, Matches
from e2e_testing.game_session import GameSession
from e2e_testing.service_process import ServiceProcess
from faults.scene import ROUND_SECONDS_MAX, STEPS, Round, Scene, step_of
from shared_service_testing.waiting import WAIT_SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow

CAMPAIGN_SECONDS = 9.0
CAMPAIGN_PLAYERS = 4
KILLS = 4

Chooses = Callable[[Scene], list[ServiceProcess]]

VICTIMS: dict[str, Chooses] = {
    "the provider": lambda scene: [scene.stack.provider_process],
    "the casino": lambda scene: [scene.stack.casino_process],
    "both": lambda scene: [scene.stack.provider_process, scene.stack.casino_process],
}


def repeated(matches: Matches) -> Matches:
    def second(call: Call) -> bool:
        return matches(call) and call.attempt > 1

    return second


def call_of_step(session: GameSession, step: str) -> Matches:
    """The wallet call that a step of the script makes."""
    return {
        "balance_check": step_of(session, "getBalance", 1),
        "bet_1": step_of(session, "debit", 1),
        "bet_2": step_of(session, "debit", 2),
        "rollback_bet_2": step_of(session, "rollback", 1),
        "payout": step_of(session, "credit", 1),
        "final_balance_check": step_of(session, "getBalance", 2),
        "idempotency_retry": repeated(step_of(session, "debit", 1)),
        "tombstone_rollback": step_of(session, "rollback", 2),
        "rejected_rollback": step_of(session, "rollback", 3),
    }[step]


def bring_back(scene: Scene) -> None:
    for service in (scene.stack.casino_process, scene.stack.provider_process):
        if service.process is None:
            if service.package == "provider":
                scene.let_leases_end()
            service.restart()


@pytest.mark.parametrize("held", ["before the wallet hears of it", "after the wallet did it"])
@pytest.mark.parametrize("victims", VICTIMS.values(), ids=VICTIMS.keys())
def test_a_kill_at_every_step_of_the_round_leaves_nothing_undone(
    fresh_scene: Scene, victims: Chooses, held: str
) -> None:
    """Rows A1, A2 and A3. Nine rounds stand still, each at another step, when the kill comes."""
    scene, gates, rounds = fresh_scene, {step: Gate() for step in STEPS}, dict[str, Round]()
    for step, gate in gates.items():
        session = scene.stack.session()
        fault = Fault(hold_before=gate) if held.startswith("before") else Fault(hold_after=gate)
        scene.disturb(call_of_step(session, step), fault)
        rounds[step] = scene.start_round(session)
    for gate in gates.values():
        gate.wait_for_arrival()
    for victim in victims(scene):
        victim.kill_9()
    for gate in gates.values():
        gate.open()
    bring_back(scene)
    for playing in rounds.values():
        playing.wait()
    scene.require_agreement()
    for step, playing in rounds.items():
        moved = scene.balance(playing.session) - playing.session.opening_balance_minor
        assert moved in (0, 1000), f"{step}: the player is left with {moved}"
    after = scene.play_round(scene.stack.session())
    assert after.passed, "and the next round is played as if nothing had happened"


def test_kills_at_random_moments_under_load_leave_nothing_undone(fresh_scene: Scene) -> None:
    """Rows A1 and A2, on a small scale: `make chaos` does the same with forty players and everything else broken."""
    seed = random.randrange(2**32)
    dice, scene, over = random.Random(seed), fresh_scene, threading.Event()
    played: list[Round] = []

    def play_on() -> None:
        while not over.is_set():
            try:
                session = scene.stack.session()
            except Exception:
                time.sleep(0.1)
                continue
            played.append(scene.play_round(session))

    players = [threading.Thread(target=play_on, daemon=True) for _ in range(CAMPAIGN_PLAYERS)]
    for player in players:
        player.start()
    kills, deadline = 0, time.monotonic() + WAIT_SECONDS_MAX
    while kills < KILLS or (all(playing.passed for playing in played) and time.monotonic() < deadline):
        time.sleep(dice.uniform(0.2, CAMPAIGN_SECONDS / KILLS / 2))
        victim = dice.choice([scene.stack.casino_process, scene.stack.provider_process])
        victim.kill_9()
        time.sleep(dice.uniform(0.0, 0.3))
        victim.restart()
        kills += 1
    wait_until(lambda: any(playing.passed for playing in played), f"seed {seed}: no round passed")
    over.set()
    for player in players:
        player.join(ROUND_SECONDS_MAX)
        assert not player.is_alive(), f"seed {seed}: a player never came back"
    scene.require_agreement()
    assert not all(playing.passed for playing in played), f"seed {seed}: no round was interrupted: the campaign is void"


def test_connections_to_postgres_that_break_under_load_leave_nothing_undone(fresh_scene: Scene) -> None:
    scene, over, played = fresh_scene, threading.Event(), list[Round]()

    def play_on() -> None:
        while not over.is_set():
            try:
                session = scene.stack.session()
            except Exception:
                time.sleep(0.05)
                continue
            played.append(scene.play_round(session))

    players = [threading.Thread(target=play_on, daemon=True) for _ in range(CAMPAIGN_PLAYERS)]
    for player in players:
        player.start()
    for _ in range(12):
        time.sleep(0.25)
        scene.database.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    wait_until(lambda: any(playing.passed for playing in played), "no round passed")
    over.set()
    for player in players:
        player.join(ROUND_SECONDS_MAX)
        assert not player.is_alive(), "a player never came back"
    scene.require_agreement()
