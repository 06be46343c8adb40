"""Runs `python -m local_stack serve` for tests."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_stack.ports import free_port
from shared_service_testing.waiting import wait_until

READY_SECONDS = 150
STOP_SECONDS = 100


def clean_environment() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("CASINO_", "PROVIDER_", "STACK_"))
    }


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass(frozen=True, slots=True)
class Serving:
    process: subprocess.Popen[bytes]
    output_path: Path
    environment: dict[str, str]

    @property
    def output(self) -> str:
        return self.output_path.read_text()

    @property
    def state(self) -> Path:
        return Path(self.environment["STACK_STATE_DIR"])

    def children(self) -> dict[str, int]:
        """The long-running programs by name: casino, provider, postgres."""
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in pids}
        return {(Path(words[0].decode()).name if b"-m" not in words else words[words.index(b"-m") + 1].decode()): pid
                for pid, words in commands.items()}  # fmt: skip

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return run_command(command, self.environment)


def run_command(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_stack", *command.split()],
        env=environment, capture_output=True, text=True, timeout=READY_SECONDS, check=False,
    )  # fmt: skip


def free_ports() -> dict[str, str]:
    """A port for each listener of both pairs."""
    kinds = ("", "_OPS", "_2", "_2_OPS")
    return {f"{service}{kind}_PORT": str(free_port()) for service in ("CASINO", "PROVIDER") for kind in kinds}


@contextmanager
def serving(state_dir: Path, *, peers: int = 1, **settings: str) -> Iterator[Serving]:
    """Context manager: a ready stack on free ports. It is killed after the block if it still runs."""
    environment = clean_environment() | free_ports() | {"STACK_STATE_DIR": str(state_dir)} | settings
    output_path = state_dir.with_name(f"{state_dir.name}-output.txt")
    with output_path.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_stack", "serve", "--peers", str(peers)],
            env=environment,
            stdout=output,
            stderr=output,
        )
    running = Serving(process, output_path, environment)
    try:
        wait_until(
            lambda: "ready: " in running.output or process.poll() is not None,
            lambda: running.output,
            seconds=READY_SECONDS,
        )
        assert process.poll() is None, running.output
        yield running
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
