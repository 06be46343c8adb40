"""A false wall clock for one process, by preloading libfaketime (Debian package `faketime`)."""

import glob
from dataclasses import dataclass
from pathlib import Path

import pytest

LIBRARIES = "/usr/lib/*/faketime/libfaketime.so.1"


@dataclass(frozen=True, slots=True)
class FalseClock:
    """What the wall clock of a process is off by; it may be changed while the process runs."""

    library: str
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": self.library,
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
        }

    def step(self, off_seconds: int) -> None:
        """From now on the process is this far ahead of the true time."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{off_seconds:+d}\n")
        fresh.replace(self.file)


def false_clock(folder: Path, off_seconds: int = 0) -> FalseClock:
    """A clock to step; skips the test where the library is not installed."""
    found = glob.glob(LIBRARIES)
    if not found:
        pytest.skip("libfaketime is not installed: apt-get install faketime")
    clock = FalseClock(found[0], folder / "false-clock")
    clock.step(off_seconds)
    return clock
