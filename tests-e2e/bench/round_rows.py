"""Both services at work: whole scripted rounds per second, and what memory each process holds while it lasts."""

import asyncio
from typing import Final

import uvloop

from bench.generator import apply_load
from bench.loads import DEBITS_PER_SECOND_MAX, WalletUnderLoad
from bench.measurements import (
    Figure,
    Measurement,
    Outcome,
    Progress,
    Size,
    Target,
    UnsoundRoundError,
    interleave,
)
from bench.presigned import debit_bodies, plain_post, sign_all
from bench.round_cost import DEPTHS, CostedRounds, cost_figures
from bench.services import BenchServices, Books, resident_mebibytes
from e2e_testing.service_process import ServiceProcess
from e2e_testing.stack import DEMO_CASINO_SECRET

COST_DEPTHS: Final = (1, 32)
MEMORY_ROUND_DEPTH: Final = 4
MEMORY_DEBIT_DEPTH: Final = 32
MEMORY_STEPS: Final = 6
MEMORY_MAX_MEBIBYTES: Final = 110.0
MEMORY_GROWTH_MAX: Final = 1.05
"""Most that a process may hold at the end of the minute, over what it held after the first tenth."""


def measure_rounds(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    books = services.copy_books(template)
    casino, provider = services.start_both(books)
    wallet = WalletUnderLoad(port=casino.port, books=books)
    wallet.scripted_rounds(in_flight=DEPTHS[-1], seconds=size.warm_up_seconds)
    figures = interleave(round_rows(wallet, size), rounds=size.rounds, progress=progress)
    costed = CostedRounds(services.postgres, (casino, provider), wallet)
    costs = [
        figure
        for depth in COST_DEPTHS
        for figure in cost_figures(costed, depth, turns=size.rounds, seconds=size.round_seconds)
    ]
    return Outcome(figures=(*figures.values(), *costs))


def round_rows(wallet: WalletUnderLoad, size: Size) -> list[Measurement]:
    """Whole rounds, at three depths."""
    return [_rounds(wallet, depth, size) for depth in DEPTHS]


def _rounds(wallet: WalletUnderLoad, depth: int, size: Size) -> Measurement:
    return Measurement(
        key=f"rounds-{depth}",
        what=f"whole nine-step rounds through both services, {depth} in flight",
        measure=lambda: wallet.scripted_rounds(in_flight=depth, seconds=size.round_seconds),
    )


def measure_memory(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    books = services.copy_books(template)
    casino, provider = services.start_both(books)
    held: dict[str, list[float]] = {"casino": [], "provider": []}
    for step in range(1, MEMORY_STEPS + 1):
        uvloop.run(_load_both(casino, books, seconds=size.memory_seconds / MEMORY_STEPS))
        for service in (casino, provider):
            held[service.package].append(resident_mebibytes(service))
        progress(
            f"memory, step {step} of {MEMORY_STEPS}: " + ", ".join(f"{k} {v[-1]:.0f} MiB" for k, v in held.items())
        )
    figures = []
    targets = []
    for package, sizes in held.items():
        text = f"resident memory of the {package} process"
        figures.append(
            Figure(
                key=f"memory-{package}",
                what=f"{text} at the end of {size.memory_seconds:.0f} s of load",
                unit="MiB",
                value=sizes[-1],
                least=min(sizes),
                most=max(sizes),
                rounds=len(sizes),
            )
        )
        targets.append(Target(what=text, value=max(sizes), bound=MEMORY_MAX_MEBIBYTES, at_least=False, unit="MiB"))
        targets.append(
            Target(what=f"{text}, end over start", value=sizes[-1] / sizes[0], bound=MEMORY_GROWTH_MAX, at_least=False)
        )
    return Outcome(figures=tuple(figures), targets=tuple(targets))


async def _load_both(casino: ServiceProcess, books: Books, *, seconds: float) -> None:
    """Debits of one half of the players while the other half plays whole rounds."""
    half = len(books.players) // 2
    debits = sign_all(
        "/casino/debit",
        debit_bodies(books.players[:half], count=int(DEBITS_PER_SECOND_MAX * seconds)),
        secret=DEMO_CASINO_SECRET,
        port=casino.port,
    )
    bodies = [f'{{"userId":"{player.user_id}","gameId":"1"}}'.encode() for player in books.players[half:]]
    rounds = plain_post("/casino/simulateRound", bodies, port=casino.port)
    results = await asyncio.gather(
        apply_load(debits, port=casino.port, in_flight=MEMORY_DEBIT_DEPTH, seconds=seconds),
        apply_load(rounds, port=casino.port, in_flight=MEMORY_ROUND_DEPTH, seconds=seconds, must_hold=b'"passed":true'),
    )
    for result in results:
        if not result.all_ok:
            raise UnsoundRoundError(f"statuses {result.statuses}, {result.unlike_count} rounds not passed")
