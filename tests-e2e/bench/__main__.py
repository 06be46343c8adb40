"""`cd tests-e2e && python -m bench`: measures, prints the table, and after a full run writes docs/benchmarks.md."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

import click
from rich.console import Console

from bench.client_rows import measure_client
from bench.floor_rows import measure_floor
from bench.ledger_rows import measure_ledger_size
from bench.machine import describe_machine
from bench.measurements import FULL, QUICK, Outcome, Progress, Size
from bench.overload_rows import measure_overload
from bench.report import Report, show, write_page
from bench.round_rows import measure_memory, measure_rounds
from bench.services import BenchServices, Books
from bench.wallet_rows import measure_wallet

PLAIN_WIDTH: Final = 150
GroupWithBooks = Callable[..., Outcome]

GROUPS_ALONE: Final[dict[str, Callable[..., Outcome]]] = {"floor": measure_floor, "client": measure_client}
GROUPS_WITH_BOOKS: Final[dict[str, GroupWithBooks]] = {
    "wallet": measure_wallet,
    "rounds": measure_rounds,
    "memory": measure_memory,
    "ledger": measure_ledger_size,
    "overload": measure_overload,
}
GROUPS: Final = (*GROUPS_ALONE, *GROUPS_WITH_BOOKS)


def run_bench(groups: Sequence[str], *, size: Size, progress: Progress) -> Report:
    """Measure the groups of rows asked for, one after the other, on a Postgres of this run's own."""
    outcomes = [GROUPS_ALONE[name](size=size, progress=progress) for name in GROUPS_ALONE if name in groups]
    wanted = [name for name in GROUPS_WITH_BOOKS if name in groups]
    if not wanted:
        return Report(machine=describe_machine(None), outcomes=tuple(outcomes), player_count=size.player_count)
    with BenchServices(size.player_count) as services:
        progress("starting Postgres, migrating, loading players")
        template: Books = services.new_books()
        for name in wanted:
            with services.own_services():
                outcomes.append(GROUPS_WITH_BOOKS[name](services, template, size=size, progress=progress))
        machine = describe_machine(services.postgres.url())
    return Report(machine=machine, outcomes=tuple(outcomes), player_count=size.player_count)


@click.command()
@click.option("--quick", is_flag=True, help="One short round of everything: shows that it answers, measures nothing.")
@click.option("--rows", default=",".join(GROUPS), show_default=True, help="Groups of rows, separated by commas.")
def main(quick: bool, rows: str) -> None:
    groups = [name.strip() for name in rows.split(",") if name.strip()]
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown:
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; known: {', '.join(GROUPS)}", param_hint="--rows")
    started = time.monotonic()

    def progress(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    report = run_bench(groups, size=QUICK if quick else FULL, progress=progress)
    show(report, Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH))
    if not quick and set(groups) == set(GROUPS):
        write_page(report)
        progress("docs/benchmarks.md was written")
    missed = [target.what for target in report.targets if not target.met]
    progress(f"{len(report.targets) - len(missed)} of {len(report.targets)} targets met")


if __name__ == "__main__":
    main()
