"""Rows to compare with: a plain ledger in SQL, a durable commit alone, an endpoint that does nothing, two processes.

All take turns with the wallet's own debits, on one database and one Postgres.
"""

from typing import Final

from bench.loads import WalletUnderLoad, debits_at_once
from bench.measurements import Measurement, Outcome, Progress, Size, interleave
from bench.pgbench import CLIENTS, SMALL_COMMIT, plain_ledger, prepare, run_pgbench
from bench.services import BenchServices, Books
from bench.soundness import require_sound_ledger
from bench.wallet_rows import USUAL_DEPTH

PROCESSES: Final = 2


def measure_peers(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    books = services.copy_books(template)
    wallets = [WalletUnderLoad(port=services.start_casino(books).port, books=books) for _ in range(PROCESSES)]
    first = wallets[0]
    for wallet in wallets:
        wallet.debits(in_flight=USUAL_DEPTH, seconds=size.warm_up_seconds)
    url, bin_dir, seconds = books.database.url, services.postgres.bin_dir, size.round_seconds
    ledger, commit = prepare(url, plain_ledger(account_count=len(books.players))), prepare(url, SMALL_COMMIT)
    measurements = [
        Measurement(
            key="one-process",
            what=f"signed debits over HTTP, one casino process, {USUAL_DEPTH} in flight",
            measure=lambda: first.debits(in_flight=USUAL_DEPTH, seconds=seconds),
        ),
        Measurement(
            key="two-processes",
            what=f"the same by {PROCESSES} casino processes on one ledger, {USUAL_DEPTH} in flight at each",
            measure=lambda: debits_at_once(wallets, in_flight=USUAL_DEPTH, seconds=seconds),
        ),
        Measurement(
            key="empty",
            what=f"an endpoint of casino-service that does nothing (/health/live), {USUAL_DEPTH} in flight",
            measure=lambda: first.health(in_flight=USUAL_DEPTH, seconds=seconds),
        ),
        Measurement(
            key="plain-ledger",
            what=f"a plain ledger in SQL by pgbench, {CLIENTS} clients, one debit a commit (mean, not p50)",
            measure=lambda: run_pgbench(bin_dir, url, ledger, seconds=seconds),
        ),
        *(
            Measurement(
                key=f"commit-{clients}",
                what=f"one small durable commit by pgbench, {clients} client{'s' * (clients > 1)} (mean, not p50)",
                measure=lambda clients=clients: run_pgbench(bin_dir, url, commit, seconds=seconds, clients=clients),
            )
            for clients in (1, CLIENTS)
        ),
    ]
    figures = interleave(measurements, rounds=size.rounds, progress=progress)
    require_sound_ledger(url)
    return Outcome(figures=tuple(figures.values()))
