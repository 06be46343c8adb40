"""`python -m bench.round_cost [REVISION]`: the processor time of one nine-step round, process by process.

It tells where the time of a round goes, and needs no quiet machine: it counts the time that each process computed for,
not the time that passed. With a revision it measures both trees in turn.
"""

import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from bench.loads import WalletUnderLoad
from bench.measurements import FULL, Figure
from bench.meter import children_of, processor_seconds
from bench.services import BenchServices, unpack
from bench.terminal import PLAIN_WIDTH
from e2e_testing.service_process import ServiceProcess
from local_stack.postgres import Postgres

PLAYERS: Final = 2_000
TURNS: Final = 3
SECONDS: Final = 4.0
DEPTHS: Final = (1, 8, 32)
REST: Final = "Postgres, the rest"
KINDS: Final = ("casino", "provider", "Postgres for the casino", "Postgres for the provider", REST)

Cost = Mapping[str, float]
"""Milliseconds a round by kind of process, their sum, and rounds per second."""


@dataclass(frozen=True, slots=True)
class CostedRounds:
    """Services under load, and the Postgres that works for them."""

    postgres: Postgres
    services: tuple[ServiceProcess, ServiceProcess]
    wallet: WalletUnderLoad

    def cost_of(self, depth: int, *, seconds: float) -> Cost:
        """Play rounds, and return what one of them cost."""
        before = self._spent()
        played = self.wallet.scripted_rounds(in_flight=depth, seconds=seconds)
        after = self._spent()
        rounds = played.value * seconds
        spent = {kind: (after[kind] - before[kind]) * 1000 / rounds for kind in KINDS}
        return {**spent, "sum": sum(spent.values()), "per second": played.value}

    def _spent(self) -> Mapping[str, float]:
        seconds: defaultdict[str, float] = defaultdict(float)
        for service in self.services:
            seconds[service.package] += processor_seconds(service.pid)
        sessions = self.wallet.books.database.rows("select pid, application_name from pg_stat_activity")
        kinds = {row["pid"]: f"Postgres for the {row['application_name'].partition('-')[0]}" for row in sessions}
        assert self.postgres.pid is not None
        for process in (self.postgres.pid, *children_of(self.postgres.pid)):
            kind = kinds.get(process, REST)
            seconds[kind if kind in KINDS else REST] += processor_seconds(process)
        return seconds


def cost_figures(rounds: CostedRounds, depth: int, *, turns: int, seconds: float) -> list[Figure]:
    """The processor time of a round as rows of the bench, in microseconds."""
    costs = [rounds.cost_of(depth, seconds=seconds) for _ in range(turns)]
    figures = []
    for kind in (*KINDS[:-1], "sum"):
        values = [cost[kind] * 1000 for cost in costs]
        who = "all of these processes" if kind == "sum" else kind
        figures.append(
            Figure(
                key=f"round-cost-{depth}-{kind}",
                what=f"processor time of a nine-step round, {depth} in flight: {who}",
                unit="µs",
                value=statistics.median(values),
                least=min(values),
                most=max(values),
                rounds=len(values),
            )
        )
    return figures


def measure(revision: str | None, *, depths: tuple[int, ...], turns: int) -> Mapping[tuple[str, int], list[Cost]]:
    """The costs by side and depth, one for each turn: of this tree, and of the revision's, in turn."""
    costs: defaultdict[tuple[str, int], list[Cost]] = defaultdict(list)
    with ExitStack() as stack:
        sources: dict[str, Path | None] = {"now": None}
        if revision:
            sources["then"] = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-cost-")))
            unpack(revision, sources["then"])
        sides = {
            name: _start(stack.enter_context(BenchServices(PLAYERS, source=source))) for name, source in sources.items()
        }
        for turn in range(turns):
            for depth in depths:
                for name in sides if turn % 2 else reversed(sides):
                    costs[name, depth].append(sides[name].cost_of(depth, seconds=SECONDS))
    return costs


def _start(services: BenchServices) -> CostedRounds:
    books = services.new_books()
    casino, provider = services.start_both(books)
    wallet = WalletUnderLoad(port=casino.port, books=books)
    wallet.scripted_rounds(in_flight=DEPTHS[-1], seconds=FULL.warm_up_seconds)
    return CostedRounds(services.postgres, (casino, provider), wallet)


def show(costs: Mapping[tuple[str, int], list[Cost]]) -> None:
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
