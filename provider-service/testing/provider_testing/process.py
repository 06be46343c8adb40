"""Runs the provider in its own process, so that a test can kill it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

from local_stack.ports import free_port

START_SECONDS = 60
STOP_SECONDS = 60
# Only the variables that the child needs to run the same sources as the test.
SAME_PROGRAMS = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
PROVIDER = [sys.executable, "-m", "provider"]
# A busy machine needs longer for a connection than the product waits.
PATIENT_PROVIDER = [
    sys.executable,
    "-c",
    "from provider import __main__; from provider.sql import schema; schema.POOL_WAIT_SECONDS = 60;"
    " __main__.main(prog_name='provider')",
]
QUICK = {
    "PROVIDER_LEASE_MARGIN_SECONDS": "0.3",
    "PROVIDER_OUTBOX_INTERVAL_SECONDS": "0.1",
    "PROVIDER_RETRY_FIRST_SECONDS": "0.1",
    "PROVIDER_RECONCILE_AT": "off",
}


def environment(database_url: str, wallet_url: str, **changed: str) -> dict[str, str]:
    """The environment of a provider in demo mode."""
    return {
        **SAME_PROGRAMS,
        "PROVIDER_DATABASE_URL": database_url,
        "CASINO_URL": wallet_url,
        "PROVIDER_DEMO": "1",
        "PYTHONUNBUFFERED": "1",
        **QUICK,
        **changed,
    }


class ProviderProcess:
    """`provider serve` on a free port, ready when the constructor returns."""

    def __init__(self, database_url: str, wallet_url: str, log_path: Path, **changed: str) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.log_path = log_path
        with log_path.open("ab") as log:
            self._child = subprocess.Popen(
                [*PATIENT_PROVIDER, "serve"],
                env=environment(
                    database_url, wallet_url, PROVIDER_PORT=str(self._port), PROVIDER_OPS_PORT="0", **changed
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_until_ready()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL, like a power cut."""
        self._child.kill()
        self._child.wait(STOP_SECONDS)

    def pause(self) -> None:
        """SIGSTOP, like a suspended machine."""
        self._child.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT, after a pause."""
        self._child.send_signal(signal.SIGCONT)

    def terminate(self) -> int:
        """SIGTERM, and wait; returns the exit status."""
        self.ask_to_end()
        return self._child.wait(STOP_SECONDS)

    def ask_to_end(self) -> None:
        """SIGTERM, without waiting."""
        self._child.send_signal(signal.SIGTERM)

    def listens(self) -> bool:
        """Whether it accepts new connections."""
        try:
            socket.create_connection(("127.0.0.1", self._port), STOP_SECONDS).close()
        except ConnectionRefusedError:
            return False
        return True

    def resident_mib(self) -> float:
        """The memory that the process holds."""
        return psutil.Process(self._child.pid).memory_info().rss / 2**20

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(trust_env=False, verify=False) as client:
            while True:
                assert self._child.poll() is None, self.log_path.read_text()
                assert time.monotonic() < deadline, self.log_path.read_text()
                try:
                    if client.get(f"{self.url}/health/ready").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.03)
