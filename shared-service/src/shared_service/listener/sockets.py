"""The server's side of a socket: what it takes from a peer, how long it waits for it, and answers without a task.

A subclass of uvicorn's protocol. Like slow_peers.py and refusing.py it uses names that uvicorn does not promise;
test_uvicorn.py notices when one of them changes. See docs/decisions/0015-sockets.md and 0020-requests-as-bytes.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from shared_service.listener import heads
from shared_service.listener.connection_caps import Place, take_place
from shared_service.listener.refusing import DISCARDED_BYTES_MAX, Refusing, disconnect, log
from shared_service.listener.request_lines import RequestLines
from shared_service.listener.slow_peers import SlowPeer, sweep_regularly

OVERHEAD_BYTES_MAX: Final = 65_536
"""Of all that is not the body of a request: head, chunk sizes and extensions, trailers. The parser has no bound."""
HEADERS_MAX: Final = 100
"""Each takes memory, however short it is."""
PIPELINED_MAX: Final = 32
"""Requests that may be sent before the one in front is answered; uvicorn would queue them without end."""
GOODBYE_SECONDS: Final = 1.0
"""With TLS a peer is to end its side too. Many clients look at an idle connection only when they need it."""
EARLY_ANSWER: Final = "early_answer"
"""Where in the state of the lifespan an application may leave its `EarlyAnswer`."""
CONNECTION_CAPS: Final = "connection_caps"
"""Where in the state of the lifespan an application may leave its `ListenerCaps`."""
EarlyAnswer = Callable[[Scope], heads.Answer | None]
"""The answer to a request of which only the head is known; None: the application is called."""


class TooFarAhead(Exception):  # noqa: N818 - an event, not a defect
    """Stops the parser: too many requests wait for their answers."""


class PatientProtocol(SlowPeer, Refusing, HttpToolsProtocol):
    """Waits for its peer as long as uvicorn's `timeout_keep_alive` says, whatever it waits for.

    A request that is not well-formed is answered with 400, after the answers to those before it. An offer to
    upgrade is ignored. Trailers are dropped.
    """

    place: Place | None = None  # with TLS it is taken before the handshake
    read_bytes: int = 0
    unfinished_bytes: int = 0
    """At least what was read of a message that is not whole."""
    slack_bytes: int = 0
    """At most so much of the message was read together with the end of the one before it, and not counted."""
    offer: tuple[bytes, str] | None = None
    """Method and version of a request that offers to upgrade: the parser stops behind its head."""
    invited: RequestResponseCycle | None = None
    """Whose peer waits to be invited before it sends the body."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection is open, and looked at from now on; one too many is closed at once."""
        super().connection_made(transport)
        self.lines = RequestLines()
        self.place = self.place or take_place(self.app_state.get(CONNECTION_CAPS), transport, self.peer)
        if self.place is not None:
            sweep_regularly(self.server_state, self.loop, self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever is still at work on it; uvicorn tells the newest request only, and the others fail loudly."""
        super().connection_lost(exc)
        if self.place is not None:
            self.place.leave()
        for cycle in (self.running, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                disconnect(cycle)
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        """Bytes have come. All that is no body is counted."""
        self.overhead_bytes += len(data)
        self.unfinished_bytes += len(data)
        cycle = self.cycle
        is_discarded = self.head_is_whole and cycle is not None and cycle.response_complete  # a body after its answer
        if self.place is not None and not is_discarded and not self.place.hold(len(data)):
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
                self._refuse(heads.reason_of(error))
            return
        if self.overhead_bytes > OVERHEAD_BYTES_MAX:
            self._refuse("size of what is no body")
            return
        has_begun = self.cycle is None or self.scope is not self.cycle.scope
        kept_bytes = self.lines.end_read(is_in_body=self.head_is_whole, has_begun=has_begun)
        if kept_bytes and self.place is not None and not self.place.hold(kept_bytes):
            self._give_up()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The peer sends nothing more. Whole requests are still answered; with TLS the transport cannot do that."""
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
        """As uvicorn's; a connection that was refused has nothing to wait for."""
        if self.refusal_is_sent:
            self.transport.close()
        else:
            self.invited = None
            super().shutdown()
            if self.scheme == "https" and self.transport.is_closing():
                self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. A trailer comes here too, and nothing may depend on it. uvicorn's, without a call of it."""
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
        """A head is whole: begin to serve it, unless something is wrong with it."""
        parser = self.parser
        method, version = parser.get_method(), parser.get_http_version()
        fault = heads.fault_of_head(version=version, method=method, target=self.url, headers=self.headers)
        if fault is None and not self.lines.is_sent(method, self.url, version):
            fault = "request line"
        if fault is not None:
            raise heads.Malformed(fault)
        if version == "1.0":
            self.expect_100_continue = False  # a client of HTTP/1.0 takes a 100 for the answer
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
        if self.place is not None:
            self.place.hold_request(len(self.headers))
        super().on_headers_complete()
        if self.expect_100_continue and self.cycle.keep_alive:
            # Refused without its body, the peer may send the body or not: only the end of the connection is clear.
            self.cycle.keep_alive, self.invited = False, self.cycle

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self.lines.pass_chunk()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self.overhead_bytes -= len(body)
        self.lines.pass_body(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self.offer is not None:
            return  # its head alone
        self.overhead_bytes = 0
        self.slack_bytes = self.unfinished_bytes = self.read_bytes
        self.head_is_whole = False
        if self.invited is not None:
            self.invited.keep_alive, self.invited = not self.invited.response_started, None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is out: the next one is begun, or the connection is refused."""
        if self.refusal is not None and not self.pipeline and not self.transport.is_closing():
            self._send_refusal()
        else:
            super().on_response_complete()
        if self.place is not None and not self.pipeline and self.cycle is not None and self.cycle.response_complete:
            self.place.settle(self.unfinished_bytes)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        if not self._answer_early(cycle):
            super()._start_asgi_task(cycle, app)

    def _answer_early(self, cycle: RequestResponseCycle) -> bool:
        early_answer: EarlyAnswer | None = self.app_state.get(EARLY_ANSWER)
        if early_answer is None or not cycle.keep_alive or cycle.waiting_for_100_continue or self.flow.write_paused:
            return False  # the usual way closes, invites a body, and waits for a peer that does not read
        answer = early_answer(cast("Scope", cycle.scope))
        if answer is None:
            return False
        cycle.response_started = cycle.response_complete = True
        self._write(answer, to_head=cycle.scope["method"] == "HEAD")
        self.on_response_complete()
        return True

    def _give_up(self) -> None:
        """End a connection that holds more memory than its share while all together hold too much."""
        log.warning("connection_refused", code="memory", peer=self.peer)
        self.transport.abort()

    def _ignore_offers(self, rest: memoryview) -> None:
        """Let a new parser read the head without its offer, and then what follows it."""
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
