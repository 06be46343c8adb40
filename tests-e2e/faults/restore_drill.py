"""`make restore-drill`: both sides are backed up as docs/postgres.md says, lose their server, and are restored.

Four acts on one backup: to the newest moment, to an earlier one, and each side alone from a dump in a younger server.
After each, bets go on, and every row of the feed must be there once. Prints figures, and fails when one is wrong.
"""

from collections import Counter
from dataclasses import dataclass

import click

from e2e_testing.books import require_sound_books
from e2e_testing.database import Database, Row
from e2e_testing.postgres_faults import kill_9
from e2e_testing.service_process import full_environment, run_command, run_command_or_fail
from faults.backup_commands import (
    RUN,
    address,
    at_the_server,
    at_the_service,
    moment_between,
    printed_commands,
    receiving,
    wait_until_stored,
)
from faults.failover import ACKNOWLEDGED, HELD, begin, show
from faults.postgres_standby import ask, wait_for_answer
from faults.restore_stack import (
    Drill,
    books_url,
    drill,
    play,
    read_feed,
    require_no_gap,
    restored_from_base,
    service_environment,
    whole_feed,
)
from local_stack.cluster import remove_cluster
from local_stack.postgres import Postgres

MORE_TRANSACTIONS, IN_SHORT = 20_000, 2_000
"""Transactions by which the lost server is older than the one that a dump is restored in."""
BURN = "do $$ begin for n in 1..{} loop perform pg_current_xact_id(); commit; end loop; end $$"
WRITTEN_HERE = "select transaction_id::text as transaction_id from provider.wallet_transactions"
FOUND = """
    select kind, transaction_id, healed_by from provider.reconciliation_differences
    where run_id = (select max(run_id) from provider.reconciliation_runs)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a restore left: the ids of each side's books, those that only one side has, and what step 3 said."""

    restored: set[str]
    missing_there: set[str]
    missing_here: set[str]
    differences: int
    heads_status: int


def lose_everything(the: Drill, seconds: float, *, more_transactions: int) -> set[str]:
    """Play, back up, play on, and lose the server; answers the transactions that the wallet acknowledged."""
    begin("Before: both sides on one server")
    server = the.server("first")
    server.start()
    ask(server, "create database casino")
    ask(server, "create database provider")
    ask(server, BURN.format(more_transactions))
    environment = service_environment(server, server)
    for package, command in (("casino", "migrate"), ("casino", "seed-demo"), ("provider", "migrate")):
        run_command_or_fail(package, command, environment)
    at_the_server(server, "slot")
    books = Database(books_url(server, "provider"))
    with receiving(server, the.work / "receiver.log", WAL=the.wal), the.services(server, server) as stack:
        at_the_server(server, "synchronous")
        wait_for_answer(server, "select sync_state from pg_stat_replication", "sync")
        play(stack, books, seconds)
        at_the_server(server, "base", BACKUP=the.backup)
        play(stack, books, seconds)
        for database in ("casino", "provider"):
            at_the_server(server, "dump", BACKUP=the.dump_of(database), DATABASE=address(server, database))
        _, the.cursors["dump"] = read_feed(stack)
        play(stack, books, seconds)
        _, the.cursors["moment"] = read_feed(stack)
        the.moment = moment_between(server)
        play(stack, books, seconds)
        fed, the.cursors["newest"] = read_feed(stack)
        acknowledged = {row["transaction_id"] for row in books.rows(ACKNOWLEDGED)}
        assert acknowledged <= set(fed) | {row["transaction_id"] for row in stack.books.rows(HELD)}
        wait_until_stored(server)
        books.disconnect()
        stack.books.disconnect()
        kill_9(server)
    remove_cluster(server.state_dir)
    show("acknowledged answers", len(acknowledged))
    return acknowledged


def tend(casino: Postgres, provider: Postgres) -> None:
    """Step 2 of the page. The ledger is whole whatever is missing from its end."""
    done = at_the_service("after", service_environment(casino, provider))
    assert done.returncode == 0, done.stdout + done.stderr
    moved = [line for line in done.stdout.splitlines() if line.startswith("ledger 1: moved ahead")]
    assert len(moved) == 1, done.stdout
    show("casino after-restore", moved[0].partition(": ")[2])


