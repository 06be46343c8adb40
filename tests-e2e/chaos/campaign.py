"""One campaign: a stage, a crowd, a plan of faults; then healing, recovery, examination and a verdict.

Owns their order. Must leave no process behind, however it ends, and keep the logs of a run that was not green.
"""

import asyncio
import subprocess
import threading
import time
from collections import Counter

from chaos.auditor import ContinuousAuditor
from chaos.disturber import Disturber, heal
from chaos.examination import RECOVERY_SECONDS_MAX, examine, open_ends, recover
from chaos.plan import Plan
from chaos.record import refusals_of_nonces
from chaos.round_players import PLAYERS, Crowd
from chaos.stage import CALL_SECONDS, Stage, new_folder, new_secrets, remove, set_stage
from chaos.verdict import Verdict, counted
from chaos.wire_policy import WirePolicy

THREAD_END_SECONDS_MAX = 30.0


def run(plan: Plan) -> int:
    """Run the campaign and print what came of it; the exit status."""
    print(plan, flush=True)
    folder, started = new_folder(), time.monotonic()
    secrets = new_secrets()
    policy = WirePolicy(plan, secrets[0], deadline_seconds=CALL_SECONDS)
    verdict = Verdict({"the campaign came to its end": ["it did not"]})
    try:
        with set_stage(folder, policy, secrets) as stage:
            verdict = _perform(plan, stage, policy)
    finally:
        word = verdict.word
        if word == "green":
            remove(folder)
        else:
            print(f"logs are kept in {folder}")
        print(
            f"seed {plan.seed}, {plan.seconds:g} s, commit {commit()}, took {time.monotonic() - started:.0f} s: {word}"
        )
    return verdict.exit_status


def _perform(plan: Plan, stage: Stage, policy: WirePolicy) -> Verdict:
    verdict, over, crowd = Verdict(), threading.Event(), Crowd(plan, stage)
    crowd.open_accounts()
    disturber = Disturber(plan, stage, crowd.names, over)
    auditor = ContinuousAuditor(stage.database, over)
    threads = [threading.Thread(target=work, daemon=True) for work in (disturber.run, auditor.run)]
    for thread in threads:
        thread.start()
    try:
        healed_at = asyncio.run(_play_for(crowd, plan.seconds, stage))
    finally:
        over.set()
        for thread in threads:
            thread.join(THREAD_END_SECONDS_MAX)
    seconds = recover(stage, since=healed_at)
    ends = open_ends(stage)
    verdict.hold(
        f"everything is resolved within {RECOVERY_SECONDS_MAX:g} s of healing", ends if seconds is None else []
    )
    verdict.reached["audits_during_the_run"] = auditor.audits
    auditor.audit()
    verdict.hold("the ledger was sound at every moment", auditor.findings)
    verdict.hold("I12 no process ended by itself", stage.died_alone)
    verdict.hold("the faults themselves worked", disturber.failures)
    verdict.reached["processes_brought_back"] = stage.came_back
    examine(stage, crowd, verdict)
    _print(verdict, crowd, policy.counts, disturber.counts, refusals_of_nonces(stage.proxy.deliveries))
    print(f"time to recover: {'never' if seconds is None else f'{seconds:.1f} s'} after healing")
    if not stage.clock_files:
        print("no clock was stepped: libfaketime is not here (Debian package faketime)")
    return verdict


async def _play_for(crowd: Crowd, seconds: float, stage: Stage) -> float:
    """The players play while things break. Then all is healed, and whoever is in a round may finish it.

    Answers when it was healed, in monotonic seconds.
    """
    playing = asyncio.create_task(crowd.play())
    await asyncio.wait([playing], timeout=seconds)
    crowd.over.set()
    await asyncio.to_thread(heal, stage)
    healed_at = time.monotonic()
    await playing
    return healed_at


def _print(verdict: Verdict, crowd: Crowd, *counts: Counter[str]) -> None:
    titles = ["faults of messages", "faults of processes", "what the wallet would not read"]
    for title, of_title in zip(titles, counts, strict=True):
        print("\n".join(counted(title, of_title)))
    passed = sum(bool(report.content.get("passed")) for report in crowd.reports)
    players = crowd.counts | Counter({"players": PLAYERS, "rounds that passed": passed})
    print("\n".join(counted("players", players)))
    print("\n".join(counted("reached", verdict.reached)))
    print("\n".join(["checks", *verdict.lines()]))


def commit() -> str:
    """Which code this was, and whether it was changed since."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False, timeout=10
    )
    return described.stdout.strip() or "unknown"
