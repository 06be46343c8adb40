"""One round of load on a wallet: built, sent, and checked against what the ledger holds afterwards.

A round counts if every answer is 200 and the ledger has exactly as many new transactions as were acknowledged. Other
rounds have no speed.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import uvloop

from bench.generator import LoadResult, apply_load
from bench.measurements import Sample, UnsoundRoundError
from bench.players import count_transactions
from bench.presigned import Player, balance_bodies, debit_bodies, plain_post, sign_all
from bench.services import Books
from e2e_testing.stack import DEMO_CASINO_SECRET

DEBITS_PER_SECOND_MAX: Final = 25_000
"""How many requests are prepared for each second of a round: more than any round can use."""
READS_PER_WRITE: Final = 9
EMPTY_CALLS_PER_SECOND_MAX: Final = 100_000
STRANGE_BYTES_MAX: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletUnderLoad:
    """A casino's port and the books behind it."""

    port: int
    books: Books

    def debits(self, *, in_flight: int, seconds: float, players: Sequence[Player] | None = None) -> Sample:
        requests = self.signed_debits(players or self.books.players, seconds=seconds)
        before = count_transactions(self.books.database.url)
        result = self._sound(requests, in_flight=in_flight, seconds=seconds, must_hold=b'"status":"ok"')
        compare_books(self.books, before, acknowledged=result.answered_count)
        return _sample(result)

    def signed_debits(self, players: Sequence[Player], *, seconds: float) -> list[bytes]:
        """More requests than a round can use, in another order each time."""
        bodies = debit_bodies(_shuffled(players), count=_enough(seconds))
        return sign_all("/casino/debit", bodies, secret=DEMO_CASINO_SECRET, port=self.port)

    def reads_and_writes(self, *, in_flight: int, seconds: float) -> Sample:
        """Nine balances to one debit."""
        players = _shuffled(self.books.players)
        count = _enough(seconds)
        reads = sign_all(
            "/casino/getBalance", balance_bodies(players, count=count), secret=DEMO_CASINO_SECRET, port=self.port
        )
        writes = sign_all(
            "/casino/debit",
            debit_bodies(players, count=count // READS_PER_WRITE),
            secret=DEMO_CASINO_SECRET,
            port=self.port,
        )
        requests: list[bytes] = []
        for number, write in enumerate(writes):
            requests += reads[number * READS_PER_WRITE : (number + 1) * READS_PER_WRITE]
            requests.append(write)
        before = count_transactions(self.books.database.url)
        result = self._sound(requests, in_flight=in_flight, seconds=seconds, must_hold=b'"balance":"')
        compare_books(self.books, before, acknowledged=result.sent_count // (READS_PER_WRITE + 1))
        return _sample(result)

    def scripted_rounds(self, *, in_flight: int, seconds: float) -> Sample:
        """Whole nine-step rounds through both services, each started by an unsigned client call."""
        players = _shuffled(self.books.players)
        bodies = [f'{{"userId":"{player.user_id}","gameId":"1"}}'.encode() for player in players]
        requests = plain_post("/casino/simulateRound", bodies, port=self.port)
        return _sample(self._sound(requests, in_flight=in_flight, seconds=seconds, must_hold=b'"passed":true'))

    def health(self, *, in_flight: int, seconds: float) -> Sample:
        """An endpoint behind all of the server's own layers that reads nothing and asks no database."""
        request = f"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n\r\n".encode()
        requests = [request] * int(EMPTY_CALLS_PER_SECOND_MAX * max(1.0, seconds))
        return _sample(self._sound(requests, in_flight=in_flight, seconds=seconds, must_hold=b""))

    def _sound(self, requests: Sequence[bytes], *, in_flight: int, seconds: float, must_hold: bytes) -> LoadResult:
        return require_ok(
            uvloop.run(apply_load(requests, port=self.port, in_flight=in_flight, seconds=seconds, must_hold=must_hold)),
            must_hold,
        )


def debits_at_once(wallets: Sequence[WalletUnderLoad], *, in_flight: int, seconds: float) -> Sample:
    """Debits at several processes of one ledger, `in_flight` at each; all players may bet at any of them."""
    books, must_hold = wallets[0].books, b'"status":"ok"'
    requests = [wallet.signed_debits(books.players, seconds=seconds) for wallet in wallets]

    async def apply_all() -> list[LoadResult]:
        loads = [
            apply_load(own, port=wallet.port, in_flight=in_flight, seconds=seconds, must_hold=must_hold)
            for wallet, own in zip(wallets, requests, strict=True)
        ]
        return await asyncio.gather(*loads)

    before = count_transactions(books.database.url)
    results = [require_ok(result, must_hold) for result in uvloop.run(apply_all())]
    compare_books(books, before, acknowledged=sum(result.answered_count for result in results))
    latencies = sorted(latency for result in results for latency in result.latencies_seconds)
    return Sample(
        value=sum(result.per_second for result in results),
        p50_ms=latencies[len(latencies) // 2] * 1_000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1_000,
    )


def require_ok(result: LoadResult, must_hold: bytes) -> LoadResult:
    if not result.all_ok:
        raise UnsoundRoundError(
            f"{result.sent_count} sent: {result.statuses}, {result.unlike_count} unlike {must_hold!r}, "
            f"first {result.strange_answer[:STRANGE_BYTES_MAX]!r}"
        )
    return result


def compare_books(books: Books, before: int, *, acknowledged: int) -> None:
    booked = count_transactions(books.database.url) - before
    if booked != acknowledged:
        raise UnsoundRoundError(f"{acknowledged} debits were acknowledged, the ledger holds {booked} more")


def _enough(seconds: float) -> int:
    return max(1_000, int(seconds * DEBITS_PER_SECOND_MAX))


def _shuffled(players: Sequence[Player]) -> list[Player]:
    """Another order in each round; no two neighbours are the same player."""
    return random.sample(players, len(players))


def _sample(result: LoadResult) -> Sample:
    return Sample(value=result.per_second, p50_ms=result.percentile_ms(50), p99_ms=result.percentile_ms(99))
