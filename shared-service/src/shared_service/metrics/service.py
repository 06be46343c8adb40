"""What every service tells Prometheus: requests, pools of connections, its peer's clock, its certificate, demo mode.

A request only adds to plain integers; `flush` pours them into the library's metrics. With several worker processes the
library keeps those in files that all of them share, where one observation costs more than it may within a request.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from shared_service.http.routing import ELSEWHERE, Route
from shared_service.metrics.peer_clock import PeerClock
from shared_service.metrics.workers import render
from shared_service.postgres.database import Database
from shared_service.run.loops import BackgroundLoop

FLUSH_SECONDS: Final = 1.0

disable_created_metrics()  # type: ignore[no-untyped-call]


class _Tally:
    """What an endpoint did since the last flush."""

    __slots__ = ("buckets", "codes", "seconds")

    def __init__(self, buckets: int) -> None:
        self.reset(buckets)

    def reset(self, buckets: int) -> None:
        self.buckets = [0] * buckets
        self.seconds = 0.0
        self.codes: dict[str, int] = defaultdict(int)


class ServiceMetrics:
    """The metrics that both services have. A service derives its own class, which adds metrics to `registry`.

    A label's value comes from a table of ours (a route's template, a code of the error table), never from a request.
    """

    def __init__(
        self, service: str, *, peer: str, bounds_seconds: Sequence[float], alarming_codes: Sequence[str], demo: bool
    ) -> None:
        """`service` begins each name. `alarming_codes` are those that alert rules count: they are shown as 0 from the
        start, because Prometheus cannot see the increase of a series that begins with 1."""
        self._service = service
        self._bounds_seconds = tuple(bounds_seconds)
        self._alarming_codes = tuple(alarming_codes)
        self.registry = own = CollectorRegistry()
        Gauge(
            f"{service}_demo_mode", "1 in demo mode, in which well-known secrets are accepted",
            multiprocess_mode="livemax", registry=own,
        ).set(demo)  # fmt: skip
        self._seconds = Histogram(
            f"{service}_request_seconds", "Time to answer, by route", ["endpoint"],
            buckets=self._bounds_seconds, registry=own,
        )  # fmt: skip
        self._requests = Counter(
            f"{service}_requests", "Requests by route and outcome: ok, or the code of the refusal",
            ["endpoint", "code"], registry=own,
        )  # fmt: skip
        self._connections = Gauge(
            f"{service}_pool_connections", "Database connections: open, idle, and callers that wait for one",
            ["pool", "state"], multiprocess_mode="livesum", registry=own,
        )  # fmt: skip
        self._skew = Gauge(
            f"{service}_peer_clock_skew_seconds", f"How far the {peer}'s clock is behind, by its latest requests",
            multiprocess_mode="livemostrecent", registry=own,
        )  # fmt: skip
        self._certificate: Gauge | None = None
        self._peer_clock = PeerClock()
        self._pools: Mapping[str, Database] = {}
        self._tallies: dict[str, _Tally] = {}
        self._elsewhere = _Tally(len(self._bounds_seconds) + 1)

    def name_endpoints(self, routes: Sequence[Route]) -> None:
        """Take the routes' paths as the names of endpoints."""
        for route in routes:
            self._tallies[route.path] = _Tally(len(self._bounds_seconds) + 1)
            for code in self._alarming_codes:
                self._requests.labels(route.path, code).inc(0)

    def watch_pools(self, pools: Mapping[str, Database]) -> None:
        """Show these pools' connections by state."""
        self._pools = pools

    def observe(self, endpoint: str, code: str, started: float) -> None:
        """Tally a request of an endpoint that began at `started` (monotonic)."""
        elapsed_seconds = time.monotonic() - started
        tally = self._tallies.get(endpoint, self._elsewhere)
        tally.buckets[bisect_left(self._bounds_seconds, elapsed_seconds)] += 1
        tally.seconds += elapsed_seconds
        tally.codes[code] += 1

    def note_certificate(self, expires_at_seconds: float) -> None:
        """The service shows its peers a certificate that expires then."""
        if self._certificate is None:  # without TLS there is no such series
            self._certificate = Gauge(
                f"{self._service}_tls_certificate_expires_at_seconds", "When the certificate in service expires",
                multiprocess_mode="livemin", registry=self.registry,
            )  # fmt: skip
        self._certificate.set(expires_at_seconds)

    def note_skew(self, skew_seconds: int) -> None:
        """The peer's clock is so far behind, as an authentic request showed."""
        self._peer_clock.note(skew_seconds)

    def loops(self) -> list[BackgroundLoop]:
        """Show what was counted also while nobody scrapes this process: another worker may be asked."""
        return [BackgroundLoop("metrics", self.flush, interval_seconds=FLUSH_SECONDS)]

    async def flush(self) -> None:
        """Pour what was tallied into the library's metrics, and read the gauges."""
        for endpoint, tally in (*self._tallies.items(), (ELSEWHERE, self._elsewhere)):
            if tally.codes:
                self._pour(endpoint, tally)
        if (skew_seconds := self._peer_clock.worst()) is not None:
            self._skew.set(skew_seconds)
        for name, pool in self._pools.items():
            for state, count in pool.connections().items():
                self._connections.labels(name, state).set(count)

    async def page(self) -> bytes:
        """All metrics as text for a scrape."""
        await self.flush()
        # Reading the files of many workers takes a while; requests go on meanwhile.
        return await asyncio.to_thread(render, self.registry)

    def _pour(self, endpoint: str, tally: _Tally) -> None:
        seconds: Any = self._seconds.labels(endpoint)
        # The library can only add observations one by one; these are the two members behind `observe`.
        for bucket, count in zip(seconds._buckets, tally.buckets, strict=True):
            if count:
                bucket.inc(count)
        seconds._sum.inc(tally.seconds)
        for code, count in tally.codes.items():
            self._requests.labels(endpoint, code).inc(count)
        tally.reset(len(self._bounds_seconds) + 1)
