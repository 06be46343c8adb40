"""Clients that open connections without end: each address has a bound, and the peer's network is not locked out.

Row D4.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest

from e2e_testing.raw_wire import PATIENCE_SECONDS, SERVICES, head_of
from e2e_testing.stack import Stack, StartStack

IN_ALL, OF_ONE = 80, 20
OPS_IN_ALL, OPS_OF_ONE = 64, 32
OTHER_ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
HELD = IN_ALL * 3 // 4
"""A quarter is kept for the peer's network."""


@pytest.fixture(scope="module")
def capped(start_module_stack: StartStack) -> Stack:
    """Both services with few connections. The peer's network is where the services and the client are."""
    settings = {"CONNECTIONS_MAX": str(IN_ALL), "CONNECTIONS_PER_ADDRESS": str(OF_ONE), "PEER_NETWORKS": "127.0.0.1"}
    return start_module_stack(
        casino_settings={f"CASINO_{name}": value for name, value in settings.items()},
        provider_settings={f"PROVIDER_{name}": value for name, value in settings.items()},
    )


def is_served(connection: socket.socket) -> bool:
    try:
        connection.sendall(head_of("/health/live", method="GET"))
        return connection.recv(65_536).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


@contextmanager
def connection_from(address: str, port: int) -> Iterator[socket.socket]:
    """A connection. The block ends when the service has closed it too, so the next test finds its counts at zero."""
    with socket.create_connection(
        ("127.0.0.1", port), timeout=PATIENCE_SECONDS, source_address=(address, 0)
    ) as connection:
        yield connection
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass


def held(connections: ExitStack, port: int, *, of_each: int) -> list[int]:
    """How many connections of each stranger are served. They stay open as long as `connections`."""
    return [
        sum(is_served(connections.enter_context(connection_from(address, port))) for _ in range(of_each))
        for address in OTHER_ADDRESSES
    ]


def status_at(url: str) -> int:
    return httpx.get(url, timeout=PATIENCE_SECONDS, trust_env=False, verify=False).status_code


@pytest.mark.parametrize("name", SERVICES)
def test_other_addresses_hold_so_many_connections_and_money_moves_all_the_same(capped: Stack, name: str) -> None:
    service = capped.services[name]
    service.mark_log()
    with ExitStack() as connections:
        served = held(connections, service.port, of_each=2 * OF_ONE)
        assert served == [OF_ONE, OF_ONE, OF_ONE, HELD - 3 * OF_ONE]
        session = capped.session()
        assert capped.simulate(session.user_id).must_be_ok().content["passed"]
        session.bet()
    assert service.log_tail().count("connection_refused") < len(OTHER_ADDRESSES) * OF_ONE, "the others were counted"


@pytest.mark.parametrize("name", SERVICES)
def test_connections_of_the_public_leave_room_for_scrapes_and_probes(capped: Stack, name: str) -> None:
    service = capped.services[name]
    with ExitStack() as connections:
        assert sum(held(connections, service.port, of_each=OF_ONE)) == HELD
        for _ in range(IN_ALL):  # the networks of peers can take all that is left
            connections.enter_context(connection_from("127.0.0.1", service.port))
        assert not is_served(connections.enter_context(connection_from("127.0.0.1", service.port)))
        assert status_at(f"{service.ops_url}/metrics") == 200
        assert status_at(f"{service.ops_url}/health/ready") == 200


@pytest.mark.parametrize("name", SERVICES)
def test_connections_to_the_operations_listener_are_few_and_take_none_of_the_publics(capped: Stack, name: str) -> None:
    service = capped.services[name]
    with ExitStack() as connections:
        served = held(connections, service.ops_port, of_each=OPS_IN_ALL)
        assert served == [OPS_OF_ONE, OPS_OF_ONE, 0, 0]
        assert sum(held(connections, service.port, of_each=OF_ONE)) == HELD
        assert status_at(f"{service.url}/health/ready") == 200
        capped.session().bet()
