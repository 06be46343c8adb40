"""Runs one service, or one of its commands, as a child process. It imports no service."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from local_stack.child import last_lines, start_child

COMMAND_TIMEOUT_SECONDS = 120
READY_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 15
POLL_SECONDS = 0.05
PROBE_TIMEOUT_SECONDS = 2


class ServiceFailedError(RuntimeError):
    """A service or command ended, or did not become ready. The text ends with the last lines of its log."""


class Command:
    """A command of a service, such as a migration, running in the background."""

    def __init__(self, service: str, command: str, *, environment: Mapping[str, str], log_path: Path) -> None:
        self._name = f"{service} {command}"
        self._log_path = log_path
        self._child = start_child(
            [sys.executable, "-P", "-m", service, command], log_path, environment=environment, dies_with=signal.SIGTERM
        )

    def wait(self) -> None:
        try:
            code = self._child.wait(COMMAND_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
            raise ServiceFailedError(f"{self._name} took over {COMMAND_TIMEOUT_SECONDS} s{self._said()}") from None
        if code != 0:
            raise ServiceFailedError(f"{self._name} ended with {code}{self._said()}")

    def stop(self) -> None:
        """Kill the command if it still runs. Postgres rolls back the transaction of a killed migration."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()

    def _said(self) -> str:
        return f":\n{last_lines(self._log_path)}"


class Service:
    """A serving service."""

    def __init__(self, name: str, url: str, *, environment: Mapping[str, str], log_path: Path) -> None:
        self.name = log_path.stem
        self.url = url
        self.log_path = log_path
        # The service gets SIGKILL when this process is killed; a crash loses no committed data.
        self._child = start_child([sys.executable, "-P", "-m", name, "serve"], log_path, environment=environment)

    @property
    def pid(self) -> int:
        return self._child.pid

    def require_alive(self) -> None:
        if (code := self._child.poll()) is not None:
            raise ServiceFailedError(f"{self.name} ended with {code}:\n{last_lines(self.log_path)}")

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        # Do not verify the certificate: its host need not be the loopback address.
        plain = self.url.startswith("http:")
        with httpx.Client(timeout=PROBE_TIMEOUT_SECONDS, trust_env=False, verify=plain) as client:
            while not self._is_ready(client):
                self.require_alive()
                if time.monotonic() > deadline:
                    raise ServiceFailedError(
                        f"{self.name} was not ready in {READY_TIMEOUT_SECONDS} s:\n{last_lines(self.log_path)}"
                    )
                time.sleep(POLL_SECONDS)

    def _is_ready(self, client: httpx.Client) -> bool:
        try:
            return client.get(f"{self.url}/health/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after STOP_TIMEOUT_SECONDS."""
        if self._child.poll() is None:
            self._child.terminate()
        try:
            self._child.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
