"""The metrics of every service: requests, database pools, the peer's clock, certificate, files of keys, demo mode.

A request only adds to plain integers; `flush` adds them to the library's metrics once a second. With several worker
processes the library keeps its values in shared files, and an observation there is too slow for each request.
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
PEERS_MAX: Final = 128
"""Peers with a label of their own. Those that came and went in a process count together after that."""
OTHER_PEERS: Final = "other"

disable_created_metrics()  # type: ignore[no-untyped-call]


class _Tally:
    """The requests of an endpoint since the last flush."""

    __slots__ = ("buckets", "codes", "seconds")

    def __init__(self, buckets: int) -> None:
        self.reset(buckets)

    def reset(self, buckets: int) -> None:
        self.buckets = [0] * buckets
        self.seconds = 0.0
        self.codes: dict[str, int] = defaultdict(int)


class ServiceMetrics:
    """The common metrics. A service derives its own class and adds metrics to `registry`.

    Label values are routes and error codes. They do not come from requests, so the number of series is bounded.
    """

    def __init__(
        self, service: str, *, peer: str, bounds_seconds: Sequence[float], alarming_codes: Sequence[str], demo: bool
    ) -> None:
        """`service` begins each name. Alert rules count `alarming_codes`: they are 0 from the start, because Prometheus
        does not see the increase of a series that begins with 1."""
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
        self._peer_requests = Counter(
            f"{service}_peer_requests", f"Requests that a {peer} signed, by its outcome: ok, or the refusal's code",
            ["peer", "code"], registry=own,
        )  # fmt: skip
        self._connections = Gauge(
            f"{service}_pool_connections", "Database connections: open, idle, and callers that wait for one",
            ["pool", "state"], multiprocess_mode="livesum", registry=own,
        )  # fmt: skip
        self._skew = Gauge(
            f"{service}_peer_clock_skew_seconds", f"How far the {peer}'s clock is behind, by its latest requests",
            multiprocess_mode="livemostrecent", registry=own,
        )  # fmt: skip
        self._refused_files = Gauge(
            f"{service}_key_file_refused", "1 while a file of keys or peers cannot be used; what it held before stays",
            ["direction"], multiprocess_mode="livemax", registry=own,
        )  # fmt: skip
        self._certificate: Gauge | None = None
        self._peer_clock = PeerClock()
        self._pools: Mapping[str, Database] = {}
        self._tallies: dict[str, _Tally] = {}
        self._elsewhere = _Tally(len(self._bounds_seconds) + 1)
        self._of_peers: dict[str, dict[str, int]] = {}
        self._has_zeros = False

    def name_endpoints(self, routes: Sequence[Route]) -> None:
        """Use the routes' paths as endpoint labels."""
        for route in routes:
            self._tallies[route.path] = _Tally(len(self._bounds_seconds) + 1)

    def watch_pools(self, pools: Mapping[str, Database]) -> None:
        """Show these pools' connections by state."""
        self._pools = pools

    def observe(self, endpoint: str, code: str, started: float, peer: str = "") -> None:
        """Count a request with its endpoint, its outcome, its start (monotonic) and the peer that signed it."""
        elapsed_seconds = time.monotonic() - started
        tally = self._tallies.get(endpoint, self._elsewhere)
        tally.buckets[bisect_left(self._bounds_seconds, elapsed_seconds)] += 1
        tally.seconds += elapsed_seconds
        tally.codes[code] += 1
        if peer:
            self._codes_of(peer)[code] += 1

    def _codes_of(self, peer: str) -> dict[str, int]:
        codes = self._of_peers.get(peer)
        if codes is None:
            label = peer if len(self._of_peers) < PEERS_MAX else OTHER_PEERS
            codes = self._of_peers.setdefault(label, defaultdict(int))
        return codes

    def note_certificate(self, expires_at_seconds: float) -> None:
        """Show the expiry of the certificate in use, in epoch seconds."""
        if self._certificate is None:  # without TLS there is no such series
            self._certificate = Gauge(
                f"{self._service}_tls_certificate_expires_at_seconds", "When the certificate in service expires",
                multiprocess_mode="livemin", registry=self.registry,
            )  # fmt: skip
        self._certificate.set(expires_at_seconds)

    def show_refused_files(self, refused: Mapping[str, bool]) -> None:
        """Show for each watched file of keys or peers whether its content is refused."""
        for direction, is_refused in refused.items():
            self._refused_files.labels(direction).set(is_refused)

    def note_skew(self, skew_seconds: int) -> None:
        """Record how far the peer's clock is behind, by a request with a valid signature."""
        self._peer_clock.note(skew_seconds)

    def loops(self) -> list[BackgroundLoop]:
        """The loop that flushes: a scrape may reach another worker, which then needs this one's values."""
        return [BackgroundLoop("metrics", self.flush, interval_seconds=FLUSH_SECONDS)]

    async def flush(self) -> None:
        """Add the counted requests to the library's metrics, and update the gauges."""
        for endpoint, tally in (*self._tallies.items(), (ELSEWHERE, self._elsewhere)):
            if tally.codes:
                self._add(endpoint, tally)
        for peer, codes in self._of_peers.items():
            for code, count in codes.items():
                self._peer_requests.labels(peer, code).inc(count)
            codes.clear()
        if (skew_seconds := self._peer_clock.worst()) is not None:
            self._skew.set(skew_seconds)
        for name, pool in self._pools.items():
            for state, count in pool.connections().items():
                self._connections.labels(name, state).set(count)

    async def page(self) -> bytes:
        """Returns all metrics as text."""
        if not self._has_zeros:  # an alert sees the first refusal only if the series was there before it
            for endpoint in self._tallies:
                for code in self._alarming_codes:
                    self._requests.labels(endpoint, code).inc(0)
            self._has_zeros = True
        await self.flush()
        # In a thread, because reading the files of many workers takes long.
        return await asyncio.to_thread(render, self.registry)

    def _add(self, endpoint: str, tally: _Tally) -> None:
        seconds: Any = self._seconds.labels(endpoint)
        # The library adds observations only one by one. These private members are behind its `observe`.
        for bucket, count in zip(seconds._buckets, tally.buckets, strict=True):
            if count:
                bucket.inc(count)
        seconds._sum.inc(tally.seconds)
        for code, count in tally.codes.items():
            self._requests.labels(endpoint, code).inc(count)
        tally.reset(len(self._bounds_seconds) + 1)
