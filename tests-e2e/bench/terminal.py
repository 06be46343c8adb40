"""A run of the bench at a terminal: progress as it goes, the table and the count of met targets at the end."""

import sys
import time
from collections.abc import Callable
from typing import Final

from rich.console import Console

from bench.measurements import Progress
from bench.report import Report, show

PLAIN_WIDTH: Final = 150
"""Columns of the table where nobody's window says."""


def run_at_terminal(measure: Callable[[Progress], Report], write: Callable[[Report], None] | None) -> None:
    """Measure, show what was measured, and write its page if there is one to write."""
    started = time.monotonic()

    def progress(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    report = measure(progress)
    show(report, Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH))
    if write is not None:
        write(report)
        progress("the page in docs was written")
    met = sum(target.met for target in report.targets)
    progress(f"{met} of {len(report.targets)} targets met")
