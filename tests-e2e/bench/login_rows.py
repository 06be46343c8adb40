"""Logins beside bets: bets that arrive at half the capacity, alone and beside twenty logins a second.

A login hashes a password, which takes a core for some 25 ms. The figure is the 99th percentile of how long a bet takes.
A round fails when a bet or a login was not accepted.
"""

import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
from typing import Final

import psycopg
import uvloop

from bench.arrivals import Arrivals, apply_arrivals
from bench.loads import WalletUnderLoad, compare_books
from bench.measurements import Measurement, Outcome, Progress, Sample, Size, Target, UnsoundRoundError, interleave
from bench.players import count_transactions
from bench.presigned import debit_bodies, sign_all
from bench.services import BenchServices, Books
from e2e_testing.stack import DEMO_CASINO_SECRET

CAPACITY_DEPTH: Final = 64
SHARE_OF_CAPACITY: Final = 0.5
LOGINS_PER_SECOND: Final = 20
BET_CONNECTIONS: Final = 512
LOGIN_CONNECTIONS: Final = 64
SLOWER_AT_MOST: Final = 1.5
STAFF: Final = 200
FIRST, PASSWORD = "bench-0", "a password of the bench"
BEHIND_A_PROXY: Final = {"CASINO_TRUSTED_PROXIES": "127.0.0.1"}
"""Each login comes from an address of its own: one address has few at once."""
MORE_STAFF: Final = """
    with first as (
        select staff.ledger_id, role, made_at, password_hash
        from casino.staff join casino.staff_secrets using (ledger_id, staff_id) where username = %s
    ), added as (
        insert into casino.staff (ledger_id, username, role, made_at)
        select ledger_id, 'bench-' || number, role, made_at from first, generate_series(1, %s) as number
        returning ledger_id, staff_id
    )
    insert into casino.staff_secrets (ledger_id, staff_id, password_hash)
    select added.ledger_id, staff_id, password_hash from added, first
"""


def measure_logins(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    books = services.copy_books(template)
    make_staff(books)
    wallet = WalletUnderLoad(port=services.start_casino(books, environment=BEHIND_A_PROXY).port, books=books)
    wallet.debits(in_flight=CAPACITY_DEPTH, seconds=size.warm_up_seconds)
    rate = SHARE_OF_CAPACITY * wallet.debits(in_flight=CAPACITY_DEPTH, seconds=size.round_seconds).value
    progress(f"bets that arrive: {rate:,.0f} per second")
    logins = Logins(wallet.port)
    figures = interleave(
        [
            Measurement(
                key="bets-alone",
                what="99th percentile of bets that arrive at half the capacity",
                measure=lambda: bets(wallet, None, per_second=rate, seconds=size.round_seconds),
                unit="ms",
            ),
            Measurement(
                key="bets-beside-logins",
                what=f"the same beside {LOGINS_PER_SECOND} logins of staff a second",
                measure=lambda: bets(wallet, logins, per_second=rate, seconds=size.round_seconds),
                unit="ms",
            ),
        ],
        rounds=size.rounds,
        progress=progress,
    )
    pairs = zip(figures["bets-beside-logins"].values, figures["bets-alone"].values, strict=True)
    target = Target(
        what=f"99th percentile of bets beside {LOGINS_PER_SECOND} logins a second over that without",
        value=statistics.median(beside / alone for beside, alone in pairs),
        bound=SLOWER_AT_MOST,
        at_least=False,
    )
    return Outcome(figures=tuple(figures.values()), targets=(target,))


def make_staff(books: Books) -> None:
    """Many owners with one password, the first by the command that operators use."""
    subprocess.run(
        [sys.executable, "-P", "-m", "casino", "staff", "create", FIRST, "--role", "owner"],
        env={"PATH": os.environ["PATH"], "CASINO_OWNER_DATABASE_URL": books.database.url},
        input=f"{PASSWORD}\n", text=True, capture_output=True, check=True,
    )  # fmt: skip
    with psycopg.connect(books.database.url) as connection:
        connection.execute(MORE_STAFF, [FIRST, STAFF - 1])


class Logins:
    """Login requests, each of another member of staff than the one before, and from another address."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = itertools.count()

    def take(self, count: int) -> list[bytes]:
        """The next requests."""
        return [self._request(number) for number in itertools.islice(self._numbers, count)]

    def _request(self, number: int) -> bytes:
        body = json.dumps({"username": f"bench-{number % STAFF}", "password": PASSWORD}).encode()
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        head = (
            f"POST /api/v1/staff/login HTTP/1.1\r\nhost: 127.0.0.1:{self._port}\r\ncontent-type: application/json\r\n"
            f"x-forwarded-for: {address}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def bets(wallet: WalletUnderLoad, logins: Logins | None, *, per_second: float, seconds: float) -> Sample:
    """One round; sound only when every bet and every login was accepted, and the ledger agrees."""
    bodies = debit_bodies(wallet.books.players, count=int(per_second * seconds) + 1)
    requests = sign_all("/casino/debit", bodies, secret=DEMO_CASINO_SECRET, port=wallet.port)
    sent = logins.take(int(LOGINS_PER_SECOND * seconds) + 1) if logins is not None else []
    before = count_transactions(wallet.books.database.url)

    async def apply() -> list[Arrivals]:
        loads = [
            apply_arrivals(
                requests, port=wallet.port, per_second=per_second, seconds=seconds, connections=BET_CONNECTIONS
            )
        ]
        if sent:
            loads.append(
                apply_arrivals(
                    sent, port=wallet.port, per_second=LOGINS_PER_SECOND, seconds=seconds, connections=LOGIN_CONNECTIONS
                )
            )
        return await asyncio.gather(*loads)

    arrived = uvloop.run(apply())
    for each in arrived:
        if each.statuses != {200: each.due_count}:
            raise UnsoundRoundError(f"{each.due_count} arrived, answered: {each.statuses}")
    compare_books(wallet.books, before, acknowledged=arrived[0].accepted_count)
    return Sample(value=arrived[0].percentile_ms(99))
