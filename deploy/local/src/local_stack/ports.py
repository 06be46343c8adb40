"""Chooses free loopback ports, and checks whether a port is taken."""

import atexit
import errno
import secrets
import socket
from collections import deque

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
TRIES_MAX = 50
HELD_MAX = 256
_held: deque[socket.socket] = deque(maxlen=HELD_MAX)


def free_port() -> int:
    """A free port below the system's ephemeral ports, so that no outgoing connection can take it.

    The port stays reserved among processes that use this function, until this process ends or has chosen HELD_MAX
    more. Stacks listen seconds after they choose. Raises OSError when no port was found.
    """
    for _ in range(TRIES_MAX):
        port = secrets.choice(PORTS)
        if _hold(port) and not is_taken(port):
            return port
    raise OSError(f"{TRIES_MAX} ports tried, none free")


@atexit.register
def _release_held() -> None:
    """Close the sockets at exit, to avoid a ResourceWarning for each."""
    while _held:
        _held.popleft().close()


def _hold(port: int) -> bool:
    """Reserve a port by binding it for UDP, which nothing here uses. TCP stays free for the listener."""
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        held.bind((HOST, port))
    except OSError:
        held.close()
        return False
    if len(_held) == HELD_MAX:
        _held.popleft().close()
    _held.append(held)
    return True


def is_taken(port: int, host: str = HOST) -> bool:
    """Whether the port is in use on the host. Raises OSError when the host is not an address of this machine."""
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                return True
    return False
