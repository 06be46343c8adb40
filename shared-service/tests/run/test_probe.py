"""A container's health check calls the address that the service listens on."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from shared_service.run.probe import is_ready


@contextmanager
def answering(host: str, status: int) -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/ready" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    class Server(HTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    with Server((host, 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("listens", "setting"),
    [("127.0.0.1", ""), ("127.0.0.1", "0.0.0.0"), ("127.0.0.2", "127.0.0.2"), ("::1", "::1"), ("::1", "[::]")],
)
def test_it_asks_where_the_service_listens(listens: str, setting: str) -> None:
    with answering(listens, 200) as port:
        assert is_ready("SERVICE", 1, {"SERVICE_HOST": setting, "SERVICE_PORT": str(port)})
        assert is_ready("SERVICE", port, {"SERVICE_HOST": setting, "SERVICE_PORT": "tcp://10.0.0.1:1"})
    assert not is_ready("SERVICE", port, {"SERVICE_HOST": setting})


def test_a_service_that_is_not_ready_is_not() -> None:
    with answering("127.0.0.1", 503) as port:
        assert not is_ready("SERVICE", port, {})


@pytest.mark.parametrize(("port", "status"), [("0", 1), ("many", 2)])
def test_the_command_ends_with_a_status_and_no_traceback(port: str, status: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "shared_service.run.probe", "SERVICE", "8000"],
        env={"SERVICE_PORT": port}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == status
    assert "Traceback" not in ended.stderr
