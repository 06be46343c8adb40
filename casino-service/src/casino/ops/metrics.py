"""What the service tells Prometheus: every metric with its labels, how a request is tallied, and GET /metrics.

Owns the names. A label's value comes from a table of ours (a route's template, a code of the error table), never from
a request. It must never wait, log or ask the database: it runs within every request, and a scrape must work when
nothing else does.

A request only adds to plain integers; a loop and each scrape pour them into the library's metrics. With several worker
processes the library keeps those in files that all of them share, where one observation costs more than it may here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from casino.wallet.commands import WalletCommand, WalletOutcome
from shared_service.http.peer_clock import PeerClock
from shared_service.http.routing import ELSEWHERE, Route
from shared_service.postgres.database import Database

C = TypeVar("C")
R = TypeVar("R")

FLUSH_SECONDS: Final = 1.0
REQUEST_BOUNDS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
BATCH_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

ALARMING_CODES: Final = (
    "bad_signature",
    "idempotency_mismatch",
    "internal",
    "nonce_replay",
    "overloaded",
    "rate_limited",
    "signature_malformed",
    "signature_missing",
    "timestamp_out_of_window",
    "transaction_rolled_back",
    "unknown_key",
)
"""What alert rules count. Shown as 0 from the start: Prometheus cannot see a series that begins with 1 increase."""
KINDS: Final = ("debit", "credit", "rollback")

SHARED_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The library's name for where worker processes share their values."""
_LIVE_FILE: Final = re.compile(r"gauge_live\w+?_(\d+)\.db")

disable_created_metrics()  # type: ignore[no-untyped-call]


class _Tally:
    """What an endpoint did since the last flush."""

    __slots__ = ("buckets", "codes", "seconds")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.buckets = [0] * (len(REQUEST_BOUNDS_SECONDS) + 1)
        self.seconds = 0.0
        self.codes: dict[str, int] = defaultdict(int)


class HasSize(Protocol):
    """A queue that knows its length."""

    @property
    def size(self) -> int: ...


