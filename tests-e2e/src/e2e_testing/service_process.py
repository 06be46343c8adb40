"""One service as a real operating-system process: start, wait until ready, stop, kill -9, restart, show its log.

Uses only a command line, an environment, ports, a log file and signals.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from local_stack.ports import free_port, is_taken
from shared_service_testing.waiting import wait_until

READY_SECONDS = 90.0
STOP_SECONDS = 60.0
"""Both only against waiting for ever: how fast a service is, a busy machine decides."""
POLL_SECONDS = 0.05
COMMAND_SECONDS = 120.0
LOG_TAIL_LINES = 120


def full_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What the process sees: nothing of the caller's own service settings, so that a test decides them all."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CASINO_", "PROVIDER_"))}
    return inherited | {"LOG_FORMAT": "console", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"} | dict(environment)


def run_command(
    package: str, command: str, environment: Mapping[str, str], *, seconds: float = COMMAND_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a one-shot command of a service (`migrate`, with its arguments) to its end, whatever it says."""
    return subprocess.run(
        [sys.executable, "-m", package, *command.split()],
        env=full_environment(environment),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def run_command_or_fail(package: str, command: str, environment: Mapping[str, str]) -> None:
    finished = run_command(package, command, environment)
    assert finished.returncode == 0, f"{package} {command} failed:\n{finished.stdout}\n{finished.stderr}"


@dataclass(slots=True)
class ServiceProcess:
    """`python -m <package> serve` on a fixed port; a restart keeps port, environment and log file."""

    package: str
    port: int
    environment: Mapping[str, str]
    log_path: Path
    ops_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    log_offset: int = 0
    log_file: IO[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def scheme(self) -> str:
        """Of the listener for the public; the one for operations has no TLS."""
        certificate = self.environment.get(f"{self.package.upper()}_TLS_CERT_FILE", "")
        return "https" if certificate.strip() else "http"

    @property
    def ops_url(self) -> str:
        """Where metrics and health figures are shown."""
        return f"http://127.0.0.1:{self.ops_port}"

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.package} is not running"
        return self.process.pid

    @property
    def cpu_seconds(self) -> float:
        """The time it has computed for, by the kernel's count; a process that stands still spends none."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def start(self) -> None:
        assert self.process is None, f"{self.package} is already running"
        prefix = self.package.upper()
        ports = {f"{prefix}_PORT": str(self.port), f"{prefix}_OPS_PORT": str(self.ops_port)}
        self.log_file = self.log_path.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.package, "serve"],
            env=full_environment({**self.environment, **ports}),
            stdout=self.log_file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"{self.package} ended with {self.process.returncode}:\n{self.log_tail()}")
            if self.is_ready():
                return
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"{self.package} was not ready in {READY_SECONDS} s:\n{self.log_tail()}")

    def is_ready(self) -> bool:
        try:
            # Whether its certificate is right is for tests to ask. To load authorities takes 15 ms for each probe.
            probe = httpx.get(f"{self.url}/health/ready", timeout=10.0, trust_env=False, verify=False)
            return probe.status_code == 200
        except httpx.TransportError:
            return False

    def kill_9(self) -> None:
        """Kill without a handler or a flush. Returns when no process listens on the ports any more.

        Workers outlive a killed supervisor for a moment: a restart would take their answers for its own.
        """
        self._end(signal.SIGKILL)
        wait_until(
            lambda: not any(map(is_taken, (self.port, self.ops_port))),
            lambda: f"a worker of the killed {self.package} still listens:\n{self.log_tail()}",
        )

    def stop(self) -> int:
        """Graceful stop; answers the exit code. One that does not stop in time is killed, and that is a failure."""
        return self._end(signal.SIGTERM)

    def hang(self) -> None:
        """It stands still until it is killed: its connections stay open, and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def restart(self) -> None:
        self.start()
        self.wait_until_ready()

    def log_tail(self) -> str:
        """The last lines of `log_since_mark`."""
        return "\n".join(self.log_since_mark().splitlines()[-LOG_TAIL_LINES:])

    def log_since_mark(self) -> str:
        """What was logged since `mark_log`, which is called before each test."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as log:
            log.seek(self.log_offset)
            return log.read().decode(errors="replace")

    def mark_log(self) -> None:
        self.log_offset = self.log_path.stat().st_size if self.log_path.exists() else 0

    def _end(self, how: signal.Signals) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(how)
        try:
            return process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=STOP_SECONDS)
            raise AssertionError(f"{self.package} did not stop in {STOP_SECONDS} s:\n{self.log_tail()}") from None
        finally:
            if self.log_file is not None:
                self.log_file.close()
