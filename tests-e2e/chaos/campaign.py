"""One campaign: a stack, players, a plan of faults; then healing, recovery, examination and a verdict."""

import asyncio
import subprocess
import threading
import time
from collections import Counter

from chaos import limited_players
from chaos.chaos_stack import CALL_SECONDS, ChaosStack, new_folder, remove, start_chaos_stack
from chaos.examination import RECOVERY_SECONDS_MAX, examine, recover, unresolved_work
from chaos.house_moves import HouseMoves
from chaos.ledger_watch import LedgerWatch
from chaos.pairs import PeerSecrets
from chaos.plan import Plan
from chaos.platform_guests import PlatformGuests
from chaos.process_faults import ProcessFaults, heal
from chaos.record import refusals_of_nonces
from chaos.round_players import PLAYERS, Players
from chaos.verdict import Verdict, counted
from chaos.webhook_listener import WebhookListener
from chaos.wire_policy import WirePolicy
from e2e_testing.two_pairs import NUMBERS

THREAD_END_SECONDS_MAX = 30.0


def run(plan: Plan) -> int:
    """Run the campaign and print what came of it; the exit status."""
    print(plan, flush=True)
    folder, started = new_folder(), time.monotonic()
    secrets = PeerSecrets()
    policies = {
        number: WirePolicy(plan, secrets.at_casino(number), deadline_seconds=CALL_SECONDS) for number in NUMBERS
    }
    verdict = Verdict({"the campaign came to its end": ["it did not"]})
    try:
        with start_chaos_stack(folder, policies, secrets) as stack:
            verdict = _perform(plan, stack, list(policies.values()))
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


def _perform(plan: Plan, stack: ChaosStack, policies: list[WirePolicy]) -> Verdict:
    verdict, over, players = Verdict(), threading.Event(), Players(plan, stack)
    players.open_accounts()
    process_faults = ProcessFaults(plan, stack, players.names, over)
    watches = [LedgerWatch(database, over) for database in stack.databases.values()]
    houses = [HouseMoves(database, over) for database in stack.databases.values()]
    for house in houses:
        house.open_accounts()
    guests = [PlatformGuests(pair, over) for pair in stack.pairs]
    listeners = [WebhookListener(pair, f"{plan.seed} {pair.number}") for pair in stack.pairs]
    for guest, listener in zip(guests, listeners, strict=True):
        guest.set_up()
        listener.set_up(guest.operator)
    works = (process_faults.run, *(work.run for work in (*watches, *houses, *guests)))
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        healed_at = asyncio.run(_play_for(players, plan.seconds, stack))
    finally:
        over.set()
        for thread in threads:
            thread.join(THREAD_END_SECONDS_MAX)
    seconds = recover(stack, since=healed_at)
    left = unresolved_work(stack)
    verdict.hold(
        f"everything is resolved within {RECOVERY_SECONDS_MAX:g} s of healing", left if seconds is None else []
    )
    verdict.reached["looks_at_the_ledger"] = min(watch.looks for watch in watches)
    verdict.reached["moves_of_the_house"] = min(house.done for house in houses)
    verdict.reached["moves_of_the_house_asked_again"] = sum(house.repeated for house in houses)
    verdict.hold("a move of the house takes effect once", [found for house in houses for found in house.findings()])
    verdict.hold("guests of the platform were told what the books say", [each for g in guests for each in g.findings()])
    verdict.hold(
        "what limited players lost is counted once, and no limit was passed",
        [found for database in stack.databases.values() for found in limited_players.findings(database)],
    )
    verdict.reached.update(sum((guest.counts for guest in guests), Counter[str]()))
    verdict.hold("webhooks told what happened", [found for each in listeners for found in each.findings()])
    verdict.reached.update(sum((listener.counts for listener in listeners), Counter[str]()))
    for watch in watches:
        watch.look()
    verdict.hold("the ledger was sound at every moment", [found for watch in watches for found in watch.findings])
    verdict.hold("I12 no process ended by itself", stack.died_alone)
    verdict.hold("the faults themselves worked", process_faults.failures)
    verdict.reached["processes_brought_back"] = stack.came_back
    examine(stack, players, verdict)
    messages = sum((policy.counts for policy in policies), Counter[str]())
    _print(verdict, players, messages, process_faults.counts, refusals_of_nonces(stack.deliveries))
    print(f"time to recover: {'never' if seconds is None else f'{seconds:.1f} s'} after healing")
    if not stack.clock_files:
        print("no clock was stepped: libfaketime is not here (Debian package faketime)")
    return verdict


async def _play_for(players: Players, seconds: float, stack: ChaosStack) -> float:
    """The players play while faults are active. Then all faults end, and rounds under way may finish.

    Answers when it was healed, in monotonic seconds.
    """
    playing = asyncio.create_task(players.play())
    await asyncio.wait([playing], timeout=seconds)
    players.over.set()
    await asyncio.to_thread(heal, stack)
    healed_at = time.monotonic()
    await playing
    return healed_at


def _print(verdict: Verdict, players: Players, *counts: Counter[str]) -> None:
    titles = ["faults of messages", "faults of processes", "what the wallet would not read"]
    for title, of_title in zip(titles, counts, strict=True):
        print("\n".join(counted(title, of_title)))
    passed = sum(bool(report.content.get("passed")) for report in players.reports)
    counts_of_players = players.counts | Counter({"players": PLAYERS, "rounds that passed": passed})
    print("\n".join(counted("players", counts_of_players)))
    print("\n".join(counted("reached", verdict.reached)))
    print("\n".join(["checks", *verdict.lines()]))


def commit() -> str:
    """Which code this was, and whether it was changed since."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False, timeout=10
    )
    return described.stdout.strip() or "unknown"
