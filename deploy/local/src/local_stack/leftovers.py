"""Finds and kills processes that a test run left behind, also orphans.

They are found by a variable that they inherit from the run's environment. Linux only; elsewhere it finds nothing.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

MARK: Final = "LOCAL_STACK_TEST_RUN"
ENDING_SECONDS: Final = 20.0
"""Longer than a worker needs to end after its supervisor was killed (15 s)."""
LOOK_SECONDS: Final = 0.1
PROC: Final = Path("/proc")
OWN_TRACKER: Final = "multiprocessing.resource_tracker"
"""A helper process that Python starts; it ends with the process of the tests."""


def end_leftovers(run: str, *, patience_seconds: float = ENDING_SECONDS) -> list[str]:
    """Wait for the run's processes to end, then kill the rest; returns a line for each killed one."""
    deadline = time.monotonic() + patience_seconds
    while (left := leftovers(run)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return [f"{pid}: {command}" for pid, command in left.items()]


def leftovers(run: str) -> dict[int, str]:
    """Command lines of the run's processes by pid, without this process and Python's helper."""
    mark = f"{MARK}={run}".encode()
    found: dict[int, str] = {}
    for folder in PROC.glob("[0-9]*"):
        pid = int(folder.name)
        try:
            if pid == os.getpid() or mark not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended, or belongs to another account
            continue
        if not (parent == os.getpid() and OWN_TRACKER in command):
            found[pid] = command
    return found