def go_on(the: Drill, casino: Postgres, provider: Postgres, *, seconds: float) -> Outcome:
    """Step 3 of the page, then play: no row of the feed may be missing, for whatever cursor a reader kept."""
    with the.services(casino, provider) as stack:
        books = Database(books_url(provider, "provider"))
        restored = whole_feed(stack)
        known = books.rows(ACKNOWLEDGED)
        written_here = {row["transaction_id"] for row in books.rows(WRITTEN_HERE)}
        environment = full_environment(stack.services["provider"].environment)
        compared = at_the_service("compare", environment, to_the_end=True, BACKUP=the.work)
        found = books.rows(FOUND)
        show("provider reconcile: differences", differences_in_words(found))
        show("casino check-ledger --heads", f"exit status {compared.returncode}")
        show("rounds played after it", play(stack, books, seconds))
        require_no_gap(stack, restored, list(the.cursors.values()))
        require_sound_books(stack.books)
        books.disconnect()
    told = {row["transaction_id"] for row in found}
    missing_there = {row["transaction_id"]: row["bet_id"] for row in known if row["transaction_id"] not in restored}
    missed = [ids for ids in missing_there.items() if not set(ids) & told]
    assert not missed, f"reconciliation missed what the casino lost: {missed[:5]}"
    missing_here = set(restored) - written_here
    assert missing_here <= told, f"reconciliation missed what the provider lost: {sorted(missing_here - told)[:5]}"
    return Outcome(set(restored), set(missing_there), missing_here, len(found), compared.returncode)


def differences_in_words(found: list[Row]) -> str:
    ends = Counter(f"{row['kind']} {'healed' if row['healed_by'] else 'for people'}" for row in found)
    return ", ".join(f"{count} {end}" for end, count in sorted(ends.items())) or "none"


def to_the_newest_moment(the: Drill, acknowledged: set[str], seconds: float) -> Postgres:
    begin("A base backup and all WAL: to the newest moment")
    server = restored_from_base(the, "newest")
    tend(server, server)
    outcome = go_on(the, server, server, seconds=seconds)
    show("acknowledged answers that are lost", len(acknowledged - outcome.restored))
    assert acknowledged <= outcome.restored
    assert (outcome.differences, outcome.heads_status) == (0, 0)
    return server


def to_an_earlier_moment(the: Drill, acknowledged: set[str], seconds: float) -> None:
    begin("A base backup and WAL: both sides to an earlier moment")
    server = restored_from_base(the, "earlier", moment=the.moment)
    tend(server, server)
    outcome = go_on(the, server, server, seconds=seconds)
    show("acknowledged answers that are gone on both sides", len(acknowledged - outcome.restored))
    assert acknowledged - outcome.restored, "nothing was lost: this act shows nothing"
    assert (outcome.differences, outcome.heads_status) == (0, 0), "both sides stand at one moment"
    server.stop()


def the_casino_from_a_dump(the: Drill, provider: Postgres, seconds: float) -> None:
    begin("A dump of the casino alone, into a younger server")
    server = the.server("younger")
    server.start()
    at_the_server(server, "restore dump", BACKUP=the.dump_of("casino"))
    environment = service_environment(server, provider)
    run_command_or_fail("casino", "migrate", environment)
    refused = run_command("casino", "serve", environment)
    assert refused.returncode == 1
    assert "Run `casino after-restore`" in refused.stderr, refused.stderr
    show("casino serve before it", "refused, names the command")
    tend(server, provider)
    outcome = go_on(the, server, provider, seconds=seconds)
    show("acknowledged answers that the dump lacks, all reported", len(outcome.missing_there))
    assert outcome.missing_there, "nothing was lost: this act shows nothing"
    assert outcome.heads_status == 1, "the wallets' lost tails were not noticed"


def the_provider_from_a_dump(the: Drill, casino: Postgres, seconds: float) -> None:
    begin("A dump of the provider alone, into a younger server")
    server = the.server("younger-provider")
    server.start()
    at_the_server(server, "restore dump", BACKUP=the.dump_of("provider"))
    run_command_or_fail("provider", "migrate", service_environment(casino, server))
    outcome = go_on(the, casino, server, seconds=seconds)
    show("transactions that the dump lacks, all reported", len(outcome.missing_here))
    assert outcome.missing_here, "nothing was lost: this act shows nothing"
    assert outcome.heads_status == 0, "older heads are in the chain for ever"


@click.command()
@click.option("--seconds", default=4.0, show_default=True, help="Play before and after each step.")
def main(seconds: float) -> None:
    """Lose a server, restore it in every way that the page of operations knows, and count what is left."""
    run_drill(seconds)


def run_drill(seconds: float) -> None:
    """All acts, on one backup."""
    with drill() as the:
        acknowledged = lose_everything(the, seconds, more_transactions=MORE_TRANSACTIONS)
        newest = to_the_newest_moment(the, acknowledged, seconds)
        to_an_earlier_moment(the, acknowledged, seconds)
        the_casino_from_a_dump(the, newest, seconds)
        the_provider_from_a_dump(the, newest, seconds)
    left = printed_commands().keys() - RUN
    assert not left, f"printed and not drilled: {left}"


def run_in_short(seconds: float) -> None:
    """Two acts of it: everything restored to the newest moment, and the casino alone from a dump."""
    with drill() as the:
        acknowledged = lose_everything(the, seconds, more_transactions=IN_SHORT)
        newest = to_the_newest_moment(the, acknowledged, seconds)
        the_casino_from_a_dump(the, newest, seconds)


if __name__ == "__main__":
    main()
