"""Decides whether the wallet is healthy, degraded or down.

It counts the calls of the last minute. When no call got an answer lately, it probes the wallet's readiness. A refusal
is an answer, not an error.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import httpx
import structlog

from provider.wallet_client.messages import WalletCall
from provider.wallet_client.outcomes import Called, Unknown

log = structlog.get_logger(__name__)

WINDOW_SECONDS: Final = 60
DEGRADED_ABOVE: Final = 0.05
HEALTHY_BELOW: Final = 0.03
"""Error rate below which a degraded wallet is healthy again: the gap stops alarms from flapping."""
DOWN_CALLS: Final = 3
DOWN_SECONDS: Final = 5.0
"""The wallet is down after `DOWN_CALLS` failed calls in a row that span `DOWN_SECONDS`."""
DOWN_PROBES: Final = 2
QUIET_SECONDS: Final = 10.0
"""Without an answered call for this long the wallet is probed, and again after this pause while it is ready."""
REPROBE_SECONDS: Final = 2.0
"""The pause between probes while they fail."""
PROBE_SECONDS_MAX: Final = 2.0
STEP_SECONDS: Final = 1.0
READY_PATH: Final = "/health/ready"


class Status(StrEnum):
    """The state of a wallet."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The state and since when, in unix seconds. `error_rate` (0 to 1) and `calls` are of the last minute."""

    status: Status
    since: float
    error_rate: float
    calls: int


class WalletHealth:
    """Tracks the calls of one process."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        casino_code: str = "",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._log = log.bind(casino_code=casino_code)
        self._clock = clock
        self._monotonic = monotonic
        self._seconds: deque[list[int]] = deque()  # [second, calls, errors] of each second with a call
        self._got_through_at = float("-inf")
        self._errors_in_row = 0
        self._first_error_at = 0.0
        self._silent = False  # the last error was a missing answer; a successful probe clears such errors
        self._probed_at = float("-inf")
        self._failed_probes = 0
        self._status = Status.HEALTHY
        self._since = clock()

    def observe(self, _: WalletCall, called: Called) -> None:
        """Count a call that ended."""
        now, failed = self._monotonic(), isinstance(called.outcome, Unknown)
        if not self._seconds or self._seconds[-1][0] <= now - WINDOW_SECONDS:
            self._errors_in_row = 0  # errors older than the window do not count
        if not self._seconds or self._seconds[-1][0] != int(now):
            self._seconds.append([int(now), 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += failed
        if isinstance(called.outcome, Unknown):
            self._first_error_at = self._first_error_at if self._errors_in_row else now
            self._errors_in_row += 1
            self._silent = called.outcome.status is None
        else:
            self._got_through_at = now
            self._errors_in_row = self._failed_probes = 0

    def report(self) -> HealthReport:
        """The state now."""
        now = self._monotonic()
        while self._seconds and self._seconds[0][0] <= now - WINDOW_SECONDS:
            self._seconds.popleft()
        calls = sum(second[1] for second in self._seconds)
        errors = sum(second[2] for second in self._seconds)
        error_rate = errors / calls if calls else 0.0
        status = self._judge(now, calls, error_rate)
        if status is not self._status:
            say = self._log.info if status is Status.HEALTHY else self._log.warning
            say(
                "wallet_health_changed", status=status.value, before=self._status.value, error_rate=round(error_rate, 4)
            )
            self._status, self._since = status, self._clock()
        return HealthReport(status, self._since, error_rate, calls)

    async def step(self) -> bool:
        """Probe the wallet when that is due, and log a change of state. For a background loop; always false."""
        now = self._monotonic()
        pause_seconds = REPROBE_SECONDS if self._failed_probes else QUIET_SECONDS
        if now - self._got_through_at >= QUIET_SECONDS and now - self._probed_at >= pause_seconds:
            self._probed_at = now
            self._record_probe(is_ready=await self._is_ready())
        self.report()
        return False

    def _judge(self, now: float, calls: int, error_rate: float) -> Status:
        nothing_gets_through = (
            calls > 0 and self._errors_in_row >= DOWN_CALLS and now - self._first_error_at >= DOWN_SECONDS
        )
        if nothing_gets_through or self._failed_probes >= DOWN_PROBES:
            return Status.DOWN
        bound = HEALTHY_BELOW if self._status is Status.DEGRADED else DEGRADED_ABOVE
        return Status.DEGRADED if error_rate > bound else Status.HEALTHY

    def _record_probe(self, *, is_ready: bool) -> None:
        if not is_ready:
            self._failed_probes += 1
            return
        self._failed_probes = 0
        if self._silent:
            self._errors_in_row = 0

    async def _is_ready(self) -> bool:
        """Whether the wallet reports ready. The answer is unsigned: it decides nothing about money."""
        try:
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                return (await self._http.get(READY_PATH)).status_code == httpx.codes.OK
        except (httpx.HTTPError, TimeoutError):
            return False
