"""`python -m bench.against REVISION`: this tree beside an earlier revision of it, in turn, on one machine at one time.

Two runs of the bench on two days compare two days: machines drift by more than a change costs. Here both revisions run
at once, and every round of one has a round of the other for a neighbour. It owns the comparison and its page. It must
never measure what only one side has, and both sides run with the libraries of this tree.
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
THEN: Final = "then-"
ROUND_DEPTH: Final = 8


def compare(revision: str, *, size: Size, progress: Progress) -> Report:
    """Measure both sides in turn. Raises CalledProcessError when there is no such revision."""
    with ExitStack() as stack:
        source = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-against-")))
        unpack(revision, source)
        now = stack.enter_context(BenchServices(size.player_count))
        then = stack.enter_context(BenchServices(size.player_count, source=source))
        wallets = []
        for services in (now, then):
            progress("starting Postgres and both services, loading players")
            wallets.append(_start(services, size))
        pairs = list(zip(*(_rows(wallet, size) for wallet in wallets), strict=True))
        figures = measure_twice_if_slow(pairs, rounds=size.rounds, again=size.rounds_again, progress=progress)
        for wallet in wallets:
            require_sound_ledger(wallet.books.database.url)
        machine = describe_machine(now.postgres.url())
    targets = tuple(_ratio(figures, row) for row, _ in pairs)
    outcome = Outcome(figures=tuple(figures.values()), targets=targets)
    return Report(machine=machine, outcomes=(outcome,), player_count=size.player_count)


def measure_twice_if_slow(
    pairs: Sequence[tuple[Measurement, Measurement]], *, rounds: int, again: int, progress: Progress
) -> dict[str, Figure]:
    """The figures of both sides by key; rows that seem slower than before are measured again, in `again` rounds."""

    def sides(of: Sequence[tuple[Measurement, Measurement]]) -> list[Measurement]:
        return [side for now, then in of for side in (now, _of_then(then))]

    figures = interleave(sides(pairs), rounds=rounds, progress=progress)
    slow = [pair for pair in pairs if _ratio(figures, pair[0]).value < SLOWER_BELOW]
    return figures | interleave(sides(slow), rounds=again, progress=progress)


def _ratio(figures: Mapping[str, Figure], row: Measurement) -> Target:
    return ratio_of(figures, over=row.key, under=f"{THEN}{row.key}", what=row.what, bound=KEPT_MIN)


def _of_then(row: Measurement) -> Measurement:
    return replace(row, key=f"{THEN}{row.key}", what=f"then: {row.what}")


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
@click.argument("revision")
@click.option("--quick", is_flag=True, help="One short round of everything: shows that it answers, measures nothing.")
def main(revision: str, quick: bool) -> None:
    """Compare the throughput of this tree with that of REVISION, and write docs/benchmarks-against.md."""
    run_at_terminal(
        lambda progress: compare(revision, size=QUICK if quick else FULL, progress=progress),
        write=None if quick else partial(write_comparison, revision=revision),
    )


if __name__ == "__main__":
    main()
