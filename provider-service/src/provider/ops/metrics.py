"""Defines the provider's Prometheus metrics and renders the page of GET /metrics.

Label values are route templates, known codes and the codes of configured casinos, so the number of series is bounded.
Gauges that are read from the database are absent while it does not answer.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cache
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from provider.errors import ERRORS
from provider.ops.backlog import Backlog, BacklogReader, Reconciled
from provider.wallet_client.actions import ACTIONS
from provider.wallet_client.health import HealthReport, Status
from provider.wallet_client.messages import WalletCall
from provider.wallet_client.outcomes import BAD_RESPONSE, REJECTED, UNREACHABLE, Accepted, Called, Refused
from shared_service.http.exchange import OK
from shared_service.metrics.service import ServiceMetrics

REQUEST_BOUNDS_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
CALL_BOUNDS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

OTHER: Final = "other"
"""The label for a wallet's code that no table of the provider has."""
ALARMING_CODES: Final = (
    "bad_signature",
    "internal",
    "nonce_replay",
    "overloaded",
    "signature_malformed",
    "signature_missing",
    "timestamp_out_of_window",
    "unknown_key",
)
"""Codes that alert rules count. They start at 0, because Prometheus sees no increase in a series that starts at 1."""
WALLET_ENDPOINTS: Final = ("debit", "credit", "rollback", "getBalance")
VERDICTS: Final = ("good", "missing", "bad", "none")
_OUTCOMES: Final = {Accepted: "accepted", Refused: "refused"}
_CODES: Final = frozenset({*ACTIONS, *ERRORS, OK})


class Metrics(ServiceMetrics):
    """The metrics of one application."""

    def __init__(self, *, demo: bool = False) -> None:
        super().__init__(
            "provider", peer="casino", bounds_seconds=REQUEST_BOUNDS_SECONDS, alarming_codes=ALARMING_CODES, demo=demo
        )
        own = self.registry
        self._calls = Counter(
            "provider_wallet_calls",
            "Calls to the wallet of a casino by endpoint, outcome (accepted, refused, unknown) and code",
            ["peer", "endpoint", "outcome", "code"], registry=own,
        )  # fmt: skip
        self._call_seconds = Histogram(
            "provider_wallet_call_seconds", "Time until a call ended, retries included", ["peer", "endpoint"],
            buckets=CALL_BOUNDS_SECONDS, registry=own,
        )  # fmt: skip
        self._attempts = Counter(
            "provider_wallet_attempts", "HTTP attempts by endpoint and verdict on the answer's signature",
            ["peer", "endpoint", "signature"], registry=own,
        )  # fmt: skip
        self._retries = Counter(
            "provider_wallet_retries", "Attempts after a call's first", ["peer", "endpoint"], registry=own
        )  # fmt: skip
        self._replays = Counter(
            "provider_wallet_replays",
            "Acceptances that repeat an earlier answer of the wallet",
            ["peer", "endpoint"],
            registry=own,
        )
        self._tombstones = Counter(
            "provider_wallet_tombstones", "Rollbacks of a bet that the wallet had never seen", ["peer"], registry=own
        )
        self._peers: set[str] = set()
        # Looking up a child by its labels costs five times what counting does. Children are few and never removed.
        self._call_of, self._call_seconds_of = cache(self._calls.labels), cache(self._call_seconds.labels)
        self._attempt_of = cache(self._attempts.labels)

    def name_peer(self, peer: str) -> None:
        """Create a casino's series of every endpoint at 0, so that alert rules see the first increase."""
        self._peers.add(peer)
        for endpoint in WALLET_ENDPOINTS:
            self._calls.labels(peer, endpoint, "accepted", OK).inc(0)
            for code in (UNREACHABLE, BAD_RESPONSE, REJECTED):
                self._calls.labels(peer, endpoint, "unknown", code).inc(0)
            self._retries.labels(peer, endpoint).inc(0)
            for verdict in VERDICTS:
                self._attempts.labels(peer, endpoint, verdict).inc(0)
        self._tombstones.labels(peer).inc(0)

    def observe_call(self, peer: str, call: WalletCall, called: Called) -> None:
        """Count a call to a casino's wallet that ended."""
        endpoint, outcome = call.path.rpartition("/")[2], called.outcome
        code = OK if isinstance(outcome, Accepted) else outcome.code
        self._call_of(peer, endpoint, _OUTCOMES.get(type(outcome), "unknown"), code if code in _CODES else OTHER).inc()
        for attempt in called.attempts:
            self._attempt_of(peer, endpoint, attempt.signature).inc()
        if called.attempts:
            self._call_seconds_of(peer, endpoint).observe(time.monotonic() - called.attempts[0].started)
        if len(called.attempts) > 1:
            self._retries.labels(peer, endpoint).inc(len(called.attempts) - 1)
        if isinstance(outcome, Accepted):
            if outcome.replayed:
                self._replays.labels(peer, endpoint).inc()
            elif outcome.tombstone:
                self._tombstones.labels(peer).inc()

    def scrape_of(
        self, backlog_reader: BacklogReader, *, health: Callable[[], Mapping[str, HealthReport]]
    ) -> Callable[[], Awaitable[bytes]]:
        """Return the function that renders the page: counters, and the present state of books and wallets."""
        gauges = _StateGauges(backlog_reader, health)
        self.registry.register(gauges)

        async def make_page() -> bytes:
            for peer in health().keys() - self._peers:
                self.name_peer(peer)
            await backlog_reader.refresh()
            gauges.copy_state()
            return await self.page()

        return make_page


