"""The table of a run: on the terminal with rich, and as docs/benchmarks.md after a full run.

A target's verdict comes from the exact value, not from the rounded one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.machine import Machine
from bench.measurements import Figure, Outcome, Target

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "benchmarks.md"
COMPARISON_PAGE: Final = DOCS / "benchmarks-against.md"

_PREFACE: Final = """# Benchmarks

Written by `make bench` (`python -m bench`); do not edit by hand. One run on one machine: load
generator, services and Postgres share its cores. Each figure is the median of its rounds. Rows that are compared
took turns (A B B A), and a ratio is the median of the ratios of adjacent rounds: a machine that becomes slower does so
for both.
"""

_COMPARISON_PREFACE: Final = """# This revision beside earlier ones

Written by `make bench-against REV="{revisions}"`; do not edit by hand. Services of all revisions ran on one machine at
one time, each pair with its own Postgres, with the same libraries and the same generator. The revisions
took turns (A B C, C B A); a ratio is the median of the ratios of rounds of one turn. Kept: at least
{kept:g}. A row whose first five rounds were under 0.98 was measured again in fifteen, and those count. What the rows
mean is in [benchmarks.md](benchmarks.md).
"""

_MEANINGS: Final = """## What the rows mean

- **The generator's own ceiling**: requests per second that the generator sends to a server which answers fixed bytes
  without reading. No row below can be limited by the generator unless it comes near this one.
- **An empty Starlette endpoint**: what the framework and one uvicorn worker cost before any of our code runs.
- **Signed debits**: `POST /casino/debit`, HMAC-signed, each with a nonce of its own, every one the only bet of a new
  round, on {players:,} wallets with a live session each. One uvicorn worker (uvloop, httptools), keep-alive, N requests
  in flight on N connections, closed loop. Requests are signed before the clock starts. A round counts only if every
  answer was 200 and the ledger then held exactly as many new transactions as were acknowledged. Every answer is sent
  after its commit is durable: fsync, synchronous_commit and full_page_writes are on. Checkpoints are spaced so that
  none falls into a round.
- **pgbench**: the same database function, the same commands, one per call and commit, prepared statements, clients on
  wallets of their own. Its latency is a mean.
- **Grouping off**: the same service with `CASINO_GROUP_COMMIT_MAX=1`, and with `CASINO_GROUP_COMMIT_LANES=4`, which
  serves it best.
- **Two casino processes on one ledger**: two processes with a port each, on one database; every player bets at both.
- **An endpoint that does nothing**: `GET /health/live` of a casino process that serves: all of the server's own layers,
  no signature, no database.
- **A plain ledger in SQL**: what many wallets are: a checked balance, a unique transaction id, two postings. One
  statement and one commit for each debit, by pgbench on the same Postgres. It has no session, nonce, signature, hash
  chain or feed, and no HTTP.
- **One small durable commit**: pgbench inserts one row of one column into a table without an index. Nothing that
  commits each debit by itself can be faster on this machine; a batch shares one commit.
- **Cost**: what is done for each second that the service's processes and Postgres spend on a core together (the load
  generator's time is not in it), and for each gigabyte (10^9 bytes) of WAL. No checkpoint falls into a round, so
  pages that a checkpoint makes Postgres log whole are not in it.
- **One hot wallet**: all commands on one player. A batch takes up to eight of them, one judged after the other.
- **With a pending bonus and stops**: each player has a pending bonus, an agent and a cashier; the tenant has a region
  and three stops of other games, providers and players, which each debit looks up. Both sides write events.
- **Few and many transactions**: the same debits on a small ledger and on one that the wallet's own function has filled;
  both freshly vacuumed, services freshly started and warmed. A small ledger is copied anew for every round.
- **The wallet client**: the provider's client against a wallet that accepts every call and signs its answers, beside
  plain `httpx.AsyncClient` with the same signing, both in one process with 32 calls in flight.
- **Whole rounds**: `POST /casino/simulateRound`: launch, nine signed wallet calls and the provider's own writes.
- **Processor time of a round**: what each process computes for, whether or not others disturb it. Where it goes: in
  both services the largest part is HTTP (fourteen requests a round are parsed, routed, signed, verified, answered),
  then the driver of the database. In Postgres it is the start and end of each statement, and the commit; a batch shares
  both, so a round costs more alone than beside 31 others. The provider records a round in eight steps; each shares its
  commit with the steps of other rounds. The outcome of a call and the intent of the next are one step.
- **Accepted bets when as many, or twice as many, arrive**: an open loop: debits arrive at a fixed rate, over 2,048
  connections, whether or not those before them were answered; first at the rate that a closed loop of 128 reaches, then
  at twice that. Latency counts from the moment when a bet was due, of accepted bets only. A round counts only if every
  other answer was a 503, and the ledger holds the accepted bets and no more. Then a closed loop must be served whole.
- **Vouchers**: a batch of 500 is one request; each voucher is charged to the agent's float in an entry of its own.
  Redeems come through one proxy from 20,000 addresses, 32 in flight; each makes a player, a wallet and a play session.
- **Resident memory**: of each service process while debits and whole rounds run together.
"""

_WHERE: Final = """## Where the time of a debit goes

