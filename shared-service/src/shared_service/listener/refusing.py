"""Answers a malformed request with 400, after the answers to earlier requests of the connection."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import Any, Final, cast

import structlog

from shared_service.listener import heads
from shared_service.run.bounded_log import BoundedLog

log: Final = BoundedLog(structlog.get_logger())

DISCARDED_BYTES_MAX: Final = 1 << 20
"""Bytes that are still read after a refusal, see `_send_refusal`."""


class Refusing:
    """A base class for a uvicorn protocol. It uses that protocol's attributes."""

    transport: asyncio.Transport
    client: tuple[str, int] | None
    cycle: Any
    flow: Any
    pipeline: deque[Any]
    scheme: Any
    server_state: Any
    running: Any = None
    """The request that the application serves now; `cycle` is the newest request."""
    head_is_whole: bool = False
    """Whether the parser has the whole head of the present message. Its body and trailers follow."""
    overhead_bytes: int = 0
    """Bytes read since the last message ended, without bodies."""
    refusal: heads.Answer | None = None
    """The answer to a malformed request. Later bytes are discarded."""
    refusal_is_sent: bool = False
    peer_has_ended: bool = False

    @property
    def peer(self) -> str | None:
        """The peer's address, for the log."""
        return self.client[0] if self.client else None

    def _refuse(self, why: str, *, hint: str | None = None) -> None:
        """Answer a malformed request with 400, after the answers to earlier requests. `hint` is for the log."""
        if self.transport.is_closing():
            return
        request_id = secrets.token_hex(16)
        hints = {} if hint is None else {"hint": hint}
        log.info("request_refused", code=heads.MALFORMED, why=why, **hints, peer=self.peer, request_id=request_id)
        self.refusal = heads.malformed_answer(request_id)
        cycle = self.cycle
        if self.head_is_whole:  # the body of the newest request is malformed
            if cycle.response_started:
                self.transport.close()
                return
            disconnect(cycle)
            if cycle is not self.running:
                self.pipeline.popleft()
        running = self.running
        if running is None or running.response_complete or running.disconnected:
            self._send_refusal()

    def _send_refusal(self) -> None:
        """Send it, then wait until the peer closes: a peer that still sends could lose it if this side closed first."""
        self.refusal_is_sent, self.overhead_bytes = True, 0
        self._write(cast("heads.Answer", self.refusal))
        if self.peer_has_ended or self.scheme == "https":
            self.transport.close()
        else:
            self.transport.write_eof()
            self.flow.resume_reading()

    def _write(self, answer: heads.Answer, *, to_head: bool = False) -> None:
        self.transport.write(heads.bytes_of_answer(answer, self.server_state.default_headers, to_head=to_head))


def disconnect(cycle: Any) -> None:
    """Tell the application that the peer of this request has disconnected."""
    cycle.disconnected = True
    cycle.message_event.set()
