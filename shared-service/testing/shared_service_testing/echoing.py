"""A real server on a real socket, in a thread. Its application answers with the request that it received."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from shared_service.listener.heads import EarlyAnswer
from shared_service.run.server import PROTOCOL

PATIENCE_SECONDS = 30.0
"""Only stops a test that hangs."""
SOCKET_SECONDS = 2
PACKET_SECONDS = 0.001
"""Between two packets: sent at once, the server reads them as one."""


@dataclass
class Answer:
    """One answer from the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


@dataclass
class Wire:
    """A raw connection."""

    raw: socket.socket
    read: bytes = b""

    def send(self, data: bytes, *, split_at: int | None = None) -> "Wire":
        """Send bytes; with `split_at`, in two packets."""
        if split_at is None:
            self.raw.sendall(data)
        else:
            self.raw.sendall(data[:split_at])
            time.sleep(PACKET_SECONDS)
            self.raw.sendall(data[split_at:])
        return self

    def send_as_far_as_taken(self, data: bytes, *, times: int) -> None:
        """Send the data `times` times, or until the server closes the connection."""
        with contextlib.suppress(ConnectionError):
            for _ in range(times):
                self.raw.sendall(data)

    def answer(self, *, to_head: bool = False) -> Answer:
        """The next answer. Raises ConnectionError when the server closes instead."""
        while b"\r\n\r\n" not in self.read:
            self._read_more()
        head, _, self.read = self.read.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = 0 if to_head or lines[0].split()[1] == "100" else int(headers["content-length"])
        while len(self.read) < length:
            self._read_more()
        body, self.read = self.read[:length], self.read[length:]
        return Answer(int(lines[0].split()[1]), headers, body)

    def answers_to_the_end(self) -> list[Answer]:
        """All answers until the server closes."""
        answers = []
        with contextlib.suppress(ConnectionError):
            while True:
                answers.append(self.answer())
        assert self.read == b"", "half an answer"
        return answers

    def _read_more(self) -> None:
        part = self.raw.recv(65_536)
        if not part:
            raise ConnectionResetError("the server closed")
        self.read += part


@dataclass
class Echo:
    """The server. `state` is put into the state of the lifespan."""

    state: dict[str, Any]
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """The targets of all requests that the application received."""
    go: threading.Event = field(default_factory=threading.Event)
    """A request for /wait waits until it is set."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        target = scope["raw_path"].decode() + ("?" + scope["query_string"].decode()) * bool(scope["query_string"])
        self.asked.append(target)
        if scope["path"] == "/wait":
            while not self.go.is_set():  # noqa: ASYNC110 - it is set in another thread
                await asyncio.sleep(0.001)
        body = b""
        if scope["path"] != "/unread":
            async for part in _parts(receive):
                if part is None:
                    return
                body += part
        content = {
            "method": scope["method"], "target": target, "version": scope["http_version"],
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
            "body": body.decode("latin-1"),
        }  # fmt: skip
        answer = json.dumps(content).encode()
        headers = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _live(self, receive: Receive, send: Send) -> None:
        # uvicorn gives this state to every connection.
        await receive()
        self._lifespan_state().update(self.state)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    _lifespan_state: Callable[[], dict[str, Any]] = field(default=dict)
    _connections: Callable[[], int] = field(default=int)

    @property
    def is_empty(self) -> bool:
        """Whether the server holds no connection."""
        return self._connections() == 0

    @contextlib.contextmanager
    def connected(self) -> Iterator[Wire]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield Wire(raw)

    def ask(self, data: bytes) -> list[Answer]:
        """Send bytes on a new connection. Returns all answers until the server closes."""
        with self.connected() as wire:
            wire.send(data)
            wire.raw.shutdown(socket.SHUT_WR)
            return wire.answers_to_the_end()


async def _parts(receive: Receive) -> AsyncIterator[bytes | None]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            yield None
            return
        yield message["body"]
        if not message["more_body"]:
            return


@contextlib.contextmanager
def serving(*, early_answer: EarlyAnswer | None = None, **state: Any) -> Iterator[Echo]:
    """Serve until the block ends."""
    echo = Echo({"early_answer": early_answer} | state)
    config = uvicorn.Config(
        echo, host="127.0.0.1", port=0, loop="uvloop", http=PROTOCOL, ws="none",
        lifespan="on", log_config=None, access_log=False, server_header=False, timeout_keep_alive=SOCKET_SECONDS,
        timeout_graceful_shutdown=10,
    )  # fmt: skip
    server = uvicorn.Server(config)
    echo._lifespan_state = lambda: server.lifespan.state
    echo._connections = lambda: len(server.server_state.connections)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        thread.join(0.01)
    echo.port = server.servers[0].sockets[0].getsockname()[1]
    yield echo
    echo.go.set()
    server.should_exit = True
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive(), "the server did not stop"
