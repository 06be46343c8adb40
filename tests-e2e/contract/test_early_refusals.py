"""What a full casino tells who comes next, before it reads or starts anything, and that the connection stays of use.

Row D3.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from e2e_testing.raw_wire import Wire, connected, head_of
from e2e_testing.stack import Stack, StartStack
from shared_service_testing.waiting import wait_until

CAPACITY = 4
BETS_PLACES = 3
DEBIT = "/casino/debit"
ROUND = "/casino/simulateRound"


@pytest.fixture(scope="module")
def full(start_module_stack: StartStack) -> Iterator[Stack]:
    """A casino in which every place that bets may take is taken: by rounds that a provider which hangs does not end."""
    stack = start_module_stack(casino_settings={"CASINO_REQUESTS_MAX": str(CAPACITY)})
    sessions = [stack.session() for _ in range(BETS_PLACES)]
    agent = f"user-agent: {stack.client.headers['user-agent']}"
    with ExitStack() as rounds:
        stack.provider_process.hang()
        rounds.callback(stack.provider_process.kill_9)
        for session in sessions:
            body = json.dumps({"userId": session.user_id, "gameId": "1", "sessionToken": session.token}).encode()
            wire = rounds.enter_context(connected(stack.casino_process))
            wire.send(head_of(ROUND, agent, f"content-length: {len(body)}") + body)
        wire = rounds.enter_context(connected(stack.casino_process))
        wait_until(lambda: status_of(ask(wire)) == 503, "the capacity is used")
        yield stack


def ask(wire: Wire, *fields: str, body: bytes = b"{}") -> bytes:
    wire.send(head_of(DEBIT, f"content-length: {len(body)}", *fields) + body)
    return wire.read_answer()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_refused_connection_is_of_use_again(full: Stack) -> None:
    with connected(full.casino_process) as wire:
        for number in range(3):
            answer = ask(wire, f"x-request-id: mine-{number}")
            head, _, body = answer.partition(b"\r\n\r\n")
            assert status_of(answer) == 503
            assert b"retry-after: 1" in head
            assert b"content-type: application/json" in head
            assert b"date: " in head
            assert f"x-request-id: mine-{number}".encode() in head
            assert b'"code":"overloaded"' in body
            assert f'"requestId":"mine-{number}"'.encode() in body
        wire.send(head_of("/health/live", method="GET"))
        assert status_of(wire.read_answer()) == 200


def test_requests_in_one_packet_are_answered_in_their_order(full: Stack) -> None:
    asked = [head_of(DEBIT, "content-length: 2", f"x-request-id: n-{number}") + b"{}" for number in range(20)]
    asked.append(head_of(DEBIT, "content-length: 2", "x-request-id: last", "connection: close") + b"{}")
    with connected(full.casino_process) as wire:
        wire.send(b"".join(asked))
        answers = wire.read_to_the_end().split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"503"] * 21
    names = [answer.split(b'"requestId":"')[1].split(b'"')[0].decode() for answer in answers]
    assert names == [*(f"n-{number}" for number in range(20)), "last"]


def test_a_body_that_comes_after_its_refusal_is_not_taken_for_a_request(full: Stack) -> None:
    with connected(full.casino_process) as wire:
        wire.send(head_of(DEBIT, "content-length: 40"))
        assert status_of(wire.read_answer()) == 503
        wire.send(head_of("/health/live", method="GET")[:40].ljust(40, b"x"))
        wire.send(head_of("/health/live", method="GET"))
        assert status_of(wire.read_answer()) == 200


def test_who_would_be_invited_to_send_a_body_is_told_not_to(full: Stack) -> None:
    with connected(full.casino_process) as wire:
        wire.send(head_of(DEBIT, "content-length: 2", "expect: 100-continue"))
        assert status_of(wire.read_answer()) == 503
