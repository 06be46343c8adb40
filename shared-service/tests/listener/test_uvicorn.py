"""The private names and code of uvicorn and httptools that sockets.py and processes.py depend on.

An upgrade that changes them fails here first.
"""

import inspect
import re

import httptools
import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState
from uvicorn.supervisors import Multiprocess

from shared_service.listener.joined_writes import JoinedWrites


def test_the_protocol_keeps_what_is_read_and_overridden() -> None:
    methods = {
        "connection_made", "connection_lost", "data_received", "eof_received", "shutdown", "on_message_begin", "on_url",
        "on_header", "on_headers_complete", "on_body", "on_message_complete", "on_response_complete",
        "_start_asgi_task", "_unset_keepalive_if_required",
    }  # fmt: skip
    assert methods <= set(vars(HttpToolsProtocol))
    source = inspect.getsource(HttpToolsProtocol)
    for name in (
        "app_state", "client", "cycle", "expect_100_continue", "flow", "headers", "loop", "parser", "pipeline",
        "scheme", "scope", "server_state", "timeout_keep_alive", "transport", "url",
    ):  # fmt: skip
        assert f"self.{name}" in source, name
    assert list(inspect.signature(HttpToolsProtocol._start_asgi_task).parameters) == ["self", "cycle", "app"]


def test_requests_are_queued_and_taken_as_they_are_here() -> None:
    """The newest request is on the left of the queue."""
    assert "self.pipeline.appendleft((self.cycle, app))" in inspect.getsource(HttpToolsProtocol.on_headers_complete)
    assert "cycle, app = self.pipeline.pop()" in inspect.getsource(HttpToolsProtocol.on_response_complete)


def test_headers_are_kept_as_they_are_here() -> None:
    """Our on_header replaces uvicorn's, because a call costs time per header. So uvicorn's must stay this code."""
    lines = [line.strip() for line in inspect.getsource(HttpToolsProtocol.on_header).splitlines()[1:]]
    assert lines == [
        "name = name.lower()",
        'if name == b"expect" and value.lower() == b"100-continue":',
        "self.expect_100_continue = True",
        "self.headers.append((name, value))",
    ]


def test_a_cycle_keeps_what_is_read_and_set() -> None:
    source = inspect.getsource(RequestResponseCycle.__init__)
    for name in (
        "scope", "message_event", "disconnected", "keep_alive", "waiting_for_100_continue", "more_body",
        "response_started", "response_complete",
    ):  # fmt: skip
        assert f"self.{name} = " in source, name


def test_a_cycle_uses_of_its_transport_what_joined_writes_has() -> None:
    used = set(re.findall(r"self\.transport\.(\w+)", inspect.getsource(RequestResponseCycle)))
    assert used <= {name for name in vars(JoinedWrites) if not name.startswith("_")}, used
    assert "self.transport = transport" in inspect.getsource(RequestResponseCycle.__init__)


def test_the_rest_is_where_it_was() -> None:
    assert {"connections", "default_headers"} <= set(vars(ServerState()))
    assert {"pause_reading", "resume_reading"} <= set(vars(FlowControl))
    assert all(name in inspect.getsource(FlowControl.__init__) for name in ("read_paused", "write_paused"))


def test_the_parser_stops_behind_the_head_of_an_offer() -> None:
    class Seen:
        def __init__(self) -> None:
            self.events: list[str] = []

        def on_headers_complete(self) -> None:
            self.events.append("head")

        def on_body(self, body: bytes) -> None:
            self.events.append(body.decode())

        def on_message_complete(self) -> None:
            self.events.append("complete")

    seen = Seen()
    head = b"POST / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\n"
    with pytest.raises(httptools.HttpParserUpgrade) as stop:
        httptools.HttpRequestParser(seen).feed_data(head + b"hi")
    assert stop.value.args == (len(head),)
    assert seen.events == ["head", "complete"]


def test_a_supervisor_keeps_what_is_read_and_overridden() -> None:
    assert "handle_hup" in vars(Multiprocess)
    source = inspect.getsource(Multiprocess)
    assert "self.should_exit = threading.Event()" in source
    assert "self.processes: list[Process] = []" in source
    assert "if process.exitcode == STARTUP_FAILURE:" in source
