"""Protocol section 7: kill -9 of either service between any two writes. After a restart both sides' books agree."""

import random
import threading
import time
from collections.abc import Callable

import pytest

from e2e_testing.fault import Call, Fault, Gate, Matches
from e2e_testing.game_session import GameSession
from e2e_testing.service_process import ServiceProcess
from faults.faulty_stack import ROUND_SECONDS_MAX, STEPS, FaultyStack, Round, step_of
from shared_service_testing.sampling import paired, sampled
from shared_service_testing.waiting import WAIT_SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow

CAMPAIGN_SECONDS = 9.0
CAMPAIGN_PLAYERS = 4
KILLS = 4

Chooses = Callable[[FaultyStack], list[ServiceProcess]]

VICTIMS: dict[str, Chooses] = {
    "the provider": lambda faulty: [faulty.stack.provider_process],
    "the casino": lambda faulty: [faulty.stack.casino_process],
    "both": lambda faulty: [faulty.stack.provider_process, faulty.stack.casino_process],
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


def bring_back(faulty: FaultyStack) -> None:
    for service in (faulty.stack.casino_process, faulty.stack.provider_process):
        if service.process is None:
            if service.package == "provider":
                faulty.let_leases_end()
            service.restart()


@pytest.mark.parametrize(
    ("victims", "held"),
    sampled(paired(VICTIMS, ("before the wallet hears of it", "after the wallet did it")), 2),
)
def test_a_kill_at_every_step_of_the_round_leaves_nothing_undone(
    fresh_faulty: FaultyStack, victims: str, held: str
) -> None:
    """Rows A1, A2 and A3. Nine rounds stand still, each at another step, when the kill comes."""
    faulty, gates, rounds = fresh_faulty, {step: Gate() for step in STEPS}, dict[str, Round]()
    for step, gate in gates.items():
        session = faulty.stack.session()
        fault = Fault(hold_before=gate) if held.startswith("before") else Fault(hold_after=gate)
        faulty.add_fault(call_of_step(session, step), fault)
        rounds[step] = faulty.start_round(session)
    for gate in gates.values():
        gate.wait_for_arrival()
    for victim in VICTIMS[victims](faulty):
        victim.kill_9()
    for gate in gates.values():
        gate.open()
    bring_back(faulty)
    for playing in rounds.values():
        playing.wait()
    faulty.require_agreement()
    for step, playing in rounds.items():
        moved = faulty.balance(playing.session) - playing.session.opening_balance_minor
        assert moved in (0, 1000), f"{step}: the player is left with {moved}"
    after = faulty.play_round(faulty.stack.session())
    assert after.passed, "and the next round is played as if nothing had happened"


def test_kills_at_random_moments_under_load_leave_nothing_undone(fresh_faulty: FaultyStack) -> None:
    """Rows A1 and A2, on a small scale: `make chaos` does the same with forty players and everything else broken."""
    seed = random.randrange(2**32)
    rng, faulty, over = random.Random(seed), fresh_faulty, threading.Event()
    played: list[Round] = []

    def play_on() -> None:
        while not over.is_set():
            try:
                session = faulty.stack.session()
            except Exception:
                time.sleep(0.1)
                continue
            played.append(faulty.play_round(session))

    players = [threading.Thread(target=play_on, daemon=True) for _ in range(CAMPAIGN_PLAYERS)]
    for player in players:
        player.start()
    kills, deadline = 0, time.monotonic() + WAIT_SECONDS_MAX
    while kills < KILLS or (all(playing.passed for playing in played) and time.monotonic() < deadline):
        time.sleep(rng.uniform(0.2, CAMPAIGN_SECONDS / KILLS / 2))
        victim = rng.choice([faulty.stack.casino_process, faulty.stack.provider_process])
        victim.kill_9()
        time.sleep(rng.uniform(0.0, 0.3))
        victim.restart()
        kills += 1
    wait_until(lambda: any(playing.passed for playing in played), f"seed {seed}: no round passed")
    over.set()
    for player in players:
        player.join(ROUND_SECONDS_MAX)
        assert not player.is_alive(), f"seed {seed}: a player never came back"
    faulty.require_agreement()
    assert not all(playing.passed for playing in played), f"seed {seed}: no round was interrupted: the campaign is void"


def test_connections_to_postgres_that_break_under_load_leave_nothing_undone(fresh_faulty: FaultyStack) -> None:
    faulty, over, played = fresh_faulty, threading.Event(), list[Round]()

    def play_on() -> None:
        while not over.is_set():
            try:
                session = faulty.stack.session()
            except Exception:
                time.sleep(0.05)
                continue
            played.append(faulty.play_round(session))

    players = [threading.Thread(target=play_on, daemon=True) for _ in range(CAMPAIGN_PLAYERS)]
    for player in players:
        player.start()
    for _ in range(12):
        time.sleep(0.25)
        faulty.database.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    wait_until(lambda: any(playing.passed for playing in played), "no round passed")
    over.set()
    for player in players:
        player.join(ROUND_SECONDS_MAX)
        assert not player.is_alive(), "a player never came back"
    faulty.require_agreement()