Processor time of 2026-11-28, statement by statement, for batches of 1 and of 32 debits on small tables:

| Postgres | for each batch | for each debit |
| --- | --- | --- |
| find the sessions, lock the wallets | 0.08 ms | 4 µs |
| claim the nonces | 0.05 ms | 8 µs |
| read and judge | 0.18 ms | 13 µs |
| book: wallet, chain, transaction, two postings, event | 0.25 ms | 29 µs |
| session and round | 0.05 ms | 10 µs |
| foreign keys of the transaction, its postings and its round | 0.01 ms | 20 µs |
| the rest of the function, JSON | 0.2 ms | 5 µs |
| commit | 0.2 ms | |

- A batch costs a millisecond before its first debit: at 64 in flight some 30 debits share it. On a hot wallet eight
  debits share the commit, the locks and the nonces, and each costs half a millisecond in a turn of its own.
- In the casino process 37 % of the time are system calls: 13 % write answers, 13 % wait for events, 10 % send to
  Postgres. 11 % are group commit and the database driver, 3 % signing, 6 % JSON and commands, 5 % parsing HTTP. What
  remains is the event loop and the layers of the server.
- Python and Postgres work at the same time: a second batch begins when 24 commands wait, and the next batch begins
  before the answers of the last one are written.
- A bet is one durable commit. Its nonce had one of its own before.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    machine: Machine
    outcomes: tuple[Outcome, ...]
    player_count: int

    @property
    def figures(self) -> list[Figure]:
        return [figure for outcome in self.outcomes for figure in outcome.figures]

    @property
    def targets(self) -> list[Target]:
        return [target for outcome in self.outcomes for target in outcome.targets]


def show(report: Report, console: Console) -> None:
    for title, header, rows in (
        ("Figures: medians of one run", FIGURE_HEADER, _figure_rows(report.figures)),
        ("Targets", TARGET_HEADER, _target_rows(report.targets)),
    ):
        table = Table(title=title)
        for number, name in enumerate(header):
            table.add_column(name, justify="left" if number == 0 else "right")
        for row in rows:
            table.add_row(*row)
        if rows:
            console.print(table)


def write_page(report: Report) -> None:
    parts = [
        _PREFACE,
        _machine_section(report.machine),
        "## Targets\n\n" + _markdown(TARGET_HEADER, _target_rows(report.targets)),
        "## Figures\n\n" + _markdown(FIGURE_HEADER, _figure_rows(report.figures)),
        _MEANINGS.format(players=report.player_count),
        _WHERE,
        "## Again\n\n    make bench\n",
    ]
    PAGE.write_text("\n".join(parts))


def write_comparison(report: Report, revisions: Sequence[str]) -> None:
    """The page of a comparison. The figures of an outcome come in pairs, this tree's and the revision's."""
    tables = [
        f"## Throughput per second, then: {revision}\n\n" + _markdown(COMPARISON_HEADER, _comparison_rows(outcome))
        for revision, outcome in zip(revisions, report.outcomes, strict=True)
    ]
    names = " ".join(revisions)
    preface = _COMPARISON_PREFACE.format(revisions=names, kept=report.targets[0].bound)
    again = f'## Again\n\n    make bench-against REV="{names}"\n'
    COMPARISON_PAGE.write_text("\n".join([preface, _machine_section(report.machine), *tables, again]))


def _comparison_rows(outcome: Outcome) -> list[tuple[str, ...]]:
    return [
        (
            target.what,
            f"{then.value:,.0f}",
            f"{now.value:,.0f}",
            f"{target.value:.2f}",
            f"{now.rounds}",
            "yes" if target.met else "no",
        )
        for now, then, target in zip(outcome.figures[::2], outcome.figures[1::2], outcome.targets, strict=True)
    ]


def _machine_section(machine: Machine) -> str:
    facts = [
        ("Cores", str(machine.cores)),
        ("CPU", machine.cpu),
        ("Memory", f"{machine.memory_gib:.0f} GiB"),
        ("System", machine.system),
        ("Python", machine.python),
        ("Postgres", machine.postgres),
        ("Day", machine.day),
    ]
    return "## The machine\n\n" + _markdown(("fact", "value"), facts)


COMPARISON_HEADER: Final = ("what", "then", "now", "now over then", "rounds", "kept")
FIGURE_HEADER: Final = ("what", "median", "lowest to highest", "p50 ms", "p99 ms", "rounds")
TARGET_HEADER: Final = ("what", "measured", "target", "verdict")


def _figure_rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    return [
        (
            figure.what,
            f"{figure.value:,.0f} {figure.unit}",
            f"{figure.least:,.0f} to {figure.most:,.0f}",
            _milliseconds(figure.p50_ms),
            _milliseconds(figure.p99_ms),
            str(figure.rounds),
        )
        for figure in figures
    ]


def _target_rows(targets: Sequence[Target]) -> list[tuple[str, ...]]:
    return [
        (
            target.what,
            f"{target.value:,.2f} {target.unit}".strip(),
            f"at {'least' if target.at_least else 'most'} {target.bound:g} {target.unit}".strip(),
            "met" if target.met else "missed",
        )
        for target in targets
    ]


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
