"""`python -m bench`: measures, prints the table, and after a full run writes docs/benchmarks.md."""

from collections.abc import Callable, Sequence
from typing import Final

import click

from bench.client_rows import measure_client
from bench.cost_rows import measure_cost
from bench.floor_rows import measure_floor
from bench.gate_rows import measure_gates
from bench.ledger_rows import measure_ledger_size
from bench.limit_rows import measure_limits
from bench.login_rows import measure_logins
from bench.machine import describe_machine
from bench.measurements import FULL, QUICK, Outcome, Progress, Size
from bench.overload_rows import measure_overload
from bench.peer_rows import measure_peers
from bench.report import Report, write_page
from bench.round_rows import measure_memory, measure_rounds
from bench.safety_rows import measure_safety
from bench.services import BenchServices, Books
from bench.terminal import run_at_terminal
from bench.voucher_rows import measure_vouchers
from bench.wallet_rows import measure_wallet
from bench.webhook_rows import measure_webhooks

GroupWithBooks = Callable[..., Outcome]

GROUPS_ALONE: Final[dict[str, Callable[..., Outcome]]] = {"floor": measure_floor, "client": measure_client}
GROUPS_WITH_BOOKS: Final[dict[str, GroupWithBooks]] = {
    "wallet": measure_wallet,
    "peers": measure_peers,
    "rounds": measure_rounds,
    "cost": measure_cost,
    "memory": measure_memory,
    "ledger": measure_ledger_size,
    "overload": measure_overload,
    "logins": measure_logins,
    "gates": measure_gates,
    "limits": measure_limits,
    "safety": measure_safety,
    "vouchers": measure_vouchers,
    "webhooks": measure_webhooks,
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
    run_at_terminal(
        lambda progress: run_bench(groups, size=QUICK if quick else FULL, progress=progress),
        write=write_page if not quick and set(groups) == set(GROUPS) else None,
    )


if __name__ == "__main__":
    main()
