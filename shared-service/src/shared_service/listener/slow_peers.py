"""Closes connections that wait too long for their peer. A sweep checks all connections at an interval.

A timer for each connection or request would cost more. There are twenty sweeps in each time limit, so a connection is
closed after 95 to 100 % of the limit.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

from shared_service.listener.refusing import log

SWEEPS_PER_LIMIT: Final = 20
REQUEST: Final = "request"
BODY: Final = "body"
ANSWER_TAKEN: Final = "answer taken"
CLOSE: Final = "close"

_sweeps: WeakKeyDictionary[ServerState, asyncio.TimerHandle] = WeakKeyDictionary()


@dataclass(slots=True)
class Wait:
    """A connection's wait, as a sweep found it."""

    what: str
    exchange: object
    """The request during or after which it waits. A wait for the next request is a new wait."""
    since: float


class SlowPeer:
    """A base class for a uvicorn protocol: knows what the peer must do next, and closes a slow peer's connection."""

    transport: asyncio.Transport
    cycle: Any
    flow: Any
    scope: Any
    refusal_is_sent: bool
    peer: Any
    wait: Wait | None = None

    def waits_for(self) -> str | None:
        """Returns what the peer must do next; None while the service works."""
        cycle = self.cycle
        if self.transport.get_write_buffer_size():
            return ANSWER_TAKEN
        if self.transport.is_closing():
            return None
        if self.refusal_is_sent:
            return CLOSE
        if cycle is None or cycle.response_complete:
            return REQUEST
        # While this service has paused reading, the peer cannot send the body, so it is not slow.
        return BODY if cycle.more_body and not self.flow.read_paused else None

    def end(self, waited_for: str) -> None:
        """Close the connection without an answer."""
        was_used = self.cycle is not None and self.scope is self.cycle.scope
        # An idle connection without another request is the usual case, so it is logged at debug level.
        usual = waited_for == CLOSE or (waited_for == REQUEST and was_used)
        say = log.debug if usual else log.info
        say("connection_timed_out", waited_for=waited_for, peer=self.peer)
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # close() would wait until the peer has read the whole answer
        else:
            self.transport.close()


def sweep_regularly(state: ServerState, loop: asyncio.AbstractEventLoop, limit_seconds: float) -> None:
    """Start sweeps over a server's connections. They stop when the server has no connection."""
    if state not in _sweeps:
        _sweeps[state] = loop.call_later(limit_seconds / SWEEPS_PER_LIMIT, _sweep, state, loop, limit_seconds)


def _sweep(state: ServerState, loop: asyncio.AbstractEventLoop, limit_seconds: float) -> None:
    del _sweeps[state]
    if state.connections:
        sweep_regularly(state, loop, limit_seconds)  # first, so that an error below does not stop the sweeps
    now = time.monotonic()
    for connection in cast("tuple[SlowPeer, ...]", tuple(state.connections)):
        what, wait = connection.waits_for(), connection.wait
        if what is None:
            connection.wait = None
        elif wait is None or wait.what != what or wait.exchange is not connection.cycle:
            # The wait may have begun just after the last sweep, so it counts from there.
            connection.wait = Wait(what, connection.cycle, now - limit_seconds / SWEEPS_PER_LIMIT)
        elif now - wait.since > limit_seconds * (1 - 1 / SWEEPS_PER_LIMIT):
            connection.end(what)
