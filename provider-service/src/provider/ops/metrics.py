"""Defines the provider's Prometheus metrics and renders the page of GET /metrics.

A label's value is a route's template or a known code, never text from a request or a wallet. Gauges that are read from
the database are left out while it does not answer.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from provider.errors import ERRORS
from provider.ops.backlog import BacklogReader
from provider.wallet_client.actions import ACTIONS
from provider.wallet_client.health import HealthReport, Status
from provider.wallet_client.messages import WalletCall
from provider.wallet_client.outcomes import BAD_RESPONSE, REJECTED, UNREACHABLE, Accepted, Called, Refused
from shared_service.http.exchange import OK
from shared_service.http.routing import Route
from shared_service.metrics.service import ServiceMetrics

REQUEST_BOUNDS_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
CALL_BOUNDS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

OTHER: Final = "other"
"""A code of a wallet that no table of ours knows."""
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
"""What alert rules count. Shown as 0 from the start: Prometheus cannot see a series that begins with 1 increase."""
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
            "provider_wallet_calls", "Calls to the wallet by endpoint, outcome (accepted, refused, unknown) and code",
            ["endpoint", "outcome", "code"], registry=own,
        )  # fmt: skip
        self._call_seconds = Histogram(
            "provider_wallet_call_seconds", "Time until a call's outcome was known, retries included", ["endpoint"],
            buckets=CALL_BOUNDS_SECONDS, registry=own,
        )  # fmt: skip
        self._attempts = Counter(
            "provider_wallet_attempts", "HTTP attempts by endpoint and verdict on the answer's signature",
            ["endpoint", "signature"], registry=own,
        )  # fmt: skip
        self._retries = Counter(
            "provider_wallet_retries", "Attempts after a call's first", ["endpoint"], registry=own
        )  # fmt: skip
        self._replays = Counter(
            "provider_wallet_replays", "Acceptances that the wallet had given before", ["endpoint"], registry=own
        )
        self._tombstones = Counter(
            "provider_wallet_tombstones", "Rollbacks of a bet that the wallet had never seen", registry=own
        )
        # Finding a child by its labels costs five times what counting does; there are few, and they stay for ever.
        self._call_of, self._call_seconds_of = cache(self._calls.labels), cache(self._call_seconds.labels)
        self._attempt_of = cache(self._attempts.labels)

    def name_endpoints(self, routes: Sequence[Route]) -> None:
        """Take the routes' templates as the names of endpoints."""
        super().name_endpoints(routes)
        for endpoint in WALLET_ENDPOINTS:
            self._calls.labels(endpoint, "accepted", OK).inc(0)
            for code in (UNREACHABLE, BAD_RESPONSE, REJECTED):
                self._calls.labels(endpoint, "unknown", code).inc(0)
            self._retries.labels(endpoint).inc(0)
            for verdict in VERDICTS:
                self._attempts.labels(endpoint, verdict).inc(0)

    def observe_call(self, call: WalletCall, called: Called) -> None:
        """A call to the wallet ended."""
        endpoint, outcome = call.path.rpartition("/")[2], called.outcome
        code = OK if isinstance(outcome, Accepted) else outcome.code
        self._call_of(endpoint, _OUTCOMES.get(type(outcome), "unknown"), code if code in _CODES else OTHER).inc()
        for attempt in called.attempts:
            self._attempt_of(endpoint, attempt.signature).inc()
        if called.attempts:
            self._call_seconds_of(endpoint).observe(time.monotonic() - called.attempts[0].started)
        if len(called.attempts) > 1:
            self._retries.labels(endpoint).inc(len(called.attempts) - 1)
        if isinstance(outcome, Accepted):
            if outcome.replayed:
                self._replays.labels(endpoint).inc()
            elif outcome.tombstone:
                self._tombstones.inc()

    def scrape_of(
        self, backlog_reader: BacklogReader, *, health: Callable[[], HealthReport]
    ) -> Callable[[], Awaitable[bytes]]:
        """What makes the page of a scrape: all that was counted, and the present state of books and wallet."""
        moment = _Moment(backlog_reader, health)
        self.registry.register(moment)

        async def make_page() -> bytes:
            await backlog_reader.refresh()
            moment.take()
            return await self.page()

        return make_page


class _Moment(Collector):
    """Gauges that are read rather than counted: absent while nobody can say."""

    def __init__(self, backlog_reader: BacklogReader, health: Callable[[], HealthReport]) -> None:
        self._backlog_reader = backlog_reader
        self._health = health
        self.take()

    def take(self) -> None:
        """Read what is changed on the event loop, while on it: the page is made in a thread."""
        self._taken = self._health().status, self._backlog_reader.backlog, self._backlog_reader.reconciled

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The library asks for these at each scrape."""
        status, backlog, reconciled = self._taken
        states = GaugeMetricFamily("provider_wallet_health", "1 for the state that the wallet is in", labels=["state"])
        for each in Status:
            states.add_metric([each.value], float(each is status))
        yield states

        yield GaugeMetricFamily(
            "provider_books_readable", "1 while the books can be asked for the gauges below",
            value=float(backlog is not None and reconciled is not None),
        )  # fmt: skip
        if backlog is not None:
            pending = GaugeMetricFamily(
                "provider_pending_transactions", "Wallet transactions without a known end", labels=["kind"]
            )
            oldest = GaugeMetricFamily(
                "provider_pending_oldest_seconds", "Age of the oldest of them, 0 without one", labels=["kind"]
            )
            for kind, (count, age_seconds) in backlog.pending.items():
                pending.add_metric([kind], count)
                oldest.add_metric([kind], age_seconds)
            yield pending
            yield oldest
            yield GaugeMetricFamily(
                "provider_debits_in_doubt", "Debits whose outcome is unknown: their rollback is on its way",
                value=backlog.debits_in_doubt,
            )  # fmt: skip
        if reconciled is not None:
            yield GaugeMetricFamily(
                "provider_reconciliation_differences",
                "Differences that the newest complete run did not repair, also a run with --no-heal",
                value=reconciled.differences,
            )  # fmt: skip
            yield GaugeMetricFamily(
                "provider_reconciliation_age_seconds", "Since the last complete run ended, or since the installation",
                value=reconciled.age_seconds,
            )  # fmt: skip
