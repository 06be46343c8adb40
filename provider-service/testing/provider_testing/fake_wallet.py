"""A wallet for tests: a signing HTTP server on loopback that can also fail in planned ways.

It runs in its own thread, so the provider may run in the test's event loop or in another process.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from provider_testing.wallet_model import Answer, WalletModel
from shared_signing.keys import Key, KeyRing
from shared_signing.nonces import InMemoryNonceStore
from shared_signing.signer import Signer
from shared_signing.verifier import Accepted, Verifier

CASINO_SECRET = b"casino-secret"
MAIN = Key("main", CASINO_SECRET)
HEADER = "x-casino-signature"
BAD_SIGNATURE = f"t=1,n={'0' * 32},k=main,v1={'0' * 64}"


@dataclass
class Call:
    """One request that reached the wallet."""

    kind: str
    members: dict[str, Any]
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)


class Exchange:
    """One request, for a fault to answer."""

    def __init__(self, wallet: FakeWallet, call: Call, writer: asyncio.StreamWriter, accepted: Accepted) -> None:
        self.wallet = wallet
        self.call = call
        self.writer = writer
        self.accepted = accepted

    def execute(self) -> Answer:
        """Execute the call in the model; returns the correct answer."""
        return self.wallet.model.execute(self.call.kind, self.call.members)

    async def send(self, answer: Answer, *, signed: str = "good") -> None:
        """Answer in JSON; `signed` is good, missing or bad."""
        status, headers, body = answer
        await self.send_bytes(status, json.dumps(body).encode(), headers=headers, signed=signed)

    async def send_bytes(
        self, status: int, body: bytes, *, headers: dict[str, str] | None = None, signed: str = "good"
    ) -> None:
        """Answer with exactly these bytes."""
        lines = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        if signed == "good":
            lines[HEADER] = self.wallet.signer.sign_response(
                nonce=self.accepted.nonce, status=status, body=body, key=self.accepted.key
            )
        elif signed == "bad":
            lines[HEADER] = BAD_SIGNATURE
        await self.write(head(status, lines) + body)

    async def write(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def stall(self) -> None:
        """Set `reached`, and send nothing until the plans are dropped or the wallet is closed."""
        self.wallet.reached.set()
        await self.wallet.released.wait()

    def cut(self) -> None:
        """Close without an answer."""
        self.writer.close()

    def reset(self) -> None:
        """Break the connection."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Fault = Callable[[Exchange], Awaitable[None]]


@dataclass
class Planned:
    """A fault for calls of one kind: after `skip` correct answers, `times` times."""

    kind: str
    fault: Fault
    skip: int
    times: int


class FakeWallet:
    """Starts on construction; `url` is where it listens. `reached` is set when a fault stalls."""

    def __init__(
        self, *, model: WalletModel | None = None, clock: Callable[[], float] = time.time, key: Key = MAIN
    ) -> None:
        self.model = model or WalletModel()
        self.calls: list[Call] = []
        self.reached = threading.Event()
        self.signs_refusals = True
        self.ring = KeyRing([key])
        self.signer = Signer(self.ring, clock)
        self._verifier = Verifier(self.ring, InMemoryNonceStore(), clock=clock)
        self._plan: list[Planned] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(60), "the fake wallet did not start"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(60)

    def plan(self, kind: str, fault: Fault, *, skip: int = 0, times: int = 1) -> None:
        """Plan a fault for calls of this kind (`*`: any): after `skip` correct answers, `times` times."""
        self._plan.append(Planned(kind, fault, skip, times))

    def forget_plans(self) -> None:
        """Drop all plans and release stalled calls: from now on every answer is correct."""
        self._plan.clear()
        self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        self.released.set()
        self.released = asyncio.Event()  # for faults that are planned later

    def made(self, kind: str) -> list[Call]:
        """The calls of one kind so far."""
        return [call for call in self.calls if call.kind == kind]

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing, self.released = asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port: int = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._ready.set()
        await self._closing.wait()
        self.released.set()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                await self._exchange(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        values = [headers[HEADER].encode()] if HEADER in headers else []
        verdict = await self._verifier.verify_request(values, method=method, target=target.encode(), body=body)
        if not isinstance(verdict, Accepted):
            answer = {"error": "No.", "code": str(verdict.refusal), "requestId": "r", "serverTime": verdict.server_time}
            raw = json.dumps(answer).encode()
            lines = {"content-length": str(len(raw))}
            if verdict.key is not None and self.signs_refusals:
                lines[HEADER] = self.signer.sign_response(nonce=verdict.nonce, status=401, body=raw, key=verdict.key)
            writer.write(head(401, lines) + raw)
            await writer.drain()
            return
        call = Call(
            *(_question(target) if method == "GET" else (target.removeprefix("/casino/"), json.loads(body))), headers
        )
        self.calls.append(call)
        exchange = Exchange(self, call, writer, verdict)
        fault = self._fault_for(call)
        if fault is None:
            await exchange.send(exchange.execute())
        else:
            await fault(exchange)

    def _fault_for(self, call: Call) -> Fault | None:
        for planned in self._plan:
            if planned.kind in (call.kind, "*"):
                if planned.skip > 0:
                    planned.skip -= 1
                elif planned.times > 0:
                    planned.times -= 1
                    return planned.fault
        return None


def _question(target: str) -> tuple[str, dict[str, str]]:
    """The kind and parameters of a GET: a page of the feed, or one transaction."""
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query))
    _, _, transaction_id = parts.path.partition("/casino/transactions/")
    if transaction_id:
        return "transaction", query | {"transactionId": unquote(transaction_id)}
    return "transactions", query


def head(status: int, lines: dict[str, str]) -> bytes:
    """The first part of an HTTP answer."""
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{text}\r\n".encode()
