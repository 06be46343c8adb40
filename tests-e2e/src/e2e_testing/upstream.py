"""The proxy's way to the wallet, and the record of every request that reached the wallet, with its answer."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from e2e_testing.fault import Call
from e2e_testing.wire import Message, read_message

ANSWER_SECONDS_MAX = 60.0
NONCE = re.compile(r"(?:^|,)n=([0-9A-Za-z_-]{16,64})(?:,|$)")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that reached the wallet; `answer` is None where none came. Times are monotonic seconds."""

    call: Call
    sent_at: float
    answered_at: float
    answer: Message | None

    @property
    def nonce(self) -> str | None:
        found = NONCE.search(self.call.request.field("x-casino-signature") or "")
        return found[1] if found else None


class Upstream:
    """The casino: one process or several on one database."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = list(ports)
        self.sent: list[Call] = []
        """Requests whose last byte has left, answered or not."""
        self.deliveries: list[Delivery] = []
        self._turns = 0

    async def deliver(self, call: Call, raw: bytes) -> Message | None:
        """The wallet's answer, or None where it is dead or says nothing."""
        sent_at = time.monotonic()
        answer = await self._exchange(call, raw)
        self.deliveries.append(Delivery(call, sent_at, time.monotonic(), answer))
        return answer

    async def deliver_half(self, raw: bytes) -> None:
        """A request that is cut in the middle."""
        connection = await self._connect()
        if connection is not None:
            _, writer = connection
            writer.write(raw[: len(raw) // 2])
            await _drained(writer)
            writer.close()

    async def _exchange(self, call: Call, raw: bytes) -> Message | None:
        connection = await self._connect()
        if connection is None:
            return None
        reader, writer = connection
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                writer.write(raw)
                await writer.drain()
                self.sent.append(call)
                return await read_message(reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            # ValueError: not a message that this proxy understands, as after a request whose head was spoilt.
            return None
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection to the next process that takes one."""
        for _ in self.ports:
            self._turns += 1
            try:
                return await asyncio.open_connection("127.0.0.1", self.ports[self._turns % len(self.ports)])
            except OSError:
                continue
        return None


async def _drained(writer: asyncio.StreamWriter) -> None:
    try:
        await writer.drain()
    except OSError:
        return
