"""Overload: the same wallet at its capacity and at twice of it, with requests that arrive whether or not it keeps up.

Row D3. The figure is accepted bets per second. A round fails when a request was neither accepted nor refused with 503,
or when the ledger does not hold exactly the accepted bets.
"""

from typing import Final

import uvloop

from bench.arrivals import Arrivals, apply_arrivals
from bench.loads import WalletUnderLoad
from bench.measurements import Measurement, Outcome, Progress, Sample, Size, UnsoundRoundError, interleave, ratio_of
from bench.players import count_transactions
from bench.presigned import debit_bodies, sign_all
from bench.services import BenchServices, Books
from bench.soundness import require_sound_ledger
from e2e_testing.stack import DEMO_CASINO_SECRET

CAPACITY_DEPTH: Final = 128
OVERLOAD: Final = 2.0
GOODPUT_KEPT_MIN: Final = 0.8


def measure_overload(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    books = services.copy_books(template)
    wallet = WalletUnderLoad(port=services.start_casino(books).port, books=books)
    wallet.debits(in_flight=CAPACITY_DEPTH, seconds=size.warm_up_seconds)
    # What a closed loop reaches; the open loop's own work costs some of it on the cores that all of them share.
    capacity = wallet.debits(in_flight=CAPACITY_DEPTH, seconds=size.round_seconds).value
    progress(f"capacity in a closed loop: {capacity:,.0f} per second")
    figures = interleave(
        [
            Measurement(
                key="arrivals-1",
                what="accepted bets when as many arrive as a closed loop reaches",
                measure=lambda: accepted_bets(wallet, per_second=capacity, seconds=size.round_seconds),
            ),
            Measurement(
                key="arrivals-2",
                what="accepted bets when twice as many arrive; the rest is told 503 with retry-after",
                measure=lambda: accepted_bets(wallet, per_second=OVERLOAD * capacity, seconds=size.round_seconds),
            ),
        ],
        rounds=size.rounds,
        progress=progress,
    )
    wallet.debits(in_flight=1, seconds=size.warm_up_seconds)  # it recovers by itself: every answer must be 200
    require_sound_ledger(books.database.url)
    target = ratio_of(
        figures,
        over="arrivals-2",
        under="arrivals-1",
        what="accepted bets at twice the capacity over those at the capacity",
        bound=GOODPUT_KEPT_MIN,
    )
    return Outcome(figures=tuple(figures.values()), targets=(target,))


def accepted_bets(wallet: WalletUnderLoad, *, per_second: float, seconds: float) -> Sample:
    """One round of arrivals; sound only when every bet was accepted or refused, and the ledger agrees."""
    bodies = debit_bodies(wallet.books.players, count=int(per_second * seconds) + 1)
    requests = sign_all("/casino/debit", bodies, secret=DEMO_CASINO_SECRET, port=wallet.port)
    before = count_transactions(wallet.books.database.url)
    arrivals = uvloop.run(apply_arrivals(requests, port=wallet.port, per_second=per_second, seconds=seconds))
    _require_sound(arrivals, booked=count_transactions(wallet.books.database.url) - before)
    return Sample(
        value=arrivals.accepted_per_second, p50_ms=arrivals.percentile_ms(50), p99_ms=arrivals.percentile_ms(99)
    )


def _require_sound(arrivals: Arrivals, *, booked: int) -> None:
    answered = sum(arrivals.statuses.values())
    if answered != arrivals.due_count or not arrivals.statuses.keys() <= {200, 503}:
        raise UnsoundRoundError(f"{arrivals.due_count} arrived, answered: {arrivals.statuses}")
    if booked != arrivals.accepted_count:
        raise UnsoundRoundError(f"{arrivals.accepted_count} bets were accepted, the ledger holds {booked} more")
