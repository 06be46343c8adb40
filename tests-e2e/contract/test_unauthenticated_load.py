"""Unauthenticated requests take no capacity from authenticated ones.

Half-sent launches, and hundreds of connections that ask for health: launches and bets go on beside them.
"""

import json
from contextlib import ExitStack, suppress

import pytest

from e2e_testing.raw_wire import connected, head_of, resident_mebibytes
from e2e_testing.stack import Stack, StartStack

HALF_LAUNCHES = 200
"""Three times as many as there are connections to the provider."""
HEALTH_CONNECTIONS = 270
FLOOD_CONNECTIONS = 900
TAKEN_MEBIBYTES_MAX = 256
"""Four times what requests may hold: the allocator and the sockets' own buffers come on top."""


@pytest.fixture(scope="module")
def separate(start_module_stack: StartStack) -> Stack:
    """A stack of this module's own: hundreds of connections would disturb tests on the shared one."""
    return start_module_stack()


def test_half_sent_launches_stop_no_launch_and_no_bet(separate: Stack) -> None:
    with ExitStack() as held:
        for number in range(HALF_LAUNCHES):
            wire = held.enter_context(connected(separate.casino_process))
            body = json.dumps({"userId": "1", "gameId": "1"}).encode()
            wire.send(head_of("/casino/launchGame", f"content-length: {len(body)}") + body[: number % len(body)])
        session = separate.session()
        session.debit().must_be_ok()


def test_half_sent_money_calls_without_a_signature_stop_no_bet(start_stack: StartStack) -> None:
    stack = start_stack(casino_settings={"CASINO_REQUESTS_MAX": "4"})
    session = stack.session()
    with ExitStack() as held:
        for _ in range(HALF_LAUNCHES):
            wire = held.enter_context(connected(stack.casino_process))
            wire.send(head_of("/casino/debit", "content-length: 60000") + b"x" * 1_000)
        session.debit().must_be_ok()


def test_hundreds_who_ask_for_health_stop_no_bet(separate: Stack) -> None:
    """Readiness takes no database connection from the money calls."""
    session = separate.session()
    with ExitStack() as held:
        wires = [held.enter_context(connected(separate.casino_process)) for _ in range(HEALTH_CONNECTIONS)]
        for turn in range(3):
            for wire in wires:
                wire.send(head_of("/health/ready", method="GET"))
            session.bet(1_000)
            for wire in wires:
                assert wire.read_answer().startswith(b"HTTP/1.1 200 "), turn
    assert separate.casino_process.log_path.read_text().count("readiness_changed") == 1, "it became ready, once"


def test_requests_sent_ahead_and_half_requests_take_a_bounded_amount_of_memory(start_stack: StartStack) -> None:
    """Each connection stays within its own bound; the bound over all connections keeps their sum small."""
    stack = start_stack()
    session = stack.session()
    body = b"{}".ljust(65_000)
    ahead = (head_of("/casino/debit", f"content-length: {len(body)}") + body) * 31
    half = head_of("/casino/debit", "content-length: 65000", "x: " + "y" * 60_000) + b" " * 64_000
    before = resident_mebibytes(stack.casino_process)
    for data in (ahead, half):
        with ExitStack() as held:
            for number in range(FLOOD_CONNECTIONS):
                wire = held.enter_context(connected(stack.casino_process))
                wire.raw.setblocking(False)
                with suppress(OSError):  # it takes no more, or it has ended the connection
                    while data:
                        wire.raw.send(data)
                if number % 100 == 0:
                    session.bet(1_000)
            session.bet(1_000)
            taken = resident_mebibytes(stack.casino_process) - before
        assert taken < TAKEN_MEBIBYTES_MAX, taken
