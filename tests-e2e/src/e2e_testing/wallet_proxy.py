"""A faulty network between the provider and the casino: an HTTP proxy that does to each call what its rules say.

Passes every other call on untouched, byte for byte.
"""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol

from e2e_testing.fault import HELD_SECONDS_MAX, Call, Fault, Matches, Rule
from e2e_testing.upstream import Delivery, Upstream
from e2e_testing.wire import BODY_BYTES_MAX, Message, answer, read_message
from shared_service_testing.waiting import wait_until

START_SECONDS = 30.0
NO_FAULT = Fault()
FLOOD_CHUNK_BYTES = 16_384
FLOOD_BYTES_MAX = 8 * BODY_BYTES_MAX
DRIP_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of one call: the answer's status as sent to the caller, or None where it got none."""

    call: Call
    status: int | None


class Policy(Protocol):
    """Decides about the calls that no rule is for, and hears what the wallet said."""

    def decide(self, call: Call) -> Fault: ...

    def noticed(self, call: Call, reply: Message | None) -> None: ...


class WalletProxy:
    """Listens on a port of its own in a thread of its own; use as a context manager."""

    def __init__(self, *upstream_ports: int, policy: Policy | None = None) -> None:
        self.upstream = Upstream(upstream_ports)
        self.under_way = 0
        self.port = 0
        self._policy = policy
        self._left_behind: set[asyncio.Task[object]] = set()
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
        self._policy = None

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Every request that reached the wallet."""
        return self.upstream.deliveries

    def deliveries_of(self, transaction_id: str | None, *, count: int = 1) -> Sequence[Delivery]:
        """What the wallet answered about a transaction, when there are so many answers: copies come when they come."""

        def answered() -> Sequence[Delivery]:
            found = [one for one in self.deliveries if one.call.transaction_id == transaction_id]
            return found if len(found) >= count else []

        return wait_until(answered, f"{transaction_id} never was answered {count} times by the wallet")

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
                if not await self._pass_on(request, reader, writer):
                    break
        writer.transport.abort()

    async def _pass_on(self, request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One call through its fault. False: the connection is cut."""
        call = self._recognise(request)
        fault = next((rule.fault for rule in self._rules if rule.take(call)), None)
        if fault is None:
            fault = self._policy.decide(call) if self._policy else NO_FAULT
        if fault.hangs_up_first:
            self.passages.append(Passage(call, None))
            self._leave_behind(self._suffer(call, fault, reader))
            return False
        reply = await self._suffer(call, fault, reader)
        if reply is None or fault.cuts:
            self.passages.append(Passage(call, None))
            return False
        spoilt = fault.cuts_half_way or fault.corrupts_answer or fault.drips_seconds or fault.never_ends
        self.passages.append(Passage(call, None if spoilt else reply.status))
        return await self._answer(reply, fault, writer)

    async def _suffer(self, call: Call, fault: Fault, caller: asyncio.StreamReader) -> Message | None:
        self.under_way += 1
        try:
            await asyncio.sleep(fault.delay_before_seconds)
            if fault.outlasts_caller_before:
                await _until_given_up(caller)
            if fault.hold_before:
                await fault.hold_before.hold()
            reply = await self._forward(call, fault)
            if fault.hold_after:
                await fault.hold_after.hold()
            if fault.outlasts_caller_after:
                await _until_given_up(caller)
            await asyncio.sleep(fault.delay_after_seconds)
        finally:
            self.under_way -= 1
        if reply is None:
            return None
        return fault.rewrites(call, reply) if fault.rewrites else reply

    async def _forward(self, call: Call, fault: Fault) -> Message | None:
        """The wallet's answer to the call; its copies are sent at the same moment, and their answers go nowhere."""
        for make in fault.copies:
            copied = replace(call, request=make(call.request))
            self._leave_behind(self.upstream.deliver(copied, copied.request.to_bytes(keep_alive=False)))
        if not fault.forwards:
            return answer(500, {})
        if fault.forwards_half:
            await self.upstream.deliver_half(call.request.to_bytes(keep_alive=False))
            return None
        spoils = fault.corrupts_request
        raw = spoils.of(call.request, keep_alive=False) if spoils else call.request.to_bytes(keep_alive=False)
        reply = await self.upstream.deliver(call, raw)
        if self._policy:
            self._policy.noticed(call, reply)
        return reply

    async def _answer(self, reply: Message, fault: Fault, writer: asyncio.StreamWriter) -> bool:
        if fault.cuts_half_way:
            raw = reply.to_bytes()
            writer.write(raw[: len(raw) - len(reply.body) // 2])
            await writer.drain()
        elif fault.corrupts_answer:
            writer.write(fault.corrupts_answer.of(reply, keep_alive=False))
            await writer.drain()
        elif fault.drips_seconds:
            await _drip(reply.to_bytes(), writer, pause_seconds=fault.drips_seconds)
        elif fault.never_ends:
            await _flood(reply, writer)
        else:
            writer.write(reply.to_bytes())
            await writer.drain()
            return True
        return False

    def _leave_behind(self, work: Coroutine[Any, Any, object]) -> None:
        """Run the work as a task that no caller awaits."""
        task = asyncio.get_running_loop().create_task(work)
        self._left_behind.add(task)
        task.add_done_callback(self._left_behind.discard)

    def _recognise(self, request: Message) -> Call:
        endpoint = request.target.split("?")[0].rsplit("/", 1)[-1]
        key = str(request.content.get("transactionId") or f"{request.target} {request.content}")
        self._attempts[key] += 1
        return Call(endpoint=endpoint, request=request, attempt=self._attempts[key])


async def _until_given_up(caller: asyncio.StreamReader) -> None:
    """The caller's own deadline, whatever it is: it says nothing more until it hangs up."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(HELD_SECONDS_MAX):
            await caller.read(1)


async def _drip(raw: bytes, writer: asyncio.StreamWriter, *, pause_seconds: float) -> None:
    """Byte by byte, until the caller has enough of it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRIP_SECONDS_MAX):
            for at in range(len(raw)):
                writer.write(raw[at : at + 1])
                await writer.drain()
                await asyncio.sleep(pause_seconds)


async def _flood(reply: Message, writer: asyncio.StreamWriter) -> None:
    """A body in chunks that has no end, until the caller hangs up."""
    head = reply.with_body(b"").with_field("transfer-encoding", None).head_bytes()
    writer.write(head.replace(b"content-length: 0", b"transfer-encoding: chunked"))
    for _ in range(FLOOD_BYTES_MAX // FLOOD_CHUNK_BYTES):
        writer.write(b"%x\r\n" % FLOOD_CHUNK_BYTES + b" " * FLOOD_CHUNK_BYTES + b"\r\n")
        await writer.drain()
