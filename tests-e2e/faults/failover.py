"""`make failover`: the casino's primary is killed under load and its standby promoted; what is left of every answer?

Three acts, each on servers of its own: a synchronous standby asked directly, a synchronous one through the provider,
and an asynchronous one to which nothing had come for a moment. Prints figures, and fails when a synchronous standby
lost an acknowledged answer, or when reconciliation missed one that an asynchronous standby lost.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import click

from e2e_testing.books import require_sound_books
from e2e_testing.both_books import wait_until_settled
from e2e_testing.database import Row
from e2e_testing.game_session import GameSession
from e2e_testing.service_process import full_environment
from faults.betting import Betting
from faults.failover_stack import PLAYERS, FailoverStack, MixedRounds, failover_stack, transactions_on
from faults.postgres_standby import ask, rewind, synchronise, wait_for_answer, wait_until_streaming

COMMAND_SECONDS_MAX = 120
ANSWERS_AFTER = 100
ACKNOWLEDGED = """
    select distinct attempt.transaction_id::text as transaction_id, call.kind,
        call.original_transaction_id::text as bet_id,
        exists (
            select from provider.wallet_transactions as back
            where back.original_transaction_id = call.transaction_id and back.tombstone
        ) as taken_back_since
    from provider.wallet_attempts as attempt join provider.wallet_transactions as call using (transaction_id)
    where attempt.status = 200 and attempt.signature = 'good'
"""
HELD = "select transaction_id from casino.transactions"
FIRST_ANSWER_AFTER = """
    select extract(epoch from min(sent_at + make_interval(secs => elapsed_ms / 1000.0))) as at
    from provider.wallet_attempts
    where status = 200 and signature = 'good' and extract(epoch from sent_at) > %(died)s
"""
ENDS_OF_THE_UNKNOWN = """
    select kind, state, count(*) as count from provider.wallet_transactions
    where in_doubt_at is not null group by kind, state order by kind, state
"""


def show(name: str, figure: object) -> None:
    click.echo(f"| {name} | {figure} |")


def begin(title: str) -> None:
    click.echo(f"\n**{title}**\n\n| figure | value |\n|---|---|")


def asked_directly(seconds: float, *, stray_seconds: float = 3.0) -> None:
    """Act one, rows A5 and I8: every call's caller remembers what it was told, and asks again afterwards."""
    begin(f"Synchronous standby, {PLAYERS} players bet straight at the wallet")
    with failover_stack(synchronous=True) as faulty:
        sessions = faulty.sessions()
        with Betting(faulty.stack.casino, sessions) as betting:
            time.sleep(seconds)
            betting.wait_for(PLAYERS)
            faulty.fail_over()
            betting.wait_for(ANSWERS_AFTER)
            time.sleep(seconds)
        recount = betting.ask_again()
        show("acknowledged answers", recount.acknowledged)
        show("of these present, byte for byte", recount.acknowledged - len(recount.lost))
        show("lost", len(recount.lost))
        show("longest time without a good answer, seconds", f"{betting.longest_silence():.2f}")
        show("rejected (409, 503): nothing was done", recount.verdicts["nothing_done"])
        show("done although rejected", len(recount.done_although_rejected))
        show("unknown outcomes", recount.verdicts["unknown"])
        show("of these found booked when asked again", recount.unknown_that_were_booked)
        show("asked twice, two answers", len(recount.disagreeing))
        recount.require_nothing_lost()
        require_sound_ledger(faulty)
        meet_the_former_primary(faulty, sessions, stray_seconds=stray_seconds)


def require_sound_ledger(faulty: FailoverStack) -> None:
    with faulty.casino_books() as books:
        require_sound_books(books)
    show("ledger checks of the new primary", "sound")


def meet_the_former_primary(faulty: FailoverStack, sessions: list[GameSession], *, stray_seconds: float) -> None:
    """It comes back and takes itself for the primary. Nobody may write there, even if the switch errs.

    The sessions are of the time before: the former primary knows them, and would take their bets.
    """
    faulty.primary.start()
    synchronise(faulty.primary, on=False)  # the worst case: alone, and content with that
    before = transactions_on(faulty.primary, faulty.casino_database)
    with Betting(faulty.stack.casino, sessions, seed=2) as betting:
        betting.wait_for(ANSWERS_AFTER)
        show("answers while the former primary is up, switch right", betting.count("acknowledged"))
        faulty.switch.point_to(faulty.primary.port)
        told = betting.count("acknowledged")
        time.sleep(stray_seconds)
        show(f"answers in {stray_seconds:g} s with the switch wrong", betting.count("acknowledged") - told)
        faulty.switch.point_to(faulty.standby.port)
        betting.wait_for(ANSWERS_AFTER)
    betting.ask_again().require_nothing_lost()
    written = transactions_on(faulty.primary, faulty.casino_database) - before
    show("transactions written to the former primary", written)
    assert written == 0, "split brain: a service wrote to a primary that had been replaced"
    faulty.primary.stop()
    rewind(faulty.primary, faulty.standby)
    ask(faulty.standby, "alter system reset synchronous_standby_names")
    faulty.primary.start()
    wait_for_answer(faulty.primary, "select pg_is_in_recovery()::text", "true")
    wait_until_streaming(faulty.standby)
    show("former primary after pg_rewind", "follows as a standby")


