"""An open loop: requests arrive at a fixed rate, whether or not those before them have been answered.

Time counts from the moment when a request is due, so one that waits for a free connection is late. The rate stays the
same when the server is slow; the closed loop of generator.py waits for it. Connections, requests and time are bounded.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from bench.generator import DRAIN_SECONDS, ROUND_SECONDS_MAX, _without_garbage_collection

CONNECTIONS_MAX: Final = 2_048
TICK_SECONDS: Final = 0.002
CONNECT_TOGETHER: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What one round saw: answers by status, and how long the accepted ones took since they were due."""

    due_count: int
    statuses: dict[int, int]
    elapsed_seconds: float
    accepted_seconds: list[float] = field(repr=False)

    @property
    def accepted_count(self) -> int:
        return self.statuses.get(200, 0)

    @property
    def accepted_per_second(self) -> float:
        return self.accepted_count / self.elapsed_seconds

    def percentile_ms(self, percent: float) -> float:
        ordered = sorted(self.accepted_seconds) or [0.0]
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1_000


class _Round:
    """Requests that are due and connections that are free: one of the two is empty at any time."""

    def __init__(self) -> None:
        self.due: deque[tuple[bytes, float]] = deque()
        self.free: list[_Connection] = []
        self.statuses: dict[bytes, int] = {}
        self.accepted: list[float] = []
        self.answered_count = 0
        self.last_at: int | None = None
        self.finished = asyncio.Event()

    def arrive(self, request: bytes, due_at: float) -> None:
        if self.free:
            self.free.pop().send(request, due_at)
        else:
            self.due.append((request, due_at))


class _Connection(asyncio.Protocol):
    __slots__ = ("_due_at", "_round", "_transport", "_unread")

    def __init__(self, of_round: _Round) -> None:
        self._round = of_round
        self._unread = b""
        self._due_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._round.free.append(self)

    def send(self, request: bytes, due_at: float) -> None:
        self._due_at = due_at
        self._transport.write(request)

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        data = self._unread + data
        head_end = data.find(b"\r\n\r\n")
        at = data.lower().find(b"content-length:", 0, head_end) if head_end >= 0 else -1
        if at < 0 or len(data) < head_end + 4 + int(data[at + 15 : data.find(b"\r", at)]):
            self._unread = data
            return
        self._unread = b""
        of_round, status = self._round, data[9:12]
        of_round.answered_count += 1
        if of_round.answered_count == of_round.last_at:
            of_round.finished.set()
        of_round.statuses[status] = of_round.statuses.get(status, 0) + 1
        if status == b"200":
            of_round.accepted.append(time.perf_counter() - self._due_at)
        if of_round.due:
            self.send(*of_round.due.popleft())
        else:
            of_round.free.append(self)


async def apply_arrivals(
    requests: Sequence[bytes], *, port: int, per_second: float, seconds: float, connections: int = CONNECTIONS_MAX
) -> Arrivals:
    """Send `per_second * seconds` of the requests, each when it is due, and wait for every answer."""
    count = int(per_second * seconds)
    if not 0 < seconds <= ROUND_SECONDS_MAX or not 0 < count <= len(requests) or connections > CONNECTIONS_MAX:
        raise ValueError("seconds, connections or the number of requests is out of its bound")
    of_round = _Round()
    loop = asyncio.get_running_loop()
    opened: list[_Connection] = []
    for first in range(0, connections, CONNECT_TOGETHER):
        made = await asyncio.gather(
            *(
                loop.create_connection(lambda: _Connection(of_round), "127.0.0.1", port)
                for _ in range(min(CONNECT_TOGETHER, connections - first))
            )
        )
        opened += [connection for _, connection in made]
    try:
        with _without_garbage_collection():
            started = time.perf_counter()
            sent = 0
            while sent < count:
                due = min(count, int((time.perf_counter() - started) * per_second) + 1)
                for number in range(sent, due):
                    of_round.arrive(requests[number], started + number / per_second)
                sent = due
                await asyncio.sleep(TICK_SECONDS)
            of_round.last_at = count
            if of_round.answered_count < count:
                await asyncio.wait_for(of_round.finished.wait(), DRAIN_SECONDS)
            elapsed = time.perf_counter() - started
    finally:
        for connection in opened:
            connection.close()
    return Arrivals(
        due_count=count,
        statuses={int(status): number for status, number in of_round.statuses.items()},
        elapsed_seconds=elapsed,
        accepted_seconds=of_round.accepted,
    )
