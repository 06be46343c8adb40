"""The load generator: a closed loop of prepared requests over keep-alive connections on the loopback.

One process, uvloop, one `asyncio.Protocol` per connection, one request in flight on each. It shares two cores with the
service and with Postgres, so it does nothing while the clock runs that could be done before: requests arrive built and
signed, answers are read only as far as their status and length. It sends to the loopback only.
"""

import asyncio
import gc
import ipaddress
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, cast

REQUESTS_PER_ROUND_MAX: Final = 2_000_000
IN_FLIGHT_MAX: Final = 1_024
ROUND_SECONDS_MAX: Final = 120.0
DRAIN_SECONDS: Final = 15.0
"""How long the last requests in flight may take once no more are sent."""

_CONTENT_LENGTH: Final = b"content-length:"


class BrokenAnswerError(RuntimeError):
    """The server closed a connection or sent something that this reader does not understand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What one round of load saw. `sent_count` says how many of the prepared requests were used, in their order."""

    sent_count: int
    statuses: dict[int, int]
    unlike_count: int
    """Answers with status 200 that lacked the text which the round asked every answer to hold."""
    strange_answer: bytes
    """The first answer that was not as asked, for an error message; empty when there was none."""
    elapsed_seconds: float
    latencies_seconds: list[float] = field(repr=False)
    own_cpu_seconds: float

    @property
    def answered_count(self) -> int:
        return sum(self.statuses.values())

    @property
    def per_second(self) -> float:
        return self.answered_count / self.elapsed_seconds

    def percentile_ms(self, percent: float) -> float:
        ordered = sorted(self.latencies_seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1_000

    @property
    def all_ok(self) -> bool:
        return self.statuses.keys() <= {200} and self.unlike_count == 0 and self.answered_count == self.sent_count


class _Round:
    """The state that the connections of one round share."""

    def __init__(self, requests: Sequence[bytes], *, must_hold: bytes | None, deadline: float) -> None:
        self.next_request: Iterator[bytes] = iter(requests)
        self.must_hold = must_hold
        self.deadline = deadline
        self.sent_count = 0
        self.latencies: list[float] = []
        self.statuses: dict[bytes, int] = {}
        self.unlike_count = 0
        self.strange_answer = b""
        self.open_count = 0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def retire(self) -> None:
        """One connection has nothing more to send; the last of them ends the round."""
        self.open_count -= 1
        if self.open_count == 0 and not self.finished.done():
            self.finished.set_result(None)

    def fail(self, reason: str) -> None:
        if not self.finished.done():
            self.finished.set_exception(BrokenAnswerError(reason))


class _Connection(asyncio.Protocol):
    __slots__ = ("_round", "_started", "_transport", "_unread")

    def __init__(self, of_round: _Round) -> None:
        self._round = of_round
        self._started = 0.0
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is not a subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._round.fail(f"the server closed a connection: {exc!r}")

    def close(self) -> None:
        self._transport.abort()

    def send_next(self, now: float) -> None:
        of_round = self._round
        request = next(of_round.next_request, None) if now < of_round.deadline else None
        if request is None:
            of_round.retire()
            return
        of_round.sent_count += 1
        self._started = now
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._unread:
            data = self._unread + data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            self._unread = data
            return
        at = data.find(_CONTENT_LENGTH, 0, head_end)
        if at < 0:
            at = data.lower().find(_CONTENT_LENGTH, 0, head_end)
            if at < 0:
                self._round.fail("an answer without content-length")
                return
        expected = head_end + 4 + int(data[at + 15 : data.find(b"\r", at)])
        if len(data) < expected:
            self._unread = data
            return
        self._unread = b""
        now = time.perf_counter()
        of_round = self._round
        of_round.latencies.append(now - self._started)
        status = data[9:12]
        of_round.statuses[status] = of_round.statuses.get(status, 0) + 1
        if status != b"200" or (of_round.must_hold is not None and of_round.must_hold not in data):
            of_round.unlike_count += status == b"200"
            of_round.strange_answer = of_round.strange_answer or data
        self.send_next(now)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """A collection over half a million prepared requests would stall every connection at once."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


async def apply_load(
    requests: Sequence[bytes],
    *,
    port: int,
    in_flight: int,
    seconds: float,
    host: str = "127.0.0.1",
    must_hold: bytes | None = None,
) -> LoadResult:
    """Send `requests` in order, `in_flight` at a time, until they or `seconds` run out; wait for every answer."""
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError("the load generator sends to this machine only")
    if not requests or len(requests) > REQUESTS_PER_ROUND_MAX:
        raise ValueError("a round needs some requests, and not more than its bound")
    if not 0 < in_flight <= IN_FLIGHT_MAX or not 0 < seconds <= ROUND_SECONDS_MAX:
        raise ValueError("in_flight or seconds is out of its bound")
    of_round = _Round(requests, must_hold=must_hold, deadline=float("inf"))
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: _Connection(of_round), host, port))[1] for _ in range(in_flight)
    ]
    try:
        with _without_garbage_collection():
            cpu_started = time.process_time()
            started = time.perf_counter()
            of_round.deadline = started + seconds
            of_round.open_count = in_flight
            for connection in connections:
                connection.send_next(time.perf_counter())
            await asyncio.wait_for(of_round.finished, seconds + DRAIN_SECONDS)
            elapsed = time.perf_counter() - started
            cpu = time.process_time() - cpu_started
    finally:
        for connection in connections:
            connection.close()
    return LoadResult(
        sent_count=of_round.sent_count,
        statuses={int(status): count for status, count in of_round.statuses.items()},
        unlike_count=of_round.unlike_count,
        strange_answer=of_round.strange_answer,
        elapsed_seconds=elapsed,
        latencies_seconds=of_round.latencies,
        own_cpu_seconds=cpu,
    )
