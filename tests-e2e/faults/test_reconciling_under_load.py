"""Reconciliation while rounds are played, answers are lost and recovery works: what is under way is no difference."""

import json
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from e2e_testing.fault import Call, Fault
from e2e_testing.service_process import full_environment
from e2e_testing.stack import CURRENCY, TENANT
from faults.faulty_stack import ROUND_SECONDS_MAX, FaultyStack
from shared_service_testing.sampling import IS_NIGHTLY

pytestmark = pytest.mark.slow

PLAYERS = 4
LOAD_SECONDS = 20.0 if IS_NIGHTLY else 3.0
LOAD_SECONDS_MAX = 120.0
RUNS_MIN = 3
COMMAND_SECONDS = 120.0
EVERY_NTH_ANSWER_IS_LOST = 17


def reconcile(faulty: FaultyStack, *words: str) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-m", "provider", "reconcile", "--json", *words],
        env=full_environment(faulty.stack.provider_process.environment),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert ended.stdout.startswith("{"), ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


def test_runs_beside_live_traffic_find_no_difference(fresh_faulty: FaultyStack) -> None:
    """Row G7: precision while everything moves; half of the runs heal, and the outbox works beside them."""
    faulty, over, played = fresh_faulty, threading.Event(), list[bool]()
    sent: list[str] = []

    def now_and_then(call: Call) -> bool:
        if call.endpoint not in ("debit", "credit", "rollback"):
            return False
        sent.append(call.endpoint)
        return len(sent) % EVERY_NTH_ANSWER_IS_LOST == 0

    faulty.add_fault(now_and_then, Fault(cuts=True), times=10_000)

    def play_on(script: str) -> None:
        client = faulty.stack.signing_client(faulty.stack.provider)
        while not over.is_set():
            try:
                session = faulty.stack.session()
                content = {
                    "sessionToken": session.token,
                    "providerSessionId": session.provider_session_id,
                    "userId": session.user_id,
                    "gameId": "SLOTS_001",
                    "currency": CURRENCY,
                    "casinoCode": TENANT,
                    "script": script,
                }
                played.append(client.post("/provider/simulate", content).must_be_ok().content["passed"])
            except Exception:
                time.sleep(0.1)

    scripts = ["nine_steps", "mixed"]
    players = [threading.Thread(target=play_on, args=(scripts[n % 2],), daemon=True) for n in range(PLAYERS)]
    for player in players:
        player.start()
    reports = list[dict[str, Any]]()
    started = time.monotonic()
    while time.monotonic() < started + LOAD_SECONDS or (
        (len(reports) < RUNS_MIN or len(set(played)) < 2) and time.monotonic() < started + LOAD_SECONDS_MAX
    ):
        reports.append(reconcile(faulty, *(["--no-heal"] if len(reports) % 2 else [])))
    over.set()
    for player in players:
        player.join(ROUND_SECONDS_MAX)
        assert not player.is_alive(), "a player never came back"
    faulty.proxy.heal()
    for report in reports:
        assert (report["exitStatus"], report["differences"]) == (0, []), report
    assert len(reports) >= RUNS_MIN
    assert any(played)
    assert not all(played), "no answer was lost: the run is void"
    faulty.require_agreement()
    final = reconcile(faulty)
    assert (final["exitStatus"], final["differences"], final["open"]) == (0, [], 0)
