"""The ledger's growth: the same debits with few and with millions of transactions in the books.

Each round of the small side gets a fresh copy, because its own debits would soon make it a large one.
Service and database are warmed up before each round.
"""

from typing import Final

from bench.loads import WalletUnderLoad
from bench.measurements import Measurement, Outcome, Progress, Sample, Size, interleave, ratio_of
from bench.players import count_transactions, grow_ledger
from bench.services import BenchServices, Books
from bench.soundness import require_sound_ledger
from bench.wallet_rows import USUAL_DEPTH

LARGE_OVER_SMALL_MIN: Final = 0.9


def measure_ledger_size(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    large = services.copy_books(template)
    progress(f"filling a ledger with {size.large_ledger_count:,} transactions")
    grow_ledger(large.database.url, player_count=len(large.players), transaction_count=size.large_ledger_count)
    require_sound_ledger(large.database.url)

    def debits_on(books: Books) -> Sample:
        service = services.start_casino(books)
        wallet = WalletUnderLoad(port=service.port, books=books)
        wallet.debits(in_flight=USUAL_DEPTH, seconds=size.warm_up_seconds)
        sample = wallet.debits(in_flight=USUAL_DEPTH, seconds=size.round_seconds)
        service.stop()
        return sample

    def debits_on_small() -> Sample:
        small = services.copy_books(template)
        sample = debits_on(small)
        services.drop_books(small)
        return sample

    figures = interleave(
        [
            Measurement(key="small", what=_text(count_transactions(template.database.url)), measure=debits_on_small),
            Measurement(key="large", what=_text(size.large_ledger_count), measure=lambda: debits_on(large)),
        ],
        rounds=size.rounds,
        progress=progress,
    )
    target = ratio_of(
        figures, over="large", under="small", what="debits, large ledger over small", bound=LARGE_OVER_SMALL_MIN
    )
    services.drop_books(large)
    return Outcome(figures=tuple(figures.values()), targets=(target,))


def _text(transaction_count: int) -> str:
    return f"signed debits with {transaction_count:,} transactions in the ledger, {USUAL_DEPTH} in flight"
