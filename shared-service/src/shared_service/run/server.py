"""Serves an application on two listeners: the public one and the one for operations."""

from __future__ import annotations

import os
import socket
import sys
from typing import Final

import uvicorn

from shared_service.listener.connection_caps import TooFewFiles, raise_file_limit
from shared_service.run import processes
from shared_service.settings.listeners import ListenerSettings

BACKLOG_CONNECTIONS: Final = 2048
PROTOCOL: Final = "shared_service.tls.handshakes:protocol"


class CannotListen(Exception):  # noqa: N818 - a state of the machine, not a defect
    """Cannot listen on an address. The text names its variables."""


def serve(
    application: str,
    *,
    prefix: str,
    settings: ListenerSettings,
    workers: int = 1,
) -> None:
    """Serve until SIGTERM or SIGINT. Requests in flight are finished first.

    `application` names a factory, such as `"package.app:create_from_environment"`; each worker process calls it.
    `prefix` begins the names of the service's variables. `<prefix>_OPS_HOST` and `<prefix>_OPS_PORT` are set to the
    actual address and port of the operations listener, for the factory. Exits with a sentence when the system allows
    too few open files or the service cannot listen.
    """
    try:
        raise_file_limit(settings.connections_max)
    except TooFewFiles as error:
        sys.exit(f"{prefix.lower()}: {prefix}_CONNECTIONS_MAX is too large: {error}")
    try:
        public = _listen(f"{prefix}_HOST and {prefix}_PORT", (settings.host, settings.port))
        ops = _listen(f"{prefix}_OPS_HOST and {prefix}_OPS_PORT", (settings.ops_host, settings.ops_port))
    except CannotListen as error:
        sys.exit(f"{prefix.lower()}: {error}")
    os.environ[f"{prefix}_OPS_HOST"], os.environ[f"{prefix}_OPS_PORT"] = map(str, ops.getsockname()[:2])
    os.environ["PYTHONSAFEPATH"] = "1"  # a worker begins as `python -c`, which would import from the current folder
    config = uvicorn.Config(
        application,
        factory=True,
        workers=workers,
        loop="uvloop",
        http=PROTOCOL,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # it would log query strings
        proxy_headers=False,  # it would trust forwarded headers from loopback
        server_header=False,
        backlog=BACKLOG_CONNECTIONS,
        timeout_keep_alive=settings.socket_seconds,
        timeout_graceful_shutdown=processes.GRACEFUL_SECONDS,
    )
    processes.run(config, sockets=[public, ops])


def _listen(names: str, address: tuple[str, int]) -> socket.socket:
    """Returns a listening socket. Uses the first address of a name. Raises CannotListen."""
    host, port = address
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
        listener.listen(BACKLOG_CONNECTIONS)
    except OSError as error:
        raise CannotListen(f"{names}: cannot listen on {host} port {port}: {error.strerror or error}") from None
    listener.set_inheritable(True)
    return listener
