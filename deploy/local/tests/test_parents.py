"""The stack leaves no process behind when its parent is killed or its terminal closes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from local_stack_testing.serving import READY_SECONDS, STOP_SECONDS, clean_environment, free_ports, is_alive
from shared_service_testing.waiting import wait_until

CHECKOUT = Path(__file__).parents[3]
BY_MAKE = ["make", "-C", str(CHECKOUT), "-o", ".venv/.runtime", "serve"]
BY_NOHUP = ["nohup", sys.executable, "-m", "local_stack", "serve"]


@contextmanager
def stack_of(
    command: list[str], folder: Path, *, workers: int = 1
) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """The process that was started, and every other one of the stack, ready."""
    ports = free_ports() | {"CASINO_WORKERS": str(workers)}
    output = folder / "output"
    with output.open("wb") as written:
        first = subprocess.Popen(
            command, env=clean_environment() | ports | {"STACK_STATE_DIR": str(folder / "state")}, cwd=folder,
            stdin=subprocess.DEVNULL, stdout=written, stderr=written, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(
            lambda: "ready: " in output.read_text() or first.poll() is not None, output.read_text, seconds=READY_SECONDS
        )
        assert first.poll() is None, output.read_text()
        others = [child.pid for child in psutil.Process(first.pid).children(recursive=True)]
        yield first, others
    finally:
        if first.poll() is None:
            first.terminate()
        first.wait(STOP_SECONDS)
        wait_until(lambda: not any(map(is_alive, others)), output.read_text, seconds=STOP_SECONDS)


def test_a_stack_ends_when_its_make_is_killed(tmp_path: Path) -> None:
    with stack_of(BY_MAKE, tmp_path, workers=2) as (make, others):
        assert len(others) > 5  # the stack itself, the casino and its workers, the provider, the server's processes
        make.kill()
        make.wait(STOP_SECONDS)
        wait_until(lambda: not any(map(is_alive, others)), "the others end", seconds=STOP_SECONDS)


def test_a_terminal_that_closes_ends_a_stack(tmp_path: Path) -> None:
    """A closing terminal sends SIGHUP to its process group."""
    with stack_of(BY_MAKE, tmp_path) as (make, others):
        os.killpg(make.pid, signal.SIGHUP)
        make.wait(STOP_SECONDS)
        wait_until(lambda: not any(map(is_alive, others)), "the others end", seconds=STOP_SECONDS)


def test_nohup_keeps_a_stack_when_the_terminal_closes(tmp_path: Path) -> None:
    with stack_of(BY_NOHUP, tmp_path) as (stack, others):
        os.killpg(stack.pid, signal.SIGHUP)
        with pytest.raises(AssertionError):
            wait_until(lambda: not all(map(is_alive, [stack.pid, *others])), "somebody ends", seconds=2)
