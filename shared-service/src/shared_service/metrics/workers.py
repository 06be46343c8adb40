"""Combines the metrics of several worker processes on one page."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

SHARED_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The library's variable for the folder in which worker processes share their values."""
_LIVE_FILE: Final = re.compile(r"gauge_live\w+?_(\d+)\.db")


@contextlib.contextmanager
def shared_by_workers(workers: int, *, service: str) -> Iterator[None]:
    """Combine the metrics of worker processes that are started within the block. Does nothing for one worker."""
    if workers == 1:
        yield
        return
    try:
        made = TemporaryDirectory(prefix=f"{service}-metrics-")
    except OSError as error:
        sys.exit(f"{service}: the workers' metrics need a folder for temporary files: set TMPDIR ({error.strerror})")
    with made as directory:
        os.environ[SHARED_DIRECTORY] = directory
        try:
            yield
        finally:
            del os.environ[SHARED_DIRECTORY]


def render(registry: CollectorRegistry) -> bytes:
    """Renders the metrics of this process, or of all that share a folder. Slow: call it in a thread."""
    directory = os.environ.get(SHARED_DIRECTORY)
    if directory is None:
        return generate_latest(registry)
    _forget_dead_workers(Path(directory))
    shared = CollectorRegistry()
    MultiProcessCollector(shared, directory)  # type: ignore[no-untyped-call]
    return generate_latest(shared)


def _forget_dead_workers(directory: Path) -> None:
    """Remove the gauges of killed workers: they would be added to those of the running workers."""
    for file in directory.glob("gauge_live*.db"):
        named = _LIVE_FILE.fullmatch(file.name)
        if named and not _is_alive(int(named[1])):
            with contextlib.suppress(FileNotFoundError):  # another scrape was faster
                mark_process_dead(int(named[1]), str(directory))  # type: ignore[no-untyped-call]


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True