class _StateGauges(Collector):
    """Gauges of the present state; absent while their value is unknown."""

    def __init__(self, backlog_reader: BacklogReader, health: Callable[[], Mapping[str, HealthReport]]) -> None:
        self._backlog_reader = backlog_reader
        self._health = health
        self.copy_state()

    def copy_state(self) -> None:
        """Copy the state on the event loop, because the page is rendered in a thread."""
        self._state = self._health(), self._backlog_reader.backlog, self._backlog_reader.reconciled

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Build the gauges; prometheus-client calls it at each scrape."""
        reports, backlog, reconciled = self._state
        states = GaugeMetricFamily(
            "provider_wallet_health", "1 for the present state of a casino's wallet", labels=["peer", "state"]
        )
        for peer, report in reports.items():
            for each in Status:
                states.add_metric([peer, each.value], float(each is report.status))
        yield states

        yield GaugeMetricFamily(
            "provider_books_readable", "1 while the database answers the queries for the gauges below",
            value=float(backlog is not None and reconciled is not None),
        )  # fmt: skip
        if backlog is not None:
            yield from _backlog_gauges(backlog)
        if reconciled is not None:
            yield from _reconciled_gauges(reconciled)


def _backlog_gauges(backlog: Mapping[str, Backlog]) -> Iterator[GaugeMetricFamily]:
    pending = GaugeMetricFamily(
        "provider_pending_transactions", "Wallet transactions without a known outcome", labels=["peer", "kind"]
    )
    oldest = GaugeMetricFamily(
        "provider_pending_oldest_seconds", "Age of the oldest of them, 0 without one", labels=["peer", "kind"]
    )
    in_doubt = GaugeMetricFamily(
        "provider_debits_in_doubt",
        "Debits whose outcome is unknown and whose rollback is not done yet",
        labels=["peer"],
    )
    for peer, of_peer in backlog.items():
        for kind, (count, age_seconds) in of_peer.pending.items():
            pending.add_metric([peer, kind], count)
            oldest.add_metric([peer, kind], age_seconds)
        in_doubt.add_metric([peer], of_peer.debits_in_doubt)
    yield from (pending, oldest, in_doubt)


def _reconciled_gauges(reconciled: Mapping[str, Reconciled]) -> Iterator[GaugeMetricFamily]:
    differences = GaugeMetricFamily(
        "provider_reconciliation_differences",
        "Differences that a casino's newest complete run, also one with --no-heal, did not repair", labels=["peer"],
    )  # fmt: skip
    age = GaugeMetricFamily(
        "provider_reconciliation_age_seconds",
        "Seconds since a casino's last complete run, or since it is known", labels=["peer"],
    )  # fmt: skip
    for peer, of_peer in reconciled.items():
        differences.add_metric([peer], of_peer.differences)
        age.add_metric([peer], of_peer.age_seconds)
    yield from (differences, age)
