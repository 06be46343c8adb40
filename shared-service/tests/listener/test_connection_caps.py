"""Caps on connections: in all, for one address, and the exemption of peers' networks."""

import ipaddress
import resource
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest

from shared_service.listener.connection_caps import OTHER_FILES, ConnectionCaps, ListenerCaps
from shared_service_testing.echoing import Wire, serving

IN_ALL, OF_ONE = "connections", "connections of an address"
PEERS = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8:1::/48"))


def entered(caps: ConnectionCaps, address: str | None, times: int) -> list[str | None]:
    return [caps.enter(address) for _ in range(times)]


def test_an_address_has_a_bound_and_leaving_makes_room() -> None:
    caps = ConnectionCaps(connections_max=100, per_address_max=3)
    assert entered(caps, "192.0.2.1", 5) == [None, None, None, OF_ONE, OF_ONE]
    assert entered(caps, "192.0.2.2", 1) == [None]
    caps.leave("192.0.2.1")
    assert entered(caps, "192.0.2.1", 2) == [None, OF_ONE]


def test_all_connections_have_a_bound() -> None:
    caps = ConnectionCaps(connections_max=4, per_address_max=100)
    assert [caps.enter(f"192.0.2.{number}") for number in range(6)] == [None] * 4 + [IN_ALL] * 2
    caps.leave("192.0.2.0")
    assert caps.enter("192.0.2.9") is None


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, are_one: bool) -> None:
    caps = ConnectionCaps(connections_max=100, per_address_max=1)
    assert caps.enter(one) is None
    assert caps.enter(other) == (OF_ONE if are_one else None)


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8:1:2::3", None])
def test_a_peers_network_has_no_bound_of_its_own_and_others_cannot_lock_it_out(peer: str | None) -> None:
    caps = ConnectionCaps(connections_max=100, per_address_max=10, exempt=PEERS)
    others = [caps.enter(f"192.0.2.{number}") for number in range(100)]
    assert others == [None] * 75 + [IN_ALL] * 25
    assert entered(caps, peer, 26) == [None] * 25 + [IN_ALL]
    caps.leave(peer)
    assert caps.enter("192.0.2.200") == IN_ALL
    assert caps.enter(peer) is None


def test_after_any_coming_and_going_nothing_is_left_over() -> None:
    caps = ConnectionCaps(connections_max=50, per_address_max=5, exempt=PEERS)
    addresses = ["192.0.2.1", "2001:db8::1", "10.0.0.1", None, "2001:db8::2"]
    for _ in range(100):
        inside = [address for address in addresses * 20 if caps.enter(address) is None]
        for address in inside:
            caps.leave(address)
    assert len([None for number in range(50) if caps.enter(f"10.0.0.{number}") is None]) == 50


def is_served(wire: Wire) -> bool:
    try:
        return wire.send(b"GET /p HTTP/1.1\r\nhost: x\r\n\r\n").answer().status == 200
    except ConnectionError:
        return False


def test_one_too_many_is_closed_at_once_and_the_others_are_served() -> None:
    with serving(connection_caps=ListenerCaps(ConnectionCaps(connections_max=100, per_address_max=8))) as echo:
        for _ in range(3):
            with ExitStack() as wires:
                served = [is_served(wires.enter_context(echo.connected())) for _ in range(20)]
                assert served == [True] * 8 + [False] * 12
            while not echo.is_empty:  # they are closed here before the server has noticed
                threading.Event().wait(0.01)


OPEN_FILES = """
import resource, sys
from shared_service.listener.connection_caps import TooFewFiles, raise_file_limit
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[1])))
try:
    raise_file_limit(int(sys.argv[2]))
except TooFewFiles as error:
    print(error)
else:
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("hard", "connections", "said"),
    [
        (4000, 1000, str(1000 + OTHER_FILES)),
        (1000, 1000, f"1000 connections need {1000 + OTHER_FILES} open files, and the system allows 1000"),
    ],
)
def test_the_limit_of_open_files_is_raised_or_the_bound_is_refused(hard: int, connections: int, said: str) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip("this machine allows fewer open files than the test needs")
    command = [sys.executable, "-c", OPEN_FILES, str(hard), str(connections)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith(said)
