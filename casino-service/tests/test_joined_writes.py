"""The head and the body of an answer leave in one write, and nothing is kept back, lost or put in another order."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from casino.sockets import JoinedWrites

pytestmark = pytest.mark.anyio


class Wire:
    """A transport that remembers what is done with it."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    def write(self, part: bytes) -> None:
        self.done.append(part)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.done


def joined(wire: Wire) -> JoinedWrites:
    return JoinedWrites(cast("asyncio.Transport", wire), asyncio.get_running_loop())


async def test_head_and_body_become_one_write() -> None:
    wire = Wire()
    transport = joined(wire)
    transport.write(b"head ")
    transport.write(b"body")
    await asyncio.sleep(0)
    assert wire.done == [b"head body"]


async def test_a_head_whose_body_is_not_there_yet_goes_by_the_next_turn() -> None:
    wire = Wire()
    transport = joined(wire)
    transport.write(b"head")
    assert wire.done == []
    await asyncio.sleep(0)
    assert wire.done == [b"head"]
    transport.write(b"body")
    await asyncio.sleep(0)
    assert wire.done == [b"head", b"body"]


async def test_answers_of_one_turn_keep_their_order() -> None:
    wire = Wire()
    transport = joined(wire)
    for part in (b"1", b"2", b"3", b"4", b"5"):
        transport.write(part)
    await asyncio.sleep(0)
    assert b"".join(cast("list[bytes]", wire.done)) == b"12345"


async def test_what_was_written_is_sent_before_the_connection_closes() -> None:
    wire = Wire()
    transport = joined(wire)
    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)
    assert wire.done == [b"last words", "closed"]


async def test_everything_else_is_the_transports_own() -> None:
    wire = Wire()
    transport = joined(wire)
    assert transport.is_closing() is False
    transport.close()
    assert transport.is_closing() is True
