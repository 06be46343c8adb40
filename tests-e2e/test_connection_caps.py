"""Strangers who open connections without end: each address has a bound, and the peer's network is not locked out.

Row D4.
"""

import socket
from contextlib import ExitStack

import pytest

from raw_wire import PATIENCE_SECONDS, SERVICES, head_of
from service_process import ServiceProcess
from stack import Stack, StartStack

IN_ALL, OF_ONE = 80, 20
STRANGERS = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
HELD = IN_ALL * 3 // 4
"""A quarter is kept for the peer's network."""


@pytest.fixture
def capped(start_stack: StartStack) -> Stack:
    """Both services with few connections. The peer's network is where the services and the client are."""
    settings = {"CONNECTIONS_MAX": str(IN_ALL), "CONNECTIONS_PER_ADDRESS": str(OF_ONE), "PEER_NETWORKS": "127.0.0.1"}
    return start_stack(
        casino_settings={f"CASINO_{name}": value for name, value in settings.items()},
        provider_settings={f"PROVIDER_{name}": value for name, value in settings.items()},
    )


def is_served(connection: socket.socket) -> bool:
    try:
        connection.sendall(head_of("/health/live", method="GET"))
        return connection.recv(65_536).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


def connection_from(address: str, service: ServiceProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_SECONDS, source_address=(address, 0))


@pytest.mark.parametrize("name", SERVICES)
def test_strangers_hold_so_many_connections_and_money_moves_all_the_same(capped: Stack, name: str) -> None:
    service = capped.services[name]
    service.mark_log()
    with ExitStack() as connections:
        served = {
            address: [
                is_served(connections.enter_context(connection_from(address, service))) for _ in range(2 * OF_ONE)
            ]
            for address in STRANGERS
        }
        assert [sum(each) for each in served.values()] == [OF_ONE, OF_ONE, OF_ONE, HELD - 3 * OF_ONE]
        session = capped.session()
        assert capped.simulate(session.user_id).must_be_ok().content["passed"]
        session.bet()
    assert service.log_tail().count("connection_refused") < len(STRANGERS) * OF_ONE, "the others were counted"
