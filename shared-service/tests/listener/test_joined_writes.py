"""The head and the body of an answer leave in one write; nothing is held longer than a turn of the event loop."""

from __future__ import annotations

import asyncio

import pytest

from shared_service.listener.joined_writes import JoinedWrites


class RecordingTransport(asyncio.Transport):
    """Keeps each write, as the event loop's transport would send it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def transport() -> RecordingTransport:
    return RecordingTransport()


@pytest.fixture
async def answers(transport: RecordingTransport) -> JoinedWrites:
    return JoinedWrites(transport, asyncio.get_running_loop())


async def test_a_head_and_its_body_are_one_write(transport: RecordingTransport, answers: JoinedWrites) -> None:
    for number in (b"1", b"2"):
        answers.write(b"head" + number)
        answers.write(b"body" + number)
    await asyncio.sleep(0)
    assert transport.sent == [b"head1body1", b"head2body2"]


async def test_a_head_without_a_body_is_sent_at_the_end_of_the_turn(
    transport: RecordingTransport, answers: JoinedWrites
) -> None:
    """A stream's first part may come much later."""
    answers.write(b"head")
    assert transport.sent == []
    await asyncio.sleep(0)
    assert transport.sent == [b"head"]
    answers.write(b"body")
    await asyncio.sleep(0)
    assert transport.sent == [b"head", b"body"]


async def test_nothing_overtakes_what_is_held(transport: RecordingTransport, answers: JoinedWrites) -> None:
    answers.write(b"head")
    answers.flush()
    transport.write(b"written by others")
    await asyncio.sleep(0)
    assert transport.sent == [b"head", b"written by others"]


async def test_a_close_sends_what_is_held_first(transport: RecordingTransport, answers: JoinedWrites) -> None:
    answers.write(b"head")
    answers.close()
    await asyncio.sleep(0)
    assert (transport.sent, transport.closed, answers.is_closing()) == ([b"head"], True, True)


async def test_what_is_held_of_an_aborted_connection_is_dropped(
    transport: RecordingTransport, answers: JoinedWrites
) -> None:
    answers.write(b"head")
    transport.close()
    await asyncio.sleep(0)
    assert transport.sent == []
