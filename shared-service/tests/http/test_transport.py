"""The transport with real sockets: which requests were not sent, which may have arrived, which answers are refused."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from shared_service.http.transport import AnswerRefused, NotSent, create_http_client
from shared_signing.httpx_auth import SignedAuth
from shared_signing.keys import Key, KeyRing
from shared_signing.signer import Signer

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CALL_SECONDS = 30.0
CONNECT_SECONDS = 0.4
SILENCE_SECONDS = 1.0
"""The time limit of a call to a server that does not answer properly."""


async def post(
    url: str, times: int = 1, *, call_seconds: float = CALL_SECONDS, connect_seconds: float = CALL_SECONDS
) -> httpx.Response:
    client = create_http_client(base_url=url, call_seconds=call_seconds, connect_seconds=connect_seconds)
    async with client:
        for _ in range(times - 1):
            await client.post("/x", content=b"{}")
        answer = await client.post("/x", content=b"{}")
        assert dict(client.cookies) == {}
        return answer


async def against(
    handler: Handler,
    times: int = 1,
    *,
    call_seconds: float = CALL_SECONDS,
    ask: Callable[[str], Awaitable[Any]] | None = None,
) -> Any:
    """Post to a server with this handler, or `ask` it at its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return await (ask(url) if ask else post(url, times, call_seconds=call_seconds))
    finally:
        server.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2)


def answering(raw: bytes, *, then_reset: bool = False) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(raw)
        await writer.drain()
        if then_reset:
            await asyncio.sleep(0.05)
            writer.transport.abort()

    return handler


def repeating(first: bytes, again: bytes, pause: float = 0.0) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_refused_connection_is_known_not_to_have_been_sent() -> None:
    with pytest.raises(NotSent, match=r"^connection refused$"):
        await post(f"http://127.0.0.1:{closed_port()}")


async def test_a_host_that_does_not_exist_is_known_not_to_have_been_sent() -> None:
    with pytest.raises(NotSent, match=r"^name not resolved$"):
        await post("http://no-such-host.invalid:80", connect_seconds=CONNECT_SECONDS)


async def test_a_host_that_does_not_take_connections_is_given_up_within_the_connect_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        started = time.monotonic()
        with pytest.raises(NotSent, match=r"^timed out$"):
            await post(f"http://127.0.0.1:{full.getsockname()[1]}", connect_seconds=CONNECT_SECONDS)
        assert CONNECT_SECONDS * 0.9 < time.monotonic() - started < CALL_SECONDS
        for each in waiting:
            each.close()


async def hang_up_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await reader.read()


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "handler",
    [
        hang_up_at_once,
        reset_at_once,
        say_nothing,
        answering(b""),
        answering(b"", then_reset=True),
        answering(OK + b"conte"),
        answering(OK + b"content-length: 100\r\n\r\nabc"),
        answering(OK + b"content-length: 100\r\n\r\nabc", then_reset=True),
        answering(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n"),
        answering(b"moo moo moo\r\n\r\n"),
        answering(b"HTTP/1.1 999999 X\r\n\r\n"),
        repeating(OK, b"x-a: y\r\n" * 100),
        repeating(OK + b"content-length: 100000\r\n\r\n", b"x", pause=0.1),
        repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.01),
    ],
    ids=[
        "closed before the request",
        "reset before the request",
        "silence",
        "closed",
        "reset",
        "half a head",
        "half a body",
        "half a body and reset",
        "a bad chunk",
        "not HTTP",
        "no status",
        "endless head",
        "slow body",
        "endless interim answers",
    ],
)
async def test_what_may_have_arrived_is_never_said_not_to_have_been_sent(handler: Handler) -> None:
    started = time.monotonic()
    with pytest.raises(httpx.HTTPError) as failed:
        await against(handler, call_seconds=SILENCE_SECONDS)
    assert not isinstance(failed.value, NotSent | AnswerRefused)
    assert time.monotonic() - started < CALL_SECONDS


async def test_a_connection_that_dies_at_its_second_request_may_have_carried_it() -> None:
    """Row B12."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK + b"content-length: 2\r\n\r\nok")
        await writer.drain()
        await read_request(reader)

    with pytest.raises(httpx.HTTPError) as failed:
        await against(handler, times=2)
    assert not isinstance(failed.value, NotSent)


@pytest.mark.parametrize(
    "handler",
    [
        repeating(OK + b"transfer-encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
        repeating(OK + b"content-length: 100000000\r\n\r\n", b"x" * 1024),
        repeating(OK + b"\r\n", b"x" * 1024),
        answering(OK + b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc"),
        answering(OK + b"content-encoding: br\r\ncontent-length: 3\r\n\r\nabc"),
    ],
    ids=["endless chunks", "a huge length", "no length and no end", "gzip", "brotli"],
)
async def test_an_answer_that_breaks_a_bound_is_refused(handler: Handler) -> None:
    with pytest.raises(AnswerRefused):
        await against(handler)


async def test_a_redirect_is_an_answer_and_its_cookie_is_forgotten() -> None:
    raw = b"HTTP/1.1 307 R\r\nlocation: /y\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
    assert (await against(answering(raw))).status_code == 307


async def test_an_answer_of_the_largest_size_is_read() -> None:
    body = b"x" * 65_536
    assert (await against(answering(OK + b"content-length: 65536\r\n\r\n" + body))).content == body


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert (await against(answering(OK + b"content-length: 2\r\n\r\nok"))).content == b"ok"


async def test_a_signed_post_is_sent_once_and_its_answer_judged() -> None:
    ring = KeyRing([Key("main", b"a secret of thirty-two bytes....")])
    answered: list[tuple[int, bytes, str | None]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            asked = await read_request(reader)
            assert asked.lower().count(b"x-test-signature: ") == 1
            assert b"/x?y=1 " in asked
            writer.write(
                b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\n{}"
            )
            await writer.drain()

    async def ask(url: str) -> None:
        auth = SignedAuth(Signer(ring), ring, "x-test-signature")
        async with create_http_client(base_url=url, call_seconds=CALL_SECONDS, connect_seconds=CALL_SECONDS) as client:
            for _ in range(2):
                answer = await client.post_signed(client.target("/x?y=1"), b"{}", headers=[], auth=auth)
                answered.append((answer.status_code, answer.content, answer.signature))

    await against(handler, ask=ask)
    assert answered == [(302, b"{}", "missing")] * 2


async def test_what_is_sent_over_a_client_that_was_closed_is_known_not_to_have_been_sent() -> None:
    """A round may hold the client of a peer that has moved or was switched off."""
    ring = KeyRing([Key("main", b"a secret of thirty-two bytes....")])
    auth = SignedAuth(Signer(ring), ring, "x-test-signature")

    async def ask(url: str) -> None:
        client = create_http_client(base_url=url, call_seconds=CALL_SECONDS, connect_seconds=CALL_SECONDS)
        await client.post("/x", content=b"{}")
        await client.aclose()
        with pytest.raises(NotSent, match=r"^closed$"):
            await client.post_signed(client.target("/x"), b"{}", headers=[], auth=auth)

    await against(answering(OK + b"content-length: 2\r\n\r\nok"), ask=ask)
