"""Loopback ports: a free one, and whether a wanted one is taken."""

import errno
import secrets
import socket

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
TRIES_MAX = 50


def free_port() -> int:
    """A port below those that the system hands out by itself: no connection of anybody takes it by chance.

    Raises OSError when none was found. Who else chooses here may still be faster, so be ready to lose the race.
    """
    for _ in range(TRIES_MAX):
        port = secrets.choice(PORTS)
        if not is_taken(port):
            return port
    raise OSError(f"{TRIES_MAX} ports tried, none free")


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
