"""How well the wallet answers: healthy, degraded or down, and since when.

Owns that verdict, from the calls of the last minute and, when none got through lately, from a question of its own. It
must never count a refusal as an error: a wallet that says no is well.
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
"""A degraded wallet is healthy again only below this: a rate that sways around the limit raises one alarm, not many."""
DOWN_CALLS: Final = 3
DOWN_SECONDS: Final = 5.0
"""So many calls in a row over so long, and not one of them got through: the wallet is down."""
DOWN_INQUIRIES: Final = 2
QUIET_SECONDS: Final = 10.0
"""When no call got through for so long, the wallet is asked whether it is ready; as often while it says yes."""
DOUBT_SECONDS: Final = 2.0
"""The pause between two such questions while it does not."""
INQUIRY_SECONDS_MAX: Final = 2.0
STEP_SECONDS: Final = 1.0
READY_PATH: Final = "/health/ready"


class Status(StrEnum):
    """What can be said of a wallet."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The verdict. `since` in unix seconds; `error_rate` and `calls` are those of the last minute."""

    status: Status
    since: float
    error_rate: float
    calls: int


class WalletHealth:
    """Watches the calls of one process."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._clock = clock
        self._monotonic = monotonic
        self._seconds: deque[list[int]] = deque()  # [second, calls, errors] of each second with a call
        self._got_through_at = float("-inf")
        self._errors_in_row = 0
        self._first_error_at = 0.0
        self._silent = False  # the last error was no answer at all: a wallet that says it is ready disproves it
        self._inquired_at = float("-inf")
        self._failed_inquiries = 0
        self._status = Status.HEALTHY
        self._since = clock()

    def note(self, _: WalletCall, called: Called) -> None:
        """A call ended."""
        now, failed = self._monotonic(), isinstance(called.outcome, Unknown)
        if not self._seconds or self._seconds[-1][0] <= now - WINDOW_SECONDS:
            self._errors_in_row = 0  # what happened before a quiet minute says nothing about this one
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
            self._errors_in_row = self._failed_inquiries = 0

    def report(self) -> HealthReport:
        """The verdict at this moment."""
        now = self._monotonic()
        while self._seconds and self._seconds[0][0] <= now - WINDOW_SECONDS:
            self._seconds.popleft()
        calls = sum(second[1] for second in self._seconds)
        errors = sum(second[2] for second in self._seconds)
        error_rate = errors / calls if calls else 0.0
        status = self._judge(now, calls, error_rate)
        if status is not self._status:
            say = log.info if status is Status.HEALTHY else log.warning
            say(
                "wallet_health_changed", status=status.value, before=self._status.value, error_rate=round(error_rate, 4)
            )
            self._status, self._since = status, self._clock()
        return HealthReport(status, self._since, error_rate, calls)

    async def step(self) -> bool:
        """For a background loop: ask the wallet if nothing got through lately, and notice what time has changed."""
        now = self._monotonic()
        pause_seconds = DOUBT_SECONDS if self._failed_inquiries else QUIET_SECONDS
        if now - self._got_through_at >= QUIET_SECONDS and now - self._inquired_at >= pause_seconds:
            self._inquired_at = now
            self._take(is_ready=await self._is_ready())
        self.report()
        return False

    def _judge(self, now: float, calls: int, error_rate: float) -> Status:
        nothing_gets_through = (
            calls > 0 and self._errors_in_row >= DOWN_CALLS and now - self._first_error_at >= DOWN_SECONDS
        )
        if nothing_gets_through or self._failed_inquiries >= DOWN_INQUIRIES:
            return Status.DOWN
        bound = HEALTHY_BELOW if self._status is Status.DEGRADED else DEGRADED_ABOVE
        return Status.DEGRADED if error_rate > bound else Status.HEALTHY

    def _take(self, *, is_ready: bool) -> None:
        if not is_ready:
            self._failed_inquiries += 1
            return
        self._failed_inquiries = 0
        if self._silent:
            self._errors_in_row = 0

    async def _is_ready(self) -> bool:
        """Whether the wallet says that it is ready. Unsigned: nothing moves by it, and a lie shows at the next call."""
        try:
            async with asyncio.timeout(INQUIRY_SECONDS_MAX):
                return (await self._http.get(READY_PATH)).status_code == httpx.codes.OK
        except (httpx.HTTPError, TimeoutError):
            return False
