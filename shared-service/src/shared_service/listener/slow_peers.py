"""Ends connections that wait too long for their peer, by looking at all of them now and then.

A timer for each connection or request would cost more. A sweep looks twenty times in each limit, so a connection ends
when between 95 and 100 hundredths of its time are over.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

SWEEPS_PER_LIMIT: Final = 20

_sweeps: WeakKeyDictionary[ServerState, asyncio.TimerHandle] = WeakKeyDictionary()


@dataclass(slots=True)
class Wait:
    """What a sweep saw a connection wait for."""

    what: str
    exchange: object
    """The exchange during or after which it waits: the next one is a wait of its own."""
    since: float


class Waiting(Protocol):
    """A connection that a sweep can look at."""

    wait: Wait | None
    cycle: Any

    def what_it_waits_for(self) -> str | None:
        """What the peer owes; None while it is the service's turn."""

    def end(self, waited_for: str) -> None:
        """Close the connection."""


def sweep_regularly(state: ServerState, loop: asyncio.AbstractEventLoop, limit_seconds: float) -> None:
    """Look at the connections of a server from now on, for as long as there is one."""
    if state not in _sweeps:
        _sweeps[state] = loop.call_later(limit_seconds / SWEEPS_PER_LIMIT, _sweep, state, loop, limit_seconds)


def _sweep(state: ServerState, loop: asyncio.AbstractEventLoop, limit_seconds: float) -> None:
    del _sweeps[state]
    if state.connections:
        sweep_regularly(state, loop, limit_seconds)  # first: one connection that fails below must not end the looking
    now = time.monotonic()
    for connection in cast("tuple[Waiting, ...]", tuple(state.connections)):
        what, wait = connection.what_it_waits_for(), connection.wait
        if what is None:
            connection.wait = None
        elif wait is None or wait.what != what or wait.exchange is not connection.cycle:
            # It may have begun just after the last sweep: it counts from there.
            connection.wait = Wait(what, connection.cycle, now - limit_seconds / SWEEPS_PER_LIMIT)
        elif now - wait.since > limit_seconds * (1 - 1 / SWEEPS_PER_LIMIT):
            connection.end(what)
