"""The wallet's rows: signed debits at three depths, pgbench on the same function, grouping off, a hot wallet, reads.

All of them are measured in turn, round by round, on one database and one Postgres. Only one load runs at a time.
"""

from typing import Final

from bench.loads import WalletUnderLoad
from bench.measurements import Measurement, Outcome, Progress, Size, interleave, ratio_of
from bench.pgbench import CLIENTS, run_pgbench, wallet_function
from bench.services import ONE_COMMAND_PER_COMMIT, BenchServices, Books
from bench.soundness import require_sound_ledger

DEPTHS: Final = (32, 64, 128)
USUAL_DEPTH: Final = 64
SERVICE_OVER_PGBENCH_MIN: Final = 1.0
GROUPED_OVER_SINGLE_MIN: Final = 2.5


def measure_wallet(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    books = services.copy_books(template)
    grouped = WalletUnderLoad(port=services.start_casino(books).port, books=books)
    single_service = services.start_casino(books, environment=ONE_COMMAND_PER_COMMIT)
    single = WalletUnderLoad(port=single_service.port, books=books)
    for wallet in (grouped, single):
        wallet.debits(in_flight=USUAL_DEPTH, seconds=size.warm_up_seconds)
    measurements = [
        *wallet_rows(grouped, size),
        Measurement(
            key="pgbench",
            what=f"the same function called by pgbench, {CLIENTS} clients, one command a commit (mean, not p50)",
            measure=lambda: run_pgbench(
                services.postgres.bin_dir,
                books.database.url,
                wallet_function(ledger_id=books.ledger_id, player_count=len(books.players)),
                seconds=size.round_seconds,
            ),
        ),
        Measurement(
            key="single",
            what=f"signed debits, grouping off: one command a commit, {USUAL_DEPTH} in flight",
            measure=lambda: single.debits(in_flight=USUAL_DEPTH, seconds=size.round_seconds),
        ),
    ]
    figures = interleave(measurements, rounds=size.rounds, progress=progress)
    require_sound_ledger(books.database.url)
    targets = [
        ratio_of(
            figures,
            over=f"debits-{depth}",
            under="pgbench",
            what=f"debits, {depth} in flight, over pgbench",
            bound=SERVICE_OVER_PGBENCH_MIN,
        )
        for depth in DEPTHS
    ]
    targets.append(
        ratio_of(
            figures,
            over=f"debits-{USUAL_DEPTH}",
            under="single",
            what="debits over the same with grouping off",
            bound=GROUPED_OVER_SINGLE_MIN,
        )
    )
    return Outcome(figures=tuple(figures.values()), targets=tuple(targets))


def wallet_rows(wallet: WalletUnderLoad, size: Size) -> list[Measurement]:
    """What one casino process does as it is deployed."""
    return [
        *(_debits(wallet, depth, size) for depth in DEPTHS),
        Measurement(
            key="hot",
            what=f"signed debits on one hot wallet, {USUAL_DEPTH} in flight",
            measure=lambda: wallet.debits(
                in_flight=USUAL_DEPTH, seconds=size.round_seconds, players=wallet.books.players[:1]
            ),
        ),
        Measurement(
            key="mixed",
            what=f"signed calls, 90 % getBalance and 10 % debit, {USUAL_DEPTH} in flight",
            measure=lambda: wallet.reads_and_writes(in_flight=USUAL_DEPTH, seconds=size.round_seconds),
        ),
    ]


def _debits(wallet: WalletUnderLoad, depth: int, size: Size) -> Measurement:
    return Measurement(
        key=f"debits-{depth}",
        what=f"signed debits over HTTP, one worker, {depth} in flight",
        measure=lambda: wallet.debits(in_flight=depth, seconds=size.round_seconds),
    )
