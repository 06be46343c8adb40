"""Loopback ports: a free one, and whether a wanted one is taken."""

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
    """A port below those that the system hands out by itself: no connection of anybody takes it by chance.

    Nobody else who chooses here gets it while this process lives, or until it has chosen HELD_MAX more: several stacks
    start at one time, each chooses some seconds before it listens. Raises OSError when none was found.
    """
    for _ in range(TRIES_MAX):
        port = secrets.choice(PORTS)
        if _hold(port) and not is_taken(port):
            return port
    raise OSError(f"{TRIES_MAX} ports tried, none free")


@atexit.register
def _let_go() -> None:
    """Without it, the end of the process warns of each socket that is still open."""
    while _held:
        _held.popleft().close()


def _hold(port: int) -> bool:
    """Take the port's number for UDP, which nothing here uses: TCP stays free for the process that will listen."""
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
    """Whether somebody listens on an address of the host. Raises OSError when it is no address of this machine."""
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
