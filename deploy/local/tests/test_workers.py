"""Worker processes and their supervisor end together, whichever ends first."""

import signal
import sys
from pathlib import Path

import pytest

from local_stack_testing.service_start import DatabaseOf, demo_settings, run_to_its_end, started
from local_stack_testing.serving import is_alive
from local_stack_testing.strangers import strangers
from shared_service_testing.sampling import sampled
from shared_service_testing.waiting import wait_until

END_SECONDS = 60
WORKERS = ("--workers", "2")


@pytest.fixture
def casino_url(database_of: DatabaseOf) -> str:
    return database_of("casino")


@pytest.mark.parametrize("number", [signal.SIGKILL, *sampled([signal.SIGTERM, signal.SIGHUP], 1)])
def test_workers_end_with_their_supervisor(casino_url: str, number: signal.Signals, tmp_path: Path) -> None:
    with started("casino", casino_url, tmp_path / "log", arguments=WORKERS) as running:
        wait_until(lambda: len(running.workers()) == 2, "both workers serve", seconds=END_SECONDS)
        workers = running.workers()
        running.process.send_signal(number)
        running.process.wait(END_SECONDS)
        wait_until(lambda: not any(map(is_alive, workers)), lambda: running.said, seconds=END_SECONDS)
        assert running.answers("/health/live") == 0
        # A worker logs a graceful stop.
        assert running.said.count("service_stopped") == 2


@pytest.mark.parametrize("service", ["casino", "provider"])
def test_a_terminal_that_closes_stops_a_service_gracefully(
    service: str, database_of: DatabaseOf, tmp_path: Path
) -> None:
    with started(service, database_of(service), tmp_path / "log") as running:
        running.process.send_signal(signal.SIGHUP)
        running.process.wait(END_SECONDS)
        assert "Application shutdown complete" in running.said


def test_workers_that_cannot_start_end_their_supervisor_with_a_failure(casino_url: str, tmp_path: Path) -> None:
    settings = demo_settings("casino", casino_url) | {"CASINO_HOST": "203.0.113.9", "CASINO_WORKERS": "2"}
    assert run_to_its_end("casino", "serve", settings).returncode != 0


def test_a_worker_imports_nothing_from_the_current_folder(casino_url: str, tmp_path: Path) -> None:
    """It begins as `python -c`, which by itself looks there first."""
    program = [Path(sys.executable).with_name("casino")]
    with (
        strangers(tmp_path) as folder,
        started("casino", casino_url, tmp_path / "log", arguments=WORKERS, program=program, folder=folder) as running,
    ):
        wait_until(lambda: len(running.workers()) == 2, "both workers serve", seconds=END_SECONDS)
