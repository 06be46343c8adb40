"""`python -m bench.against REVISION …`: this tree beside earlier revisions of it, in turn, on one machine at one time.

Two runs of the bench on two days compare two days: machines drift by more than a change costs. Here all revisions run
at once, and every round of this tree is close to a round of each of the others. Only rows that all sides have are
measured, and all sides run with the libraries of this tree.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import click

from bench.loads import WalletUnderLoad
from bench.machine import describe_machine
from bench.measurements import FULL, QUICK, Figure, Measurement, Outcome, Progress, Size, Target, interleave, ratio_of
from bench.report import Report, write_comparison
from bench.round_rows import round_rows
from bench.services import BenchServices, unpack
from bench.soundness import require_sound_ledger
from bench.terminal import run_at_terminal
from bench.wallet_rows import USUAL_DEPTH, wallet_rows

KEPT_MIN: Final = 0.95
"""What a change may leave of the throughput before it."""
SLOWER_BELOW: Final = 0.98
"""A ratio under this may be chance or a loss: more rounds tell."""
ROUND_DEPTH: Final = 8


def compare(revisions: Sequence[str], *, size: Size, progress: Progress) -> Report:
    """Measure all sides in turn, one outcome for each revision. Raises CalledProcessError for one that is not there."""
    with ExitStack() as stack:
        sides = [stack.enter_context(BenchServices(size.player_count))]
        for revision in revisions:
            source = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-against-")))
            unpack(revision, source)
            sides.append(stack.enter_context(BenchServices(size.player_count, source=source)))
        wallets = []
        for services in sides:
            progress("starting Postgres and both services, loading players")
            wallets.append(_start(services, size))
        now, *then = (_rows(wallet, size) for wallet in wallets)
        rows = [now, *(_of_then(side, revision) for side, revision in zip(then, revisions, strict=True))]
        outcomes = measure_twice_if_slow(
            rows, revisions, rounds=size.rounds, again=size.rounds_again, progress=progress
        )
        for wallet in wallets:
            require_sound_ledger(wallet.books.database.url)
        machine = describe_machine(sides[0].postgres.url())
    return Report(machine=machine, outcomes=outcomes, player_count=size.player_count)


def measure_twice_if_slow(
    sides: Sequence[Sequence[Measurement]], revisions: Sequence[str], *, rounds: int, again: int, progress: Progress
) -> tuple[Outcome, ...]:
    """One outcome for each revision: this tree's figure and the revision's, row by row, and their ratios.

    `sides` are the rows of this tree, then those of each revision. A row that seems slower than at a revision is
    measured again, in `again` rounds, at all sides.
    """

    def in_turn(rows: Sequence[tuple[Measurement, ...]]) -> list[Measurement]:
        return [side for row in rows for side in row]

    rows = list(zip(*sides, strict=True))
    figures = interleave(in_turn(rows), rounds=rounds, progress=progress)
    slow = [row for row in rows if any(_ratio(figures, row[0], then).value < SLOWER_BELOW for then in row[1:])]
    figures |= interleave(in_turn(slow), rounds=again, progress=progress)
    return tuple(
        Outcome(
            figures=tuple(figures[side.key] for row in rows for side in (row[0], row[place])),
            targets=tuple(_ratio(figures, row[0], row[place]) for row in rows),
        )
        for place in range(1, len(revisions) + 1)
    )


def _ratio(figures: Mapping[str, Figure], now: Measurement, then: Measurement) -> Target:
    return ratio_of(figures, over=now.key, under=then.key, what=now.what, bound=KEPT_MIN)


def _of_then(rows: Sequence[Measurement], revision: str) -> list[Measurement]:
    return [replace(row, key=f"{revision}-{row.key}", what=f"{revision}: {row.what}") for row in rows]


def _start(services: BenchServices, size: Size) -> WalletUnderLoad:
    books = services.new_books()
    casino, _provider = services.start_both(books)
    wallet = WalletUnderLoad(port=casino.port, books=books)
    wallet.debits(in_flight=USUAL_DEPTH, seconds=size.warm_up_seconds)
    wallet.scripted_rounds(in_flight=ROUND_DEPTH, seconds=size.warm_up_seconds)
    return wallet


def _rows(wallet: WalletUnderLoad, size: Size) -> list[Measurement]:
    return [*wallet_rows(wallet, size), *round_rows(wallet, size)]


@click.command()
@click.argument("revisions", nargs=-1, required=True)
@click.option("--quick", is_flag=True, help="One short round of everything: shows that it answers, measures nothing.")
def main(revisions: tuple[str, ...], quick: bool) -> None:
    """Compare the throughput of this tree with that of REVISIONS, and write docs/benchmarks-against.md."""
    run_at_terminal(
        lambda progress: compare(revisions, size=QUICK if quick else FULL, progress=progress),
        write=None if quick else partial(write_comparison, revisions=revisions),
    )


if __name__ == "__main__":
    main()
