"""A provider is somebody else's machine: what it answers has an end in size and in time, or it counts as no answer."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from casino.sessions import provider_client
from casino.sessions.bounded_answers import ANSWER_MAX_BYTES
from casino.sessions.provider_client import ProviderClient, ProviderUnreachable
from casino_testing.edge import PROVIDER_RING

Writes = Callable[[asyncio.StreamWriter], Any]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
PATIENCE_SECONDS = 60.0


@asynccontextmanager
async def provider_that(writes: Writes) -> AsyncIterator[ProviderClient]:
    """A client of a provider that reads a request and then does as it likes with the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await writes(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = ProviderClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", PROVIDER_RING)
    try:
        yield client
    finally:
        await client.close()
        server.close()


async def reason(client: ProviderClient) -> str:
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(ProviderUnreachable) as caught:
            await client.launch({"userId": "1"}, request_id="r")
    return str(caught.value)


async def test_an_endless_answer_is_given_up_at_its_bound() -> None:
    """Row B11."""
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        while sent < 64 * ANSWER_MAX_BYTES:
            writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
            await writer.drain()
            sent += 65_536

    async with provider_that(endless) as client:
        assert await reason(client) == "AnswerRefused"
    assert sent < 32 * ANSWER_MAX_BYTES


async def test_a_compressed_answer_is_not_unpacked() -> None:
    """Row B11."""
    packed = gzip.compress(b" " * 64 * ANSWER_MAX_BYTES)

    async def bomb(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed)
        await writer.drain()

    async with provider_that(bomb) as client:
        assert await reason(client) == "AnswerRefused"


async def test_an_answer_that_trickles_has_one_deadline_for_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row B11. The time-outs of an HTTP client begin anew with every byte; a launch has one end."""
    for_each_byte = httpx.Timeout(PATIENCE_SECONDS)  # which a pause of the machine could use up before the launch's end
    monkeypatch.setattr(httpx, "Timeout", lambda *_args, **_kwargs: for_each_byte)
    monkeypatch.setattr(provider_client, "LAUNCH_TIMEOUT_SECONDS", 0.5)

    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"content-length: 100000\r\n\r\n")
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with provider_that(trickle) as client:
        assert await reason(client) == "TimeoutError"
