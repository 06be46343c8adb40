"""Ends connections that wait too long for their peer, by looking at all of them now and then.

A timer for each connection or request would cost more. A sweep looks twenty times in each limit, so a connection ends
when between 95 and 100 hundredths of its time are over.
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
    """What a sweep saw a connection wait for."""

    what: str
    exchange: object
    """The exchange during or after which it waits: the next one is a wait of its own."""
    since: float


class SlowPeer:
    """A base of a protocol of uvicorn, whose attributes it uses: what its peer owes, and the end of waiting for it."""

    transport: asyncio.Transport
    cycle: Any
    flow: Any
    scope: Any
    refusal_is_sent: bool
    peer: Any
    wait: Wait | None = None

    def what_it_waits_for(self) -> str | None:
        """What the peer owes; None while it is the service's turn."""
        cycle = self.cycle
        if self.transport.get_write_buffer_size():
            return ANSWER_TAKEN
        if self.transport.is_closing():
            return None
        if self.refusal_is_sent:
            return CLOSE
        if cycle is None or cycle.response_complete:
            return REQUEST
        # While reading is paused the rest of the body waits for the service, not the service for it.
        return BODY if cycle.more_body and not self.flow.read_paused else None

    def end(self, waited_for: str) -> None:
        """Close the connection. Nobody is told: who is too slow to ask is too slow to listen."""
        was_used = self.cycle is not None and self.scope is self.cycle.scope
        # A connection that was kept for another request and got none is the usual end of a connection.
        usual = waited_for == CLOSE or (waited_for == REQUEST and was_used)
        say = log.debug if usual else log.info
        say("connection_timed_out", waited_for=waited_for, peer=self.peer)
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # closing would wait until all of the answer was taken
        else:
            self.transport.close()


def sweep_regularly(state: ServerState, loop: asyncio.AbstractEventLoop, limit_seconds: float) -> None:
    """Look at the connections of a server from now on, for as long as there is one."""
    if state not in _sweeps:
        _sweeps[state] = loop.call_later(limit_seconds / SWEEPS_PER_LIMIT, _sweep, state, loop, limit_seconds)


def _sweep(state: ServerState, loop: asyncio.AbstractEventLoop, limit_seconds: float) -> None:
    del _sweeps[state]
    if state.connections:
        sweep_regularly(state, loop, limit_seconds)  # first: one connection that fails below must not end the looking
    now = time.monotonic()
    for connection in cast("tuple[SlowPeer, ...]", tuple(state.connections)):
        what, wait = connection.what_it_waits_for(), connection.wait
        if what is None:
            connection.wait = None
        elif wait is None or wait.what != what or wait.exchange is not connection.cycle:
            # It may have begun just after the last sweep: it counts from there.
            connection.wait = Wait(what, connection.cycle, now - limit_seconds / SWEEPS_PER_LIMIT)
        elif now - wait.since > limit_seconds * (1 - 1 / SWEEPS_PER_LIMIT):
            connection.end(what)
