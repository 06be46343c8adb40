"""A peer that takes connections and never answers, and calls to it that are always in flight."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from e2e_testing.answers import Answer
from shared_service_testing.waiting import wait_until

CALLS = 12
PAUSE_SECONDS = 0.05


class HungListener:
    """Takes connections and reads them, and never answers. `asked` counts the requests."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.asked = 0
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._held.append(connection)
            self.asked += 1

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._held:
            connection.close()


@contextmanager
def hung_listener() -> Iterator[HungListener]:
    listener = HungListener()
    try:
        yield listener
    finally:
        listener.close()


@contextmanager
def calls_in_flight(call: Callable[[int], Answer], hung: HungListener) -> Iterator[list[Answer]]:
    """Makes the call again and again on many threads while the block runs; yields the answers so far."""
    over, answers = threading.Event(), []

    def go_on(number: int) -> None:
        while not over.is_set():
            answers.append(call(number))
            over.wait(PAUSE_SECONDS)

    with ThreadPoolExecutor(CALLS) as threads:
        running = [threads.submit(go_on, number) for number in range(CALLS)]
        try:
            wait_until(lambda: hung.asked, "nobody called the peer that hangs")
            yield answers
        finally:
            over.set()
    for each in running:
        each.result()
