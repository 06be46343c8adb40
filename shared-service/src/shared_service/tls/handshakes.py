"""Opens new connections: TLS on the public listener when there is a certificate, else plain HTTP.

A connection counts from before its handshake, and the handshake has the time limit of a request. uvicorn's own TLS does
neither, and applies to every listener. uvloop's class for TLS connections is not documented; test_handshakes.py fails
when it changes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import structlog
import uvicorn
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState
from uvloop.loop import SSLProtocol  # type: ignore[attr-defined]

from shared_service.http.dispatch import OpsListener
from shared_service.listener.connection_caps import CONNECTION_CAPS, take_slot
from shared_service.listener.slow_peers import Wait, sweep_regularly
from shared_service.listener.sockets import TimedProtocol
from shared_service.run.bounded_log import BoundedLog
from shared_service.tls.certificates import Certificate

log = BoundedLog(structlog.get_logger())

TLS: Final = "tls"
"""The key of an application's `Tls` in the state of the lifespan."""
HANDSHAKE: Final = "TLS handshake"
CLOSING_SECONDS: Final = 5.0
"""How long a closing connection waits for its peer to read the last answer and to close too."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificate of the public listener, and the operations listener, which has none."""

    certificate: Certificate
    ops: OpsListener


def tls_of(cert: Path | None, key: Path | None, *, ops: OpsListener, observe: Callable[[float], None]) -> Tls | None:
    """Returns TLS with these files, or None without files. `observe`: see `Certificate`."""
    if cert is None or key is None:
        return None
    return Tls(Certificate(cert, key, observe=observe), ops)


def protocol(
    *,
    config: uvicorn.Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> asyncio.Protocol:
    """uvicorn calls this for every new connection."""
    http = TimedProtocol(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
    tls: Tls | None = app_state.get(TLS)
    return cast("asyncio.Protocol", http) if tls is None else Handshake(http, tls)


class Handshake(asyncio.Protocol):
    """A connection until its TLS handshake is done. The connection's slot belongs to `http`."""

    wait: Wait | None = None
    cycle: None = None

    def __init__(self, http: TimedProtocol, tls: Tls) -> None:
        self._http = http
        self._tls = tls
        self._peer: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection and begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        http = self._http
        if self._tls.ops.is_at(get_local_addr(self._transport)):
            self._transport.set_protocol(cast("asyncio.Protocol", http))
            http.connection_made(self._transport)
            return
        remote = get_remote_addr(self._transport)
        self._peer = remote[0] if remote else None
        http.slot = take_slot(http.app_state.get(CONNECTION_CAPS), self._transport, self._peer)
        if http.slot is None:
            return
        http.server_state.connections.add(cast("TimedProtocol", self))
        sweep_regularly(http.server_state, http.loop, http.timeout_keep_alive)
        done: asyncio.Future[None] = http.loop.create_future()
        done.add_done_callback(self._end_of_handshake)
        secured = SSLProtocol(
            http.loop,
            http,
            self._tls.certificate.context,
            done,
            server_side=True,
            ssl_handshake_timeout=http.timeout_keep_alive,
            ssl_shutdown_timeout=CLOSING_SECONDS,
        )
        self._transport.set_protocol(secured)
        secured.connection_made(self._transport)

    def waits_for(self) -> str | None:
        """Returns HANDSHAKE: this protocol waits for nothing else."""
        return HANDSHAKE

    def end(self, waited_for: str) -> None:
        """Close the connection."""
        log.info("connection_timed_out", waited_for=waited_for, peer=self._peer)
        self._transport.abort()

    def shutdown(self) -> None:
        """The server stops."""
        self._transport.abort()

    def _end_of_handshake(self, done: asyncio.Future[None]) -> None:
        self._http.server_state.connections.discard(cast("TimedProtocol", self))
        error = done.exception()
        http = self._http
        if http.server is None and http.slot is not None:  # never connected, so connection_lost is not called
            http.slot.leave()
            reason = (
                error.reason if isinstance(error, ssl.SSLError) else "cut" if error is None else type(error).__name__
            )
            log.info("handshake_failed", reason=reason, peer=self._peer)
