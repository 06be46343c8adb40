"""A 401 of the provider, over a socket: whose time the casino believes, and what it sends a second time."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from casino.sessions.provider_client import SIGNATURE_HEADER, ProviderClient, ProviderUnreachable
from casino_testing.edge import PROVIDER_RING
from shared_signing.canonical import SignatureHeader
from shared_signing.signer import Signer

LENGTH = re.compile(rb"content-length: (\d+)")
SIGNATURE = re.compile(SIGNATURE_HEADER.encode() + rb": ([^\r]+)")
MESSAGE = {"userId": "1"}
Calls = Callable[[ProviderClient], Awaitable[dict[str, Any]]]


@dataclass
class Scripted:
    """A provider that gives one scripted answer after the other, signed for the request's nonce or not."""

    answers: list[tuple[int, dict[str, Any], bool]]
    seen: list[SignatureHeader] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length, signature = LENGTH.search(head), SIGNATURE.search(head)
        assert length
        assert signature
        await reader.readexactly(int(length[1]))
        self.seen.append(SignatureHeader.parse(signature[1]))
        status, content, signs = self.answers.pop(0)
        body = msgspec.json.encode(content)
        lines = b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n" % (status, len(body))
        if signs:
            key = PROVIDER_RING.signing_key(0)
            own = Signer(PROVIDER_RING).sign_response(nonce=self.seen[-1].nonce, status=status, body=body, key=key)
            lines += f"{SIGNATURE_HEADER}: {own}\r\n".encode()
        writer.write(lines + b"\r\n" + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def provider_with(*answers: tuple[int, dict[str, Any], bool]) -> AsyncIterator[tuple[Scripted, ProviderClient]]:
    scripted = Scripted(list(answers))
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    client = ProviderClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", PROVIDER_RING)
    try:
        yield scripted, client
    finally:
        await client.close()
        server.close()


async def launch(client: ProviderClient) -> dict[str, Any]:
    return await client.launch(MESSAGE, request_id="r")


async def simulate(client: ProviderClient) -> dict[str, Any]:
    return await client.simulate(MESSAGE, request_id="r")


def out_of_window(off_seconds: int) -> dict[str, Any]:
    return {"code": "timestamp_out_of_window", "serverTime": int(time.time()) + off_seconds}


OK = (200, {"fine": True}, True)


@pytest.mark.parametrize("call", [launch, simulate])
async def test_a_signed_time_is_taken_for_the_one_request_that_is_signed_anew(call: Calls) -> None:
    async with provider_with((401, out_of_window(300), True), OK) as (provider, client):
        assert await call(client) == {"fine": True}
    first, second = provider.seen
    assert 250 < second.timestamp - first.timestamp < 360
    assert first.nonce != second.nonce


@pytest.mark.parametrize(
    ("content", "signs"),
    [(out_of_window(300), False), ({"code": "nonce_replay", "serverTime": int(time.time()) + 300}, True)],
    ids=["unsigned", "for another reason"],
)
async def test_any_other_time_moves_no_clock(content: dict[str, Any], signs: bool) -> None:
    async with provider_with((401, content, signs), OK) as (provider, client):
        assert await launch(client) == {"fine": True}
    first, second = provider.seen
    assert 0 <= second.timestamp - first.timestamp < 250


@pytest.mark.parametrize("signs", [True, False])
@pytest.mark.parametrize("call", [launch, simulate])
async def test_a_second_401_is_no_answer_signed_or_not(call: Calls, signs: bool) -> None:
    async with provider_with((401, out_of_window(100), True), (401, {"code": "nonce_replay"}, signs), OK) as (
        provider,
        client,
    ):
        with pytest.raises(ProviderUnreachable):
            await call(client)
    assert len(provider.seen) == 2


@pytest.mark.parametrize(("code", "signs"), [("nonce_replay", True), ("nonce_replay", False), ("unknown_key", False)])
async def test_a_round_that_may_have_been_played_is_not_asked_for_again(code: str, signs: bool) -> None:
    async with provider_with((401, {"code": code}, signs), OK) as (provider, client):
        with pytest.raises(ProviderUnreachable):
            await simulate(client)
    assert len(provider.seen) == 1
