"""Answers a malformed request with 400, after the answers that are owed to those before it."""

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
"""What is still read after a refusal, see `_send_refusal`."""


class Refusing:
    """A base of a protocol of uvicorn, whose attributes it uses."""

    transport: asyncio.Transport
    client: tuple[str, int] | None
    cycle: Any
    flow: Any
    pipeline: deque[Any]
    scheme: Any
    server_state: Any
    running: Any = None
    """The request that is being served; `cycle` is the newest one."""
    head_is_whole: bool = False
    """Of the message that is being parsed: what follows are its body and its trailers."""
    overhead_bytes: int = 0
    """Read since the last message ended, without bodies."""
    refusal: heads.Answer | None = None
    """The answer to a malformed request. Nothing that comes after that is read."""
    refusal_is_sent: bool = False
    peer_has_ended: bool = False

    @property
    def peer(self) -> str | None:
        """The peer's address, for the log."""
        return self.client[0] if self.client else None

    def _refuse(self, reason: str) -> None:
        """Answer that a request is malformed, after the answers that are owed to those before it."""
        if self.transport.is_closing():
            return
        request_id = secrets.token_hex(16)
        log.info("request_refused", code=heads.MALFORMED, reason=reason, peer=self.peer, request_id=request_id)
        self.refusal = heads.malformed_answer(request_id)
        cycle = self.cycle
        if self.head_is_whole:  # it is the newest request's body that is malformed
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
        """Send it and wait until the peer closes: closing first could take it away from a peer that still sends."""
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
    """Tell whoever serves a request that its peer is gone."""
    cycle.disconnected = True
    cycle.message_event.set()
