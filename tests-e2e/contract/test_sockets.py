"""Connections of clients that send or read too slowly: closed in time, said once, and nobody else notices.

Row D4. The limit is ten seconds; here it is set to two.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from e2e_testing.raw_wire import (
    HOSTILE_MEGABYTES,
    LIMIT_SECONDS,
    PATHS,
    PATIENCE_SECONDS,
    SERVICES,
    Wire,
    connected,
    head_of,
    timed_out_lines,
)
from e2e_testing.stack import Stack

TRIES_MAX = 8
"""For what only a service that did not stand still can show."""

HALF: dict[str, Callable[[str], bytes]] = {
    "nothing": lambda _path: b"",
    "half a request line": lambda _path: b"POST /cas",
    "half a head": lambda path: head_of(path)[:-2],
    "no body": lambda path: head_of(path, "content-length: 100"),
    "half a body": lambda path: head_of(path, "content-length: 100") + b'{"userId"',
    "chunks without an end": lambda path: head_of(path, "transfer-encoding: chunked") + b'5\r\n{"use\r\n',
    "a length beyond the body": lambda path: head_of(path, "content-length: 3000") + b'{"userId": "1"}',
}


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("what", HALF)
def test_a_peer_that_does_not_go_on_is_left_and_one_line_says_so(impatient: Stack, name: str, what: str) -> None:
    service = impatient.services[name]
    service.mark_log()
    with ExitStack() as peers:
        wires = [(peers.enter_context(connected(service)), path) for path in PATHS[name]]
        for wire, path in wires:
            wire.send(HALF[what](path))
        for wire, _ in wires:
            assert wire.read_to_the_end() == b""
            assert wire.age_seconds > LIMIT_SECONDS * 0.5, "it was waited for"
    assert len(timed_out_lines(service)) == len(wires), service.log_tail()
    assert "Traceback" not in service.log_tail()
    assert "userId" not in service.log_tail(), "no part of a body is logged"


@pytest.mark.parametrize("name", SERVICES)
def test_a_byte_now_and_then_does_not_keep_a_half_request_alive(impatient: Stack, name: str) -> None:
    service = impatient.services[name]
    with connected(service) as wire:
        wire.send(f"POST {PATHS[name][0]} HTTP/1.1\r\nx-drip: ".encode())
        assert wire.send_until_refused(b"x", pause_seconds=LIMIT_SECONDS / 20, bytes_max=1_000) < 100


def stays_while_used(wire: Wire, seconds: float) -> bool:
    """Use a connection until it is so old. False when it ended while this machine stood still for as long as the limit:
    then nobody had used it."""
    used_at = time.monotonic()
    while wire.age_seconds < seconds:
        asked_at = time.monotonic()
        try:
            wire.send(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
            assert wire.read_answer().startswith(b"HTTP/1.1 200")
        except ConnectionError:
            assert time.monotonic() - used_at > LIMIT_SECONDS * 0.9, "it was ended although it was used"
            return False
        used_at = asked_at
        time.sleep(LIMIT_SECONDS / 20)
    return True


@pytest.mark.parametrize("name", SERVICES)
def test_a_connection_that_is_used_stays_and_one_that_idles_is_closed_without_a_word(
    impatient: Stack, name: str
) -> None:
    service = impatient.services[name]
    service.mark_log()
    for _ in range(TRIES_MAX):
        with connected(service) as wire:
            if not stays_while_used(wire, 1.25 * LIMIT_SECONDS):
                continue
            assert wire.read_to_the_end() == b""
            break
    else:
        raise AssertionError("this machine stands still again and again")
    assert timed_out_lines(service) == [], "the usual end of a connection"


def test_a_peer_that_does_not_take_its_answers_is_left(impatient: Stack) -> None:
    """Answers pile up until the service cannot write another; then the connection is dropped with all of them."""
    service = impatient.services["casino"]
    for _ in range(TRIES_MAX):
        service.mark_log()
        with connected(service, port=service.ops_port) as wire:
            wire.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            request = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"  # a long answer, and nobody has to sign for it
            # So few at a time that a service which is slow today does not find more than it takes ahead of their
            # answers. One that stood still does, and ends the connection for that: then once more.
            wire.send_until_refused(request * 10, pause_seconds=0.1, bytes_max=HOSTILE_MEGABYTES << 20)
        if not any("an end of requests" in line for line in timed_out_lines(service)):
            break
    assert ["answer taken" in line for line in timed_out_lines(service)] == [True]
    assert "Traceback" not in service.log_tail()


@pytest.mark.parametrize("name", SERVICES)
def test_requests_far_ahead_of_their_answers_end_the_connection(impatient: Stack, name: str) -> None:
    service = impatient.services[name]
    service.mark_log()
    with connected(service) as wire:
        wire.send_until_refused(head_of("/health/live", method="GET") * 2_000, bytes_max=HOSTILE_MEGABYTES << 20)
    assert len(timed_out_lines(service)) == 1
    assert "Traceback" not in service.log_tail()


@pytest.mark.anyio
@pytest.mark.parametrize("name", SERVICES)
async def test_while_hundreds_dawdle_everybody_else_is_served(impatient: Stack, name: str) -> None:
    service = impatient.services[name]
    session = impatient.session()

    wires = [await asyncio.open_connection("127.0.0.1", service.port) for _ in range(300)]
    for number, (_, writer) in enumerate(wires):
        writer.write(list(HALF.values())[number % len(HALF)](PATHS[name][0]))
    played = await asyncio.to_thread(impatient.simulate, session.user_id)
    assert played.must_be_ok().content["passed"] is True
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert [await reader.read() for reader, _ in wires] == [b""] * 300
    for _, writer in wires:
        writer.close()
    answer = impatient.signing_client(impatient.casino).post("/casino/debit", session.debit_content())
    assert answer.must_be_ok().status == 200


@pytest.mark.parametrize("name", SERVICES)
def test_a_head_without_an_end_is_cut_off_at_its_bound(impatient: Stack, name: str) -> None:
    service = impatient.services[name]
    with connected(service) as wire:
        wire.send(f"POST {PATHS[name][0]} HTTP/1.1\r\n".encode())
        sent = wire.send_until_refused(b"x-h: " + b"x" * 8_000 + b"\r\n", bytes_max=HOSTILE_MEGABYTES << 20)
    assert sent < 8 << 20, "what fits into the buffers between, and no more"
