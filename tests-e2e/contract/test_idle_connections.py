"""Connections between the services that nobody uses for a while: the caller lets go of them long before the server.

Row B12. A server that closes a connection just as a request is written into it leaves the caller in doubt, and a bet in
doubt is rolled back: the player would see an error that nobody made. So the limits must never meet.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from e2e_testing.stack import StartStack
from local_stack.ports import free_port

CALLER_IDLE_SECONDS = 4.0
"""What both clients between the services keep a connection for."""
SERVER_SECONDS = 10.0
MARGIN_SECONDS = 2.0
CHUNK_BYTES = 65_536


@dataclass(slots=True)
class Carried:
    """One connection through a relay: how long the caller let it rest before it used it again, and who ended it."""

    longest_rest_seconds: float = 0.0
    requests: int = 0
    ended_by: str = ""
    answered_at: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Relay:
    """Passes bytes on unchanged, and remembers when. For connections on which one request follows its answer."""

    port: int
    target_port: int
    carried: list[Carried] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target_port))
                except OSError:  # whoever it is for is not up yet
                    caller.close()
                    continue
                entry = Carried()
                self.carried.append(entry)
                for source, sink, name in ((caller, server, "caller"), (server, caller, "server")):
                    threading.Thread(target=self._carry, args=(source, sink, name, entry), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket, name: str, entry: Carried) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                if name == "caller":
                    entry.requests += 1
                    entry.longest_rest_seconds = max(entry.longest_rest_seconds, time.monotonic() - entry.answered_at)
                else:
                    entry.answered_at = time.monotonic()
                sink.sendall(chunk)
        entry.ended_by = entry.ended_by or name
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()  # the other direction's thread closes the other end


@contextlib.contextmanager
def relay() -> Iterator[Relay]:
    """A relay whose target is set before the first connection."""
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        made = Relay(port=listener.getsockname()[1], target_port=0)
        threading.Thread(target=made.serve, args=(listener,), daemon=True).start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.slow
def test_no_caller_uses_a_connection_that_its_server_may_be_closing(start_stack: StartStack) -> None:
    with relay() as to_casino, relay() as to_provider:
        stack = start_stack(
            provider_settings={"CASINO_URL": f"http://127.0.0.1:{to_casino.port}"},
            casino_settings={"PROVIDER_URL": f"http://127.0.0.1:{to_provider.port}"},
        )
        to_casino.target_port, to_provider.target_port = stack.casino_process.port, stack.provider_process.port
        player = stack.open_player()
        for pause_seconds in (CALLER_IDLE_SECONDS - 0.5, SERVER_SECONDS + 0.5):
            assert stack.simulate(player).must_be_ok().content["passed"] is True
            time.sleep(pause_seconds)
        assert stack.simulate(player).must_be_ok().content["passed"] is True

    for hop in (to_casino, to_provider):
        used_again = [entry for entry in hop.carried if entry.requests > 1]
        assert used_again, "connections are kept while they are in use"
        for entry in used_again:
            assert entry.longest_rest_seconds < SERVER_SECONDS - MARGIN_SECONDS
    ended = [entry.ended_by for entry in to_casino.carried[:-1] if entry.ended_by]
    assert ended, "idle connections to the wallet end"
    assert set(ended) == {"caller"}, "and it is the provider that ends them"
