"""What an operator pays: what one second of one core and one gigabyte of WAL are good for."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psycopg

from bench.loads import WalletUnderLoad
from bench.measurements import Figure, Outcome, Progress, Size, UnsoundRoundError
from bench.meter import metered
from bench.pgbench import plain_ledger, prepare, run_pgbench
from bench.round_rows import DEPTHS as ROUND_DEPTHS
from bench.services import BenchServices, Books
from bench.wallet_rows import USUAL_DEPTH
from e2e_testing.service_process import ServiceProcess

GIGABYTE: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One load, and the statement that counts what it has done."""

    key: str
    what: str
    unit: str
    counted_by: str
    services: tuple[ServiceProcess, ...]
    run: Callable[[], object]


def measure_cost(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    books = services.copy_books(template)
    casino, provider = services.start_both(books)
    wallet = WalletUnderLoad(port=casino.port, books=books)
    ledger = prepare(books.database.url, plain_ledger(account_count=len(books.players)))
    depth = ROUND_DEPTHS[-1]
    wallet.debits(in_flight=USUAL_DEPTH, seconds=size.warm_up_seconds)
    wallet.scripted_rounds(in_flight=depth, seconds=size.warm_up_seconds)
    loads = [
        Load(
            key="debits",
            what=f"signed debits, {USUAL_DEPTH} in flight",
            unit="debits",
            counted_by="select count(*) from casino.transactions",
            services=(casino,),
            run=lambda: wallet.debits(in_flight=USUAL_DEPTH, seconds=size.round_seconds),
        ),
        Load(
            key="rounds",
            what=f"whole nine-step rounds through both services, {depth} in flight",
            unit="rounds",
            counted_by="select count(*) from provider.rounds",
            services=(casino, provider),
            run=lambda: wallet.scripted_rounds(in_flight=depth, seconds=size.round_seconds),
        ),
        Load(
            key="plain-ledger",
            what="a plain ledger in SQL by pgbench, one debit a commit",
            unit="debits",
            counted_by=ledger.counted_by,
            services=(),
            run=lambda: run_pgbench(services.postgres.bin_dir, books.database.url, ledger, seconds=size.round_seconds),
        ),
    ]
    costs: dict[str, list[tuple[float, float]]] = {load.key: [] for load in loads}
    for number in range(1, size.rounds + 1):
        for load in loads if number % 2 else reversed(loads):
            per_core, per_gigabyte = _cost(services, books, load)
            costs[load.key].append((per_core, per_gigabyte))
            progress(
                f"round {number} of {size.rounds}: {load.what}: {per_core:,.0f} {load.unit} per second of a core, "
                f"{per_gigabyte:,.0f} per GB of WAL"
            )
    return Outcome(figures=tuple(figure for load in loads for figure in _figures(load, costs[load.key])))


def _cost(services: BenchServices, books: Books, load: Load) -> tuple[float, float]:
    """What was done for each second of a core, and for each gigabyte of WAL."""
    before = _count(books, load)
    with metered(services.postgres, books, load.services) as spent:
        load.run()
    done = _count(books, load) - before
    if done <= 0 or spent.processor_seconds <= 0 or spent.wal_bytes <= 0:
        raise UnsoundRoundError(f"{load.what}: {done} done for {spent}")
    return done / spent.processor_seconds, done / (spent.wal_bytes / GIGABYTE)


def _count(books: Books, load: Load) -> int:
    with psycopg.connect(books.database.url) as connection:
        (count,) = connection.execute(load.counted_by.encode()).fetchone() or (0,)
        return int(count)


def _figures(load: Load, costs: list[tuple[float, float]]) -> list[Figure]:
    units = (("core", f"{load.unit} per second of a core"), ("wal", f"{load.unit} per GB of WAL"))
    figures = []
    for (kind, unit), values in zip(units, zip(*costs, strict=True), strict=True):
        figures.append(
            Figure(
                key=f"{load.key}-{kind}",
                what=f"cost of {load.what}",
                unit=unit,
                value=statistics.median(values),
                least=min(values),
                most=max(values),
                rounds=len(values),
            )
        )
    return figures
