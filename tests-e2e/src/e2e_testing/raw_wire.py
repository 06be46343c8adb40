"""A raw connection to a service, for what no HTTP client would send, and a stack that is quick to give its peers up."""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from e2e_testing.service_process import ServiceProcess

LIMIT_SECONDS = 2
"""How long the services of these tests wait for their peers: longer than a busy machine lets a process stand still."""
PATIENCE_SECONDS = 30.0
"""Only against waiting for ever: that a connection ends is asserted, and that it did not end at once; not when."""
SERVICES = ("casino", "provider")
PATHS = {"casino": ("/casino/debit", "/casino/launchGame"), "provider": ("/provider/launch", "/provider/simulate")}
HOSTILE_MEGABYTES = 64


@dataclass(slots=True)
class Wire:
    """A raw connection to a service."""

    raw: socket.socket
    opened_at: float

    def send(self, data: bytes) -> None:
        self.raw.sendall(data)

    def read_to_the_end(self) -> bytes:
        """What the service says until it closes. Fails when it does not."""
        self.raw.settimeout(PATIENCE_SECONDS)
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while part := self.raw.recv(65_536):
                said += part
        return said

    def read_answer(self) -> bytes:
        """One answer with a length; the connection stays open. Raises ConnectionError when the service ends it."""
        self.raw.settimeout(PATIENCE_SECONDS)
        said = b""
        while b"\r\n\r\n" not in said:
            said += self._read_some()
        head, _, body = said.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self._read_some()
        return head + b"\r\n\r\n" + body

    def _read_some(self) -> bytes:
        part = self.raw.recv(65_536)
        if not part:
            raise ConnectionResetError("the service ended the connection in place of an answer")
        return part

    def send_until_refused(self, data: bytes, *, bytes_max: int, pause_seconds: float = 0.0) -> int:
        """Send again and again; answers how many bytes went before the service ended it. Fails when it does not."""
        self.raw.settimeout(PATIENCE_SECONDS)
        for sent in range(0, bytes_max, len(data)):
            try:
                self.send(data)
            except (ConnectionResetError, BrokenPipeError):
                return sent
            time.sleep(pause_seconds)
        raise AssertionError(f"{bytes_max} bytes were taken")

    @property
    def age_seconds(self) -> float:
        return time.monotonic() - self.opened_at


@contextlib.contextmanager
def connected(service: ServiceProcess, *, port: int | None = None) -> Iterator[Wire]:
    """To the port for the public, unless another one is given."""
    opened_at = time.monotonic()  # before the service can begin to wait
    with socket.create_connection(("127.0.0.1", port or service.port), timeout=PATIENCE_SECONDS) as raw:
        yield Wire(raw, opened_at)


def head_of(path: str, *fields: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: x", "content-type: application/json", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def timed_out_lines(service: ServiceProcess) -> list[str]:
    return [line for line in service.log_tail().splitlines() if "connection_timed_out" in line]


def resident_mebibytes(service: ServiceProcess) -> float:
    status = Path(f"/proc/{service.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
