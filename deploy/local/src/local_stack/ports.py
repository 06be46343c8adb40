"""Loopback ports: a free one, and whether a wanted one is taken."""

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


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
