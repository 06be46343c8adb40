"""A faulty network between the provider and the casino: an HTTP proxy that does to each call what its rules say.

Owns the connections and the record of calls. Passes every other call on untouched, byte for byte.
"""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from faults.fault import Call, Fault, Matches, Rule
from faults.wire import Message, answer, read_message

START_SECONDS = 5.0
NO_FAULT = Fault()


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of one call: the answer's status as sent to the caller, or None where it got none."""

    call: Call
    status: int | None


class WalletProxy:
    """Listens on a port of its own in a thread of its own; use as a context manager."""

    def __init__(self, upstream_port: int) -> None:
        self.upstream_port = upstream_port
        self.port = 0
        self.passages: list[Passage] = []
        self._rules: list[Rule] = []
        self._attempts: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rule(self, matches: Matches, fault: Fault, *, times: int = 1) -> Rule:
        """Add a rule; the first that matches a call decides."""
        rule = Rule(matches, fault, times)
        self._rules.append(rule)
        return rule

    def heal(self) -> None:
        """No more faults, for any call."""
        self._rules.clear()

    def calls(self, token: str) -> Sequence[Passage]:
        return [passage for passage in self.passages if passage.call.token == token]

    def __enter__(self) -> "WalletProxy":
        self._thread.start()
        assert self._ready.wait(START_SECONDS), "the proxy did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._serve_caller, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve_caller(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (request := await read_message(reader)) is not None:
                if not await self._pass_on(request, writer):
                    break
        writer.transport.abort()

    async def _pass_on(self, request: Message, writer: asyncio.StreamWriter) -> bool:
        """One call through its fault. False: the connection is cut."""
        call = self._recognise(request)
        fault = next((rule.fault for rule in self._rules if rule.take(call)), NO_FAULT)
        reply = await self._suffer(call, fault)
        if reply is None or fault.cuts:
            self.passages.append(Passage(call, None))
            return False
        if fault.cuts_half_way:
            raw = reply.to_bytes()
            writer.write(raw[: len(raw) - len(reply.body) // 2])
            await writer.drain()
            self.passages.append(Passage(call, None))
            return False
        self.passages.append(Passage(call, reply.status))
        writer.write(reply.to_bytes())
        await writer.drain()
        return True

    async def _suffer(self, call: Call, fault: Fault) -> Message | None:
        await asyncio.sleep(fault.delay_before_seconds)
        if fault.hold_before:
            await fault.hold_before.hold()
        reply = await self._ask_upstream(call.request) if fault.forwards else answer(500, {})
        if fault.hold_after:
            await fault.hold_after.hold()
        await asyncio.sleep(fault.delay_after_seconds)
        if reply is None:
            return None
        return fault.rewrites(call, reply) if fault.rewrites else reply

    async def _ask_upstream(self, request: Message) -> Message | None:
        """The upstream's answer, or None where it is dead: the caller's connection is then cut as well."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        except ConnectionError:
            return None
        try:
            writer.write(request.to_bytes(keep_alive=False))
            await writer.drain()
            return await read_message(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            return None
        finally:
            writer.close()

    def _recognise(self, request: Message) -> Call:
        endpoint = request.target.split("?")[0].rsplit("/", 1)[-1]
        key = str(request.content.get("transactionId") or f"{request.target} {request.content}")
        self._attempts[key] += 1
        return Call(endpoint=endpoint, request=request, attempt=self._attempts[key])
