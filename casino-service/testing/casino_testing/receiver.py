"""Another system that receives webhooks: a real server on the own machine, which answers as a test wants.

async with receiving() as receiver:
    receiver.url                        # http://127.0.0.1:…/told
    receiver.answers.append(b"HTTP/1.1 500 …")    # the next answers; then 204
    receiver.messages                   # what was received
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from standardwebhooks import Webhook

GOOD = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """The bytes of an answer."""
    head = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class Message:
    """A request that was received."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]

    @property
    def content(self) -> Any:
        """The body."""
        return msgspec.json.decode(self.body)

    def verify(self, secret: str) -> Any:
        """Verify it with the library that receivers use; returns its content. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass(slots=True)
class Receiver:
    """What it received, and how it answers."""

    port: int = 0
    scheme: str = "http"
    messages: list[Message] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    """The next answers. An empty one closes the connection without a word."""
    hang: asyncio.Event | None = None
    """While it is there and not set, nothing is answered."""
    drip: bytes = b""
    """Sent again and again after an answer, until the sender has enough."""
    closes: bool = False
    """Whether it closes the connection after an answer, without saying so."""
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self.scheme}://127.0.0.1:{self.port}/told"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        self.writers.append(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.messages.append(Message(line, headers, body))
        if self.hang is not None:
            await self.hang.wait()
        answered = self.answers.pop(0) if self.answers else GOOD
        writer.write(answered)
        await writer.drain()
        while self.drip:
            writer.write(self.drip)
            await writer.drain()
            await asyncio.sleep(0.01)
        return bool(answered) and not self.closes


@asynccontextmanager
async def receiving(context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port; with a context, behind TLS."""
    receiver = Receiver(scheme="https" if context else "http")
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = receiver.serve
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in receiver.writers:
            writer.transport.abort()
        await asyncio.sleep(0)
