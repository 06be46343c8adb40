"""/metrics of a service with several worker processes: one scrape shows all of them, also after one was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import psutil
import pytest

from casino_testing.scrape import Scrape, read
from casino_testing.service import login_url
from casino_testing.tenant import Tenant
from local_stack.ports import free_port
from shared_service_testing.waiting import wait_until

WORKERS: Final = 3
WAIT_SECONDS: Final = 60.0
ASKED: Final = 60
LIVE: Final = "/health/live"


class Serving:
    """`casino serve --workers N` as an operator starts it."""

    def __init__(self, process: subprocess.Popen[bytes], ops_port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{ops_port}"

    def get(self, path: str) -> httpx.Response | None:
        """One question on a connection of its own, so that any worker may answer."""
        try:
            return httpx.get(self.url + path, trust_env=False, verify=False, timeout=WAIT_SECONDS)
        except httpx.TransportError:
            return None

    def scrape(self) -> Scrape:
        """One scrape."""
        response = self.get("/metrics")
        assert response is not None
        assert response.status_code == 200, response.text
        return read(response.text)

    def workers(self) -> set[int]:
        """The processes that serve; the resource tracker of multiprocessing is none of them."""
        found = set()
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):  # one that has just ended
                if "spawn_main" in " ".join(child.cmdline()):
                    found.add(child.pid)
        return found


@contextmanager
def serving(tenant: Tenant, directory: Path) -> Iterator[Serving]:
    """Start, wait until it answers, and stop."""
    ops_port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "TMPDIR": str(directory),
        "CASINO_DEMO": "1",
        "CASINO_DATABASE_URL": login_url(tenant.url),
        "CASINO_PORT": str(free_port()),
        "CASINO_OPS_PORT": str(ops_port),
    }
    with (directory / "log").open("wb") as log:
        command = [sys.executable, "-m", "casino", "serve", "--workers", str(WORKERS)]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    running = Serving(process, ops_port)
    try:
        wait_until(lambda: running.get(LIVE) is not None and len(running.workers()) == WORKERS, "all workers answer")
        yield running
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


def live_answers(seen: Scrape) -> float:
    return seen.value("casino_requests_total", endpoint=LIVE, code="ok")


def endings(directory: Path, kind: str) -> set[str]:
    """The ends of the names of the workers' files of this kind: each worker's id."""
    return {file.name.rsplit("_", 1)[1] for file in directory.glob(f"casino-metrics-*/{kind}*.db")}


@pytest.fixture
def directory() -> Iterator[Path]:
    """A folder for temporary files that only this service uses."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_one_scrape_shows_every_worker_and_forgets_only_the_gauges_of_a_dead_one(
    tenant: Tenant, directory: Path
) -> None:
    with serving(tenant, directory) as service:
        wait_until(
            lambda: {f"{worker}.db" for worker in service.workers()} <= endings(directory, "gauge_live"),
            "each worker has a file",
        )
        answered = 1 + sum(service.get(LIVE) is not None for _ in range(ASKED))
        wait_until(lambda: live_answers(service.scrape()) >= answered, "every answer is counted")
        assert len(endings(directory, "counter")) > 1, "one worker answered everything"
        killed = min(service.workers())
        before = live_answers(service.scrape())

        os.kill(killed, signal.SIGKILL)
        wait_until(
            lambda: killed not in service.workers() and len(service.workers()) == WORKERS, "another worker starts"
        )
        wait_until(lambda: service.get(LIVE) is not None, "it answers")
        # Each worker makes its page anew once a second, so an older page may come first.
        wait_until(lambda: live_answers(service.scrape()) >= before, "what a dead worker had counted stays counted")
        wait_until(
            lambda: service.scrape() and not list(directory.glob(f"casino-metrics-*/gauge_live*_{killed}.db")),
            "the files of the killed worker are gone",
        )
    assert not list(directory.glob("casino-metrics-*")), "the shared folder goes with the service"