class Metrics:
    """The metrics of one application."""

    def __init__(self, *, demo: bool = False) -> None:
        self._registry = own = CollectorRegistry()
        Gauge(
            "casino_demo_mode", "1 in demo mode, which is not for real money", multiprocess_mode="livemax", registry=own
        ).set(demo)
        self._seconds = Histogram(
            "casino_request_seconds", "Time to answer, by route", ["endpoint"],
            buckets=REQUEST_BOUNDS_SECONDS, registry=own,
        )  # fmt: skip
        self._requests = Counter(
            "casino_requests", "Requests by route and outcome: ok, or the code of the refusal", ["endpoint", "code"],
            registry=own,
        )  # fmt: skip
        self._replays = Counter("casino_replays", "Answers that were given before", ["kind"], registry=own)
        self._tombstones = Counter("casino_tombstones", "Rollbacks of a bet that was never seen", registry=own)
        self._batches = Histogram(
            "casino_batch_size", "What one database transaction of group commit took", ["committer"],
            buckets=BATCH_BOUNDS, registry=own,
        )  # fmt: skip
        self._queued = Gauge(
            "casino_queue_length", "What waits or is in flight in group commit", ["committer"],
            multiprocess_mode="livesum", registry=own,
        )  # fmt: skip
        self._connections = Gauge(
            "casino_pool_connections", "Database connections: open, idle, and callers that wait for one",
            ["pool", "state"], multiprocess_mode="livesum", registry=own,
        )  # fmt: skip
        self._skew = Gauge(
            "casino_peer_clock_skew_seconds", "How far the provider's clock is behind, at most in the last minutes",
            multiprocess_mode="livemostrecent", registry=own,
        )  # fmt: skip
        self._unsigned = Gauge(
            "casino_unsigned_transactions", "Transactions that nobody signed, since there must be none",
            multiprocess_mode="livemax", registry=own,
        )  # fmt: skip
        self._certificate: Gauge | None = None
        self._peer_clock = PeerClock()
        self._tallies: dict[str, tuple[str, _Tally]] = {}
        self._elsewhere = (ELSEWHERE, _Tally())
        self._sample: Callable[[], None] = lambda: None

    def name_endpoints(self, routes: Sequence[Route]) -> None:
        """Take the routes' paths as the names of endpoints."""
        for route in routes:
            self._tallies[route.path] = (route.path, _Tally())
            for code in ALARMING_CODES:
                self._requests.labels(route.path, code).inc(0)
        for kind in KINDS:
            self._replays.labels(kind).inc(0)

    def observe(self, endpoint: str, code: str, started: float) -> None:
        """Tally a request of an endpoint that began at `started` (monotonic)."""
        elapsed_seconds = time.monotonic() - started
        _, tally = self._tallies.get(endpoint, self._elsewhere)
        tally.buckets[bisect_left(REQUEST_BOUNDS_SECONDS, elapsed_seconds)] += 1
        tally.seconds += elapsed_seconds
        tally.codes[code] += 1

    def observe_outcome(self, command: WalletCommand, outcome: WalletOutcome) -> None:
        """A command has its answer: count one that was given before, and a rollback that overtook its bet."""
        if outcome.replay:
            self._replays.labels(command.kind).inc()
        elif outcome.tombstone and not outcome.already_rolled_back:
            self._tombstones.inc()

    def note_certificate(self, expires_at_seconds: float) -> None:
        """The service shows its peers a certificate that expires then."""
        if self._certificate is None:  # without TLS there is no such series
            self._certificate = Gauge(
                "casino_tls_certificate_expires_at_seconds", "When the certificate in service expires",
                multiprocess_mode="livemin", registry=self._registry,
            )  # fmt: skip
        self._certificate.set(expires_at_seconds)

    def note_skew(self, skew_seconds: int) -> None:
        """The provider's clock, as an authentic request showed it."""
        self._peer_clock.note(skew_seconds)

    def show_unsigned(self, transactions: int) -> None:
        """How many transactions without a signer the ledger holds."""
        self._unsigned.set(transactions)

    def batched(
        self, committer: str, execute: Callable[[Sequence[C]], Awaitable[R]]
    ) -> Callable[[Sequence[C]], Awaitable[R]]:
        """`execute`, with the size of each batch observed."""
        sizes = self._batches.labels(committer)

        def observed(batch: Sequence[C]) -> Awaitable[R]:
            sizes.observe(len(batch))
            return execute(batch)

        return observed

    def watch(self, *, queues: Mapping[str, HasSize], pools: Mapping[str, Database]) -> None:
        """Show how long these queues are, and these pools' connections by state."""

        def sample() -> None:
            for name, queue in queues.items():
                self._queued.labels(name).set(queue.size)
            for name, pool in pools.items():
                for state, count in pool.connections().items():
                    self._connections.labels(name, state).set(count)

        self._sample = sample

    async def flush(self) -> None:
        """Pour what was tallied into the library's metrics: the step of a background loop."""
        for endpoint, tally in (*self._tallies.values(), self._elsewhere):
            if tally.codes:
                self._pour(endpoint, tally)
        if (skew_seconds := self._peer_clock.worst()) is not None:
            self._skew.set(skew_seconds)
        self._sample()

    async def page(self) -> bytes:
        """All metrics as text for a scrape."""
        await self.flush()
        # Reading the files of many workers takes a while; requests go on meanwhile.
        return await asyncio.to_thread(self._render)

    def _render(self) -> bytes:
        directory = os.environ.get(SHARED_DIRECTORY)
        if directory is None:
            return generate_latest(self._registry)
        _forget_dead_workers(Path(directory))
        shared = CollectorRegistry()
        MultiProcessCollector(shared, directory)  # type: ignore[no-untyped-call]
        return generate_latest(shared)

    def _pour(self, endpoint: str, tally: _Tally) -> None:
        seconds: Any = self._seconds.labels(endpoint)
        # The library can only add observations one by one; these are the two members behind `observe`.
        for bucket, count in zip(seconds._buckets, tally.buckets, strict=True):
            if count:
                bucket.inc(count)
        seconds._sum.inc(tally.seconds)
        for code, count in tally.codes.items():
            self._requests.labels(endpoint, code).inc(count)
        tally.reset()


@contextlib.contextmanager
def shared_by_workers(workers: int) -> Iterator[None]:
    """Let several worker processes, started within, show their metrics as one."""
    if workers == 1:
        yield
        return
    try:
        made = TemporaryDirectory(prefix="casino-metrics-")
    except OSError as error:
        sys.exit(f"casino: the workers' metrics need a folder for temporary files: set TMPDIR ({error.strerror})")
    with made as directory:
        os.environ[SHARED_DIRECTORY] = directory
        try:
            yield
        finally:
            del os.environ[SHARED_DIRECTORY]


def _forget_dead_workers(directory: Path) -> None:
    """A worker that was killed leaves gauges behind, which would be added to those of the living."""
    for file in directory.glob("gauge_live*.db"):
        named = _LIVE_FILE.fullmatch(file.name)
        if named and not _is_alive(int(named[1])):
            with contextlib.suppress(FileNotFoundError):  # another scrape was faster
                mark_process_dead(int(named[1]), str(directory))  # type: ignore[no-untyped-call]


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True
