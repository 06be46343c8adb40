"""Finds and ends the processes that a test run left behind, also those whose parents were killed.

A process belongs to a run when it inherited the run's mark in its environment. Linux only: elsewhere it finds nothing.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

MARK: Final = "LOCAL_STACK_TEST_RUN"
ENDING_SECONDS: Final = 20.0
"""A worker whose supervisor was killed ends within 15 s."""
LOOK_SECONDS: Final = 0.1
PROC: Final = Path("/proc")
OWN_TRACKER: Final = "multiprocessing.resource_tracker"
"""Python's own child of the tests' process, which ends with that process."""


def end_leftovers(run: str, *, patience_seconds: float = ENDING_SECONDS) -> list[str]:
    """Kill the run's processes that do not end by themselves in this time; returns a line for each."""
    deadline = time.monotonic() + patience_seconds
    while (left := leftovers(run)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return [f"{pid}: {command}" for pid, command in left.items()]


def leftovers(run: str) -> dict[int, str]:
    """The command lines of the processes with this run's mark, by pid; this process and its own helper are none."""
    mark = f"{MARK}={run}".encode()
    found: dict[int, str] = {}
    for folder in PROC.glob("[0-9]*"):
        pid = int(folder.name)
        try:
            if pid == os.getpid() or mark not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended, or is another account's
            continue
        if not (parent == os.getpid() and OWN_TRACKER in command):
            found[pid] = command
    return found
