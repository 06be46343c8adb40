"""The server's side of a socket: how long it waits for a peer that does not get on.

Owns the end of connections that send no request or half of one, or do not take their answer; uvicorn has no such limit
of its own. It must never cost a request anything that can be measured: a comparison per read, and a sweep over all
connections twenty times in each limit. See docs/decisions/0015-sockets.md.
"""

import asyncio
import time
from typing import Final
from weakref import WeakKeyDictionary

import structlog
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

log = structlog.get_logger()

SWEEPS_PER_LIMIT: Final = 20
"""So a connection ends when between 95 and 100 hundredths of its time are over."""
HEAD_BYTES_MAX: Final = 65_536
"""Of a request's line and headers; the parser itself would take them without end."""

PIPELINED_MAX: Final = 32
"""Requests that may be sent before the one in front is answered; uvicorn would queue them without end."""
REQUEST: Final = "request"
BODY: Final = "body"
ANSWER_TAKEN: Final = "answer taken"

_sweeps: WeakKeyDictionary[ServerState, asyncio.TimerHandle] = WeakKeyDictionary()


class PatientProtocol(HttpToolsProtocol):
    """Waits for its peer as long as uvicorn's `timeout_keep_alive` says, whatever it waits for."""

    waits_for: str | None = None
    waits_in: object = None
    """The exchange during or after which it waits: the next one is a wait of its own."""
    waits_since: float = 0.0
    head_bytes: int = 0
    running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection is open, and looked at from now on."""
        super().connection_made(transport)
        if self.server_state not in _sweeps:
            _plan_sweep(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever is still at work on it; uvicorn tells the newest request only, and the others fail loudly."""
        super().connection_lost(exc)
        for cycle in (self.running, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        """Bytes have come; those of a head that is not complete are counted."""
        before = self.cycle
        super().data_received(data)
        cycle = self.cycle
        if cycle is not before or (cycle is not None and self.scope is cycle.scope):
            self.head_bytes = 0  # a head was completed, or what came belongs to the body after one
            if len(self.pipeline) > PIPELINED_MAX:
                self.end("an end of requests")
            return
        self.head_bytes += len(data)
        if self.head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.end("end of the head")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def what_it_waits_for(self) -> str | None:
        """What the peer owes; None while it is the service's turn."""
        cycle = self.cycle
        if self.transport.get_write_buffer_size():
            return ANSWER_TAKEN
        if self.transport.is_closing():
            return None
        if cycle is None or cycle.response_complete:
            return REQUEST
        # While reading is paused the rest of the body waits for the service, not the service for it.
        return BODY if cycle.more_body and not self.flow.read_paused else None

    def end(self, waited_for: str) -> None:
        """Close the connection. Nobody is told: who is too slow to ask is too slow to listen."""
        was_used = self.cycle is not None and self.scope is self.cycle.scope
        # A connection that was kept for another request and got none is the usual end of a connection.
        say = log.debug if waited_for == REQUEST and was_used else log.info
        say("connection_timed_out", waited_for=waited_for, peer=self.client[0] if self.client else None)
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # closing would wait until all of the answer was taken
        else:
            self.transport.close()


def _plan_sweep(protocol: PatientProtocol) -> None:
    pause_seconds = protocol.timeout_keep_alive / SWEEPS_PER_LIMIT
    _sweeps[protocol.server_state] = protocol.loop.call_later(pause_seconds, _sweep, protocol)


def _sweep(planned_by: PatientProtocol) -> None:
    """Look at every connection of a server, and again as long as there is one."""
    state, limit_seconds = planned_by.server_state, planned_by.timeout_keep_alive
    del _sweeps[state]
    if state.connections:
        _plan_sweep(planned_by)  # first of all: one connection that fails below must not end the looking
    now = time.monotonic()
    for protocol in tuple(state.connections):
        if not isinstance(protocol, PatientProtocol):
            continue
        waits_for = protocol.what_it_waits_for()
        if waits_for is None:
            protocol.waits_for = protocol.waits_in = None
        elif (protocol.waits_for, protocol.waits_in) != (waits_for, protocol.cycle):
            # It may have begun just after the last sweep: it counts from there.
            protocol.waits_since = now - limit_seconds / SWEEPS_PER_LIMIT
            protocol.waits_for, protocol.waits_in = waits_for, protocol.cycle
        elif now - protocol.waits_since > limit_seconds * (1 - 1 / SWEEPS_PER_LIMIT):
            protocol.end(waits_for)
