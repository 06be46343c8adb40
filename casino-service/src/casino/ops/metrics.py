"""The casino's own metrics: replays, tombstones, batches, queues, unsigned transactions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from casino.wallet.commands import WalletCommand, WalletOutcome
from shared_service.http.routing import Route
from shared_service.metrics.service import ServiceMetrics
from shared_service.postgres.database import Database

C = TypeVar("C")
R = TypeVar("R")

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
KINDS: Final = ("debit", "credit", "rollback")
WEBHOOK_OUTCOMES: Final = ("delivered", "pending", "dead", "taken_over")


class HasSize(Protocol):
    """A queue with a length."""

    @property
    def size(self) -> int: ...


class Metrics(ServiceMetrics):
    """The metrics of one application."""

    def __init__(self, *, demo: bool = False) -> None:
        super().__init__(
            "casino", peer="provider", bounds_seconds=REQUEST_BOUNDS_SECONDS, alarming_codes=ALARMING_CODES, demo=demo
        )
        own = self.registry
        self._replays = Counter("casino_replays", "Answers that were given before", ["kind"], registry=own)
        self._tombstones = Counter("casino_tombstones", "Rollbacks of a bet that was never seen", registry=own)
        self._batches = Histogram(
            "casino_batch_size", "Items in one database transaction of group commit", ["queue"],
            buckets=BATCH_BOUNDS, registry=own,
        )  # fmt: skip
        self._queued = Gauge(
            "casino_queue_length", "Items that wait or are in flight in group commit", ["queue"],
            multiprocess_mode="livesum", registry=own,
        )  # fmt: skip
        self._unsigned = Gauge(
            "casino_unsigned_transactions", "Transactions without a signer, recorded since migration 0007",
            multiprocess_mode="livemax", registry=own,
        )  # fmt: skip
        self._lost_errors = Counter(
            "casino_lost_error_events", "Errors that no event tells of: too many waited, or the database refused them",
            registry=own,
        )  # fmt: skip
        self._webhooks = Counter(
            "casino_webhook_tries", "Tries to deliver a webhook, by what came of them", ["outcome"], registry=own
        )
        self._overdue_webhooks = Gauge(
            "casino_webhooks_overdue", "Deliveries of webhooks that are due for over a minute, and no process sends",
            multiprocess_mode="livemax", registry=own,
        )  # fmt: skip
        self._missing_months = Gauge(
            "casino_event_months_missing", "Months ahead without a partition of casino.ledger_events",
            multiprocess_mode="livemostrecent", registry=own,
        )  # fmt: skip
        self._queues: Mapping[str, HasSize] = {}

    def name_endpoints(self, routes: Sequence[Route]) -> None:
        """Use the routes' paths as endpoint labels, and show replays as 0 from the start."""
        super().name_endpoints(routes)
        for kind in KINDS:
            self._replays.labels(kind).inc(0)
        for outcome in WEBHOOK_OUTCOMES:
            self._webhooks.labels(outcome).inc(0)

    def observe_outcome(self, command: WalletCommand, outcome: WalletOutcome) -> None:
        """Count a replay, or a rollback of a bet that was never seen."""
        if outcome.replay:
            self._replays.labels(command.kind).inc()
        elif outcome.tombstone and not outcome.already_rolled_back:
            self._tombstones.inc()

    def count_lost_errors(self, errors: int) -> None:
        """Count errors that no event tells of."""
        self._lost_errors.inc(errors)

    def count_webhook(self, outcome: str) -> None:
        """Count a try to deliver a webhook: `delivered`, `pending` (it is tried again), `dead`, `taken_over`."""
        self._webhooks.labels(outcome).inc()

    def show_overdue_webhooks(self, deliveries: int) -> None:
        """Show how many deliveries are late."""
        self._overdue_webhooks.set(deliveries)

    def show_unsigned(self, transactions: int) -> None:
        """Show how many transactions without a signer the ledger has."""
        self._unsigned.set(transactions)

    def show_missing_months(self, months: int) -> None:
        """Show how many partitions of events could not be made."""
        self._missing_months.set(months)

    def batched(
        self, queue: str, execute: Callable[[Sequence[C]], Awaitable[R]]
    ) -> Callable[[Sequence[C]], Awaitable[R]]:
        """Returns `execute` with the size of each batch observed under the queue's name."""
        sizes = self._batches.labels(queue)

        def observed(batch: Sequence[C]) -> Awaitable[R]:
            sizes.observe(len(batch))
            return execute(batch)

        return observed

    def watch(self, *, queues: Mapping[str, HasSize], pools: Mapping[str, Database]) -> None:
        """Show how long these queues are, and these pools' connections by state."""
        self._queues = queues
        self.watch_pools(pools)

    async def flush(self) -> None:
        """Also update the queues' lengths."""
        await super().flush()
        for name, queue in self._queues.items():
            self._queued.labels(name).set(queue.size)
