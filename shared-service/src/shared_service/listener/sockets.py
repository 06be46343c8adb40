"""The HTTP protocol of a connection: bounds, time limits, malformed requests, and answers from the head alone.

A subclass of uvicorn's protocol. Like slow_peers.py and refusing.py it uses private names of uvicorn; test_uvicorn.py
fails when one of them changes. See docs/decisions/0015-sockets.md and 0020-requests-as-bytes.md.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from shared_service.listener import heads
from shared_service.listener.connection_caps import CONNECTION_CAPS, ConnectionSlot, take_slot
from shared_service.listener.heads import EARLY_ANSWER, EarlyAnswer
from shared_service.listener.joined_writes import JoinedWrites
from shared_service.listener.refusing import DISCARDED_BYTES_MAX, Refusing, disconnect, log
from shared_service.listener.request_lines import RequestLines
from shared_service.listener.slow_peers import SlowPeer, sweep_regularly

OVERHEAD_BYTES_MAX: Final = 65_536
"""Bound on all bytes of a request but its body: head, chunk sizes and extensions, trailers. The parser has none."""
HEADERS_MAX: Final = 100
"""Even a short header takes memory."""
PIPELINED_MAX: Final = 32
"""Requests of a connection that may wait for an earlier answer. uvicorn has no bound for them."""
TLS_CLOSE_SECONDS: Final = 1.0
"""How long an idle TLS connection waits, at the stop, for its peer to close too. Many clients notice it only later."""


class TooFarAhead(Exception):  # noqa: N818 - an event, not a defect
    """A callback raises it to stop the parser: too many requests wait for their answers."""


class TimedProtocol(SlowPeer, Refusing, HttpToolsProtocol):
    """Waits at most uvicorn's `timeout_keep_alive` for its peer, for whatever it waits.

    Answers a malformed request with 400, after the earlier answers. Ignores trailers and offers to upgrade.
    """

    slot: ConnectionSlot | None = None  # with TLS it is taken before the handshake
    read_bytes: int = 0
    unfinished_bytes: int = 0
    """Bytes read of an incomplete message, at least."""
    slack_bytes: int = 0
    """The most bytes of this message that came in the same read as the end of the last one. They are not counted."""
    offer: tuple[bytes, str] | None = None
    """Method and version of a request that offers to upgrade. The parser stops after its head."""
    awaits_continue: RequestResponseCycle | None = None
    """The request whose peer waits for 100 Continue before it sends the body."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection and start sweeps. A connection above the caps is closed at once."""
        super().connection_made(transport)
        self.answers = JoinedWrites(transport, self.loop)
        self.lines = RequestLines()
        self.slot = self.slot or take_slot(self.app_state.get(CONNECTION_CAPS), transport, self.peer)
        if self.slot is not None:
            sweep_regularly(self.server_state, self.loop, self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request that is still served. uvicorn tells only the newest one, and the others would fail."""
        super().connection_lost(exc)
        if self.slot is not None:
            self.slot.leave()
        for cycle in (self.running, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                disconnect(cycle)
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, and count those that are not a body."""
        self.overhead_bytes += len(data)
        self.unfinished_bytes += len(data)
        cycle = self.cycle
        is_discarded = self.head_is_whole and cycle is not None and cycle.response_complete  # a body after its answer
        if self.slot is not None and not is_discarded and not self.slot.hold(len(data)):
            self._give_up()
            return
        if self.refusal is not None:
            if self.overhead_bytes > DISCARDED_BYTES_MAX:
                self.transport.abort()
            return
        self._unset_keepalive_if_required()
        self.read_bytes = len(data)
        self.lines.begin_read(data)
        try:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as stop:
                self._ignore_offers(memoryview(data)[stop.args[0] :])
        except HttpParserError as error:
            if isinstance(error.__context__, TooFarAhead):
                self.end("an end of requests")
            else:
                # The first bytes of a connection show another protocol. Later ones may be a body.
                self._refuse(heads.reason_of(error), hint=heads.hint_of(data) if self.cycle is None else None)
            return
        if self.overhead_bytes > OVERHEAD_BYTES_MAX:
            self._refuse("size of what is no body")
            return
        has_begun = self.cycle is None or self.scope is not self.cycle.scope
        kept_bytes = self.lines.end_read(is_in_body=self.head_is_whole, has_begun=has_begun)
        if kept_bytes and self.slot is not None and not self.slot.hold(kept_bytes):
            self._give_up()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The peer sends nothing more. Complete requests are still answered, but not with TLS."""
        newest = self.cycle
        if newest is None or self.refusal_is_sent or self.scheme == "https":
            return False
        self.peer_has_ended = True
        if self.refusal is not None:
            return True
        if newest.more_body and newest is not self.running:
            self.pipeline.popleft()
            newest = self.pipeline[0][0] if self.pipeline else cast("RequestResponseCycle", self.running)
        if newest.more_body or newest.response_complete:
            return False
        newest.keep_alive = False
        return True

    def shutdown(self) -> None:
        """As uvicorn's. A refused connection is closed at once."""
        if self.refusal_is_sent:
            self.transport.close()
        else:
            self.awaits_continue = None
            super().shutdown()
            if self.scheme == "https" and self.transport.is_closing():
                self.loop.call_later(TLS_CLOSE_SECONDS, self.transport.abort)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, and ignore a trailer. Replaces uvicorn's method, because calling it costs time per header."""
        name, value = name.lower(), value.rstrip(b" \t")  # white space around a value is not part of it
        if self.head_is_whole:
            if name in heads.NO_TRAILERS:
                raise heads.Malformed("trailer")
            return
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers = self.headers
        headers.append((name, value))
        if len(headers) > HEADERS_MAX:
            raise heads.Malformed("number of headers")

    def on_headers_complete(self) -> None:
        """The head is complete: check it and begin to serve the request."""
        parser = self.parser
        method, version = parser.get_method(), parser.get_http_version()
        fault = heads.fault_of_head(version=version, method=method, target=self.url, headers=self.headers)
        if fault is None and not self.lines.began_with(method, self.url, version):
            fault = "request line"
        if fault is not None:
            raise heads.Malformed(fault)
        if version == "1.0":
            self.expect_100_continue = False  # a client of HTTP/1.0 would read a 100 as the answer
        if parser.should_upgrade():
            self.offer = method, version
            return
        if (
            self.overhead_bytes + self.slack_bytes > OVERHEAD_BYTES_MAX
            and heads.size_of_head(self.url, self.headers) > OVERHEAD_BYTES_MAX
        ):
            raise heads.Malformed("size of the head")
        if len(self.pipeline) >= PIPELINED_MAX:
            raise TooFarAhead
        self.head_is_whole = True
        if self.slot is not None:
            self.slot.hold_request(len(self.headers))
        super().on_headers_complete()
        if self.expect_100_continue and self.cycle.keep_alive:
            # After a refusal the peer may send the body or not, so the connection must be closed.
            self.cycle.keep_alive, self.awaits_continue = False, self.cycle

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self.lines.pass_chunk()

    def on_body(self, body: bytes) -> None:
        """A part of a body was received."""
        self.overhead_bytes -= len(body)
        self.lines.pass_body(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        if self.offer is not None:
            return  # only its head
        self.overhead_bytes = 0
        self.slack_bytes = self.unfinished_bytes = self.read_bytes
        self.head_is_whole = False
        if self.awaits_continue is not None:
            self.awaits_continue.keep_alive = not self.awaits_continue.response_started
            self.awaits_continue = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer was sent: begin the next one, or send the refusal."""
        self.answers.flush()  # the answer to HEAD has no body
        if self.refusal is not None and not self.pipeline and not self.transport.is_closing():
            self._send_refusal()
        else:
            super().on_response_complete()
        if self.slot is not None and not self.pipeline and self.cycle is not None and self.cycle.response_complete:
            self.slot.settle(self.unfinished_bytes)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        cycle.transport = cast("asyncio.Transport", self.answers)
        if not self._answer_early(cycle):
            super()._start_asgi_task(cycle, app)

    def _answer_early(self, cycle: RequestResponseCycle) -> bool:
        early_answer: EarlyAnswer | None = self.app_state.get(EARLY_ANSWER)
        if early_answer is None or not cycle.keep_alive or cycle.waiting_for_100_continue or self.flow.write_paused:
            return False  # uvicorn's code closes, sends 100 Continue, and waits for a peer that does not read
        answer = early_answer(cast("Scope", cycle.scope))
        if answer is None:
            return False
        cycle.response_started = cycle.response_complete = True
        self._write(answer, to_head=cycle.scope["method"] == "HEAD")
        self.on_response_complete()
        return True

    def _give_up(self) -> None:
        """Close a connection that holds more memory than its share while all together hold too much."""
        log.warning("connection_refused", code="memory", peer=self.peer)
        self.transport.abort()

    def _ignore_offers(self, rest: memoryview) -> None:
        """Parse the head again without its offer, and then the bytes after it."""
        while self.offer is not None:
            (method, version), self.offer = self.offer, None
            self.parser = HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
            head = heads.head_without_offer(method, self.url, version, self.headers)
            self.lines.begin_read(head)
            self.parser.feed_data(head)
            self.lines.begin_read(bytes(rest))
            try:
                self.parser.feed_data(rest)
            except HttpParserUpgrade as stop:
                rest = rest[stop.args[0] :]
