"""`python -m bench.round_cost [REVISION]`: the processor time of one nine-step round, process by process.

It tells where the time of a round goes, and needs no quiet machine: it counts the time that each process computed for,
not the time that passed. With a revision it measures both trees in turn.
"""

import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from bench.against import unpack
from bench.loads import WalletUnderLoad
from bench.measurements import FULL
from bench.round_rows import DEPTHS
from bench.services import BenchServices
from bench.terminal import PLAIN_WIDTH
from e2e_testing.service_process import ServiceProcess

PLAYERS: Final = 2_000
TURNS: Final = 3
SECONDS: Final = 4.0
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
KINDS: Final = ("casino", "provider", "Postgres for the casino", "Postgres for the provider", "Postgres, the rest")

Costs = dict[tuple[str, int], list[Mapping[str, float]]]
"""By side and depth: milliseconds a round by kind of process, one mapping for each turn."""


class Side:
    """One tree's Postgres and services."""

    def __init__(self, services: BenchServices) -> None:
        books = services.new_books()
        self._postgres, self._database = services.postgres, books.database
        self._services: tuple[ServiceProcess, ServiceProcess] = services.start_both(books)
        self._wallet = WalletUnderLoad(port=self._services[0].port, books=books)
        self._wallet.scripted_rounds(in_flight=DEPTHS[-1], seconds=FULL.warm_up_seconds)

    def cost_of(self, depth: int) -> Mapping[str, float]:
        """Play rounds; returns milliseconds of processor time for each, by kind of process, and rounds per second."""
        before = self._spent()
        played = self._wallet.scripted_rounds(in_flight=depth, seconds=SECONDS)
        after = self._spent()
        rounds = played.value * SECONDS
        spent = {kind: (after[kind] - before[kind]) * 1000 / rounds for kind in KINDS}
        return {**spent, "sum": sum(spent.values()), "per second": played.value}

    def _spent(self) -> Mapping[str, float]:
        seconds: defaultdict[str, float] = defaultdict(float)
        for service in self._services:
            seconds[service.package] += service.cpu_seconds
        seconds["Postgres, the rest"] += _seconds_of(self._postgres.pid, with_ended_children=True)
        service_of = {
            row["pid"]: f"Postgres for the {row['application_name'].partition('-')[0]}"
            for row in self._database.rows("select pid, application_name from pg_stat_activity")
        }
        for child in _children_of(self._postgres.pid):
            kind = service_of.get(child, "")
            seconds[kind if kind in KINDS else KINDS[-1]] += _seconds_of(child)
        return seconds


def _children_of(pid: int | None) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _seconds_of(pid: int | None, *, with_ended_children: bool = False) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_ended_children else 13])) / TICKS_PER_SECOND


def measure(revision: str | None, *, depths: tuple[int, ...], turns: int) -> Costs:
    """The costs of this tree, and of the revision's, in turn."""
    costs: Costs = defaultdict(list)
    with ExitStack() as stack:
        sources: dict[str, Path | None] = {"now": None}
        if revision:
            sources["then"] = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-cost-")))
            unpack(revision, sources["then"])
        sides = {
            name: Side(stack.enter_context(BenchServices(PLAYERS, source=source))) for name, source in sources.items()
        }
        for turn in range(turns):
            for depth in depths:
                for name in sides if turn % 2 else reversed(sides):
                    costs[name, depth].append(sides[name].cost_of(depth))
    return costs


def show(costs: Costs) -> None:
    """Print the medians."""
    columns = (*KINDS, "sum", "per second")
    table = Table("side", "in flight", *columns, title="milliseconds of processor time a nine-step round")
    for (name, depth), turns in costs.items():
        medians = (statistics.median(turn[column] for turn in turns) for column in columns)
        table.add_row(name, str(depth), *(f"{median:.2f}" for median in medians))
    Console(width=PLAIN_WIDTH).print(table)


@click.command()
@click.argument("revision", required=False)
@click.option("--depths", default=",".join(map(str, DEPTHS)), show_default=True, help="Rounds in flight.")
@click.option("--turns", default=TURNS, show_default=True)
def main(revision: str | None, depths: str, turns: int) -> None:
    """Show what a nine-step round costs in each process; with REVISION, in that tree too."""
    show(measure(revision or None, depths=tuple(map(int, depths.split(","))), turns=turns))


if __name__ == "__main__":
    main()