def through_the_provider(seconds: float, *, synchronous: bool, lag_seconds: float) -> None:
    """Acts two and three, rows A5 and A6: the provider wrote down what it was told; what does reconciliation find?"""
    kind = "Synchronous standby" if synchronous else f"Asynchronous standby, {lag_seconds:g} s behind"
    begin(f"{kind}, mixed rounds of {PLAYERS} players through the provider")
    with failover_stack(synchronous=synchronous) as faulty:
        with MixedRounds(faulty.stack, faulty.sessions()) as rounds:
            time.sleep(seconds)
            died_at = faulty.fail_over(lag_seconds=lag_seconds)
            time.sleep(seconds + 2.0)
        wait_until_settled(faulty.provider_books)
        books = faulty.provider_books
        acknowledged = books.rows(ACKNOWLEDGED)
        with faulty.casino_books() as casino:
            held = {row["transaction_id"] for row in casino.rows(HELD)}
        lost = [row for row in acknowledged if row["transaction_id"] not in held]
        back_at = books.row(FIRST_ANSWER_AFTER, died=died_at)["at"]
        show("rounds answered, interrupted", f"{rounds.answered}, {rounds.interrupted}")
        show("acknowledged answers", len(acknowledged))
        show("of these present", len(acknowledged) - len(lost))
        kinds = Counter(row["kind"] for row in lost)
        show("lost", ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or 0)
        show("outage, seconds to the next good answer", f"{float(back_at) - died_at:.2f}")
        ends = ", ".join(f"{row['count']} {row['kind']} {row['state']}" for row in books.rows(ENDS_OF_THE_UNKNOWN))
        show("unknown outcomes, by how they ended", ends or "none")
        reconcile(faulty, lost)
        require_sound_ledger(faulty)
        check_against_heads(faulty, lost)
        assert not (synchronous and lost), "a synchronous standby lost what was acknowledged"
        assert synchronous or lost, "nothing was lost: this run shows nothing about an asynchronous standby"


def reconcile(faulty: FailoverStack, lost: list[Row]) -> None:
    first = run(faulty, "provider", "reconcile", "--json")
    report: dict[str, Any] = json.loads(first.stdout)
    found = {each["transactionId"]: each for each in report["differences"]}
    # A bet that stands again because its rollback was lost is reported as the bet's difference.
    detected = [row for row in lost if row["transaction_id"] in found or row["bet_id"] in found]
    # A lost bet whose round was taken back after the failover is dead on both sides: a stone lies where it was.
    agreed = [row for row in lost if row not in detected and row["taken_back_since"]]
    missed = [row for row in lost if row not in detected and row not in agreed]
    show("provider reconcile: compared, differences", f"{report['compared']}, {len(found)}")
    show("lost bets that were taken back since, dead on both sides", len(agreed))
    open_ones = len(lost) - len(agreed)
    share = 100 * len(detected) / open_ones if open_ones else 100
    show("lost answers that it detected, of the others", f"{len(detected)} of {open_ones} ({share:.0f} %)")
    ends = Counter(f"{each['kind']} {'healed' if each['healedBy'] else 'for people'}" for each in found.values())
    show("what it did", ", ".join(f"{count} {end}" for end, count in sorted(ends.items())) or "nothing")
    second: dict[str, Any] = json.loads(run(faulty, "provider", "reconcile", "--json").stdout)
    show("differences after that, all with a proposed repair", len(second["differences"]))
    assert all(each["proposedRepair"] for each in second["differences"] if not each["healedBy"])
    assert not missed, f"reconciliation missed what was lost: {missed[:5]}"


def check_against_heads(faulty: FailoverStack, lost: list[Row]) -> None:
    """The casino's own check, told by the provider how long each wallet's chain was.

    A wallet that has moved on since has a newer head, which is right: its lost ones only reconciliation can find.
    """
    heads = faulty.log_dir / "heads.jsonl"
    heads.write_text(run(faulty, "provider", "heads").stdout)
    checked = run(faulty, "casino", "check-ledger", "--heads", str(heads))
    if "No such command" in checked.stderr:
        return
    show("casino check-ledger --heads", f"exit status {checked.returncode}")
    assert lost or checked.returncode == 0, checked.stdout + checked.stderr


def run(faulty: FailoverStack, package: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = full_environment(faulty.stack.services[package].environment)
    command = [sys.executable, "-m", package, *words]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False
    )


@click.command()
@click.option("--seconds", default=8.0, show_default=True, help="Load before and after the failover, in each act.")
@click.option("--lag", default=0.5, show_default=True, help="How far behind the asynchronous standby is, in seconds.")
def main(seconds: float, lag: float) -> None:
    """Fail over under load and print what became of every acknowledged answer."""
    asked_directly(seconds)
    through_the_provider(seconds, synchronous=True, lag_seconds=0.0)
    through_the_provider(seconds, synchronous=False, lag_seconds=lag)


if __name__ == "__main__":
    main()
