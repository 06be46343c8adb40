"""Starts one service on a migrated database, as an operator does, for tests."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from local_stack.ports import free_port
from local_stack.testing import database_urls
from shared_service_testing.waiting import wait_until

START_SECONDS = 150
"""Only a bound: a busy machine with all checks of Python takes more than a minute."""
DatabaseOf = Callable[[str], str]
"""Fixture `database_of`: the URL of a migrated database of a service, which the test has for itself."""
SAME_PROGRAMS = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}


class Started:
    def __init__(self, process: subprocess.Popen[bytes], url: str, ops_url: str, log_path: Path) -> None:
        self.process = process
        self.url = url
        self.ops_url = ops_url
        self._log_path = log_path

    @property
    def said(self) -> str:
        return self._log_path.read_text(errors="replace")

    def answers(self, path: str) -> int:
        """The status of the answer; 0 when the service does not listen."""
        try:
            url = self.ops_url if path == "/metrics" else self.url
            return httpx.get(url + path, trust_env=False, verify=False, timeout=START_SECONDS).status_code
        except httpx.TransportError:
            return 0

    def workers(self) -> set[int]:
        children = psutil.Process(self.process.pid).children()
        return {child.pid for child in children if "spawn_main" in " ".join(child.cmdline())}


def demo_settings(service: str, database_url: str) -> dict[str, str]:
    ops = {"CASINO_OPS_PORT": "0", "PROVIDER_OPS_PORT": "0"}
    return ops | {"CASINO_DEMO": "1"} | database_urls(service, database_url)


def run_to_its_end(service: str, command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", service, command], env=SAME_PROGRAMS | environment,
        capture_output=True, text=True, errors="replace", timeout=START_SECONDS, check=False,
    )  # fmt: skip


def prepare(service: str, database_url: str, **variables: str) -> None:
    """Migrate an empty database, and add the data that the service needs."""
    for command in ["migrate"] + (["seed-demo"] if service == "casino" else []):
        done = run_to_its_end(service, command, variables | demo_settings(service, database_url))
        assert done.returncode == 0, done.stderr


@contextmanager
def started(
    service: str, database_url: str, log_path: Path, *, arguments: tuple[str, ...] = (),
    program: Sequence[str | Path] | None = None, folder: Path | None = None, **variables: str,
) -> Iterator[Started]:  # fmt: skip
    """Context manager: the service is ready in the block. After it, service and workers are killed.

    `program` is run in place of `python -m <service>`, and in this folder.
    """
    port, ops_port = free_port(), free_port()
    environment = SAME_PROGRAMS | variables | demo_settings(service, database_url)
    environment |= {f"{service.upper()}_PORT": str(port), f"{service.upper()}_OPS_PORT": str(ops_port)}
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*(program or (sys.executable, "-m", service)), "serve", *arguments], env=environment, cwd=folder,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    running = Started(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{ops_port}", log_path)
    try:
        wait_until(
            lambda: running.answers("/health/ready") == 200 or process.poll() is not None,
            lambda: running.said,
            seconds=START_SECONDS,
        )
        assert process.poll() is None, running.said
        yield running
    finally:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.wait(START_SECONDS)
