"""Row A8: the disk under the WAL answers EIO to fdatasync, again and again, injected by strace under load.

Postgres must panic and recover rather than acknowledge what it could not make durable: a second fsync that succeeds
proves nothing about the bytes of the first. What was acknowledged is there afterwards.
"""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e_testing.both_books import require_agreement
from e2e_testing.postgres_faults import server_processes
from faults.betting import Betting
from faults.postgres_stack import PostgresStack, Rounds, running_server, stack_on
from local_stack.postgres import Postgres
from shared_service_testing.waiting import wait_until

pytestmark = pytest.mark.slow

PLAYERS = 4
ANSWERS_BEFORE = 40
ANSWERS_AFTER = 40
PANICS = 2
EVERY_NTH = 15
DETACH_SECONDS_MAX = 30.0
PANIC = "PANIC:  could not fdatasync file"


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[PostgresStack]:
    with running_server(tmp_path / "server") as server, stack_on(server, tmp_path) as faulty:
        yield faulty


@contextmanager
def failing_syncs(server: Postgres, log: Path) -> Iterator[None]:
    """Every n-th fdatasync of every process of the server fails with EIO, also of those that are forked later."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: apt-get install strace")
    pids = [word for pid in server_processes(server) for word in ("-p", str(pid))]
    inject = f"inject=fdatasync:error=EIO:when={EVERY_NTH}+{EVERY_NTH}"
    said = log.with_suffix(".said")
    with said.open("wb") as output:
        tracer = subprocess.Popen(
            [strace, "-f", "-e", "trace=fdatasync", "-e", inject, "-o", str(log), *pids],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until(
            lambda: "attached" in said.read_text() or tracer.poll() is not None, "strace neither attached nor ended"
        )
        if "attached" not in said.read_text():
            pytest.skip(f"this machine forbids ptrace: {said.read_text().strip()[:200]}")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)  # detaches; the server lives on, unless it panicked just now
        try:
            tracer.wait(DETACH_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait(DETACH_SECONDS_MAX)


def panics(server: Postgres) -> int:
    return server.log_path.read_text(errors="replace").count(PANIC)


def test_a_disk_that_fails_to_sync_loses_nothing_acknowledged(faulty: PostgresStack, tmp_path: Path) -> None:
    """Row A8."""
    log = tmp_path / "strace.log"
    player = faulty.stack.open_player()
    with Betting(faulty.stack.casino, faulty.sessions(PLAYERS)) as betting, Rounds(faulty, [player]):
        betting.wait_for(ANSWERS_BEFORE)
        with failing_syncs(faulty.server, log):
            wait_until(lambda: panics(faulty.server) >= PANICS, lambda: f"only {panics(faulty.server)} panics")
        betting.wait_for(ANSWERS_AFTER)
    injected = log.read_text(errors="replace").count("(INJECTED)")
    assert injected >= PANICS, "strace injected nothing: the disk was fine"
    betting.ask_again().require_nothing_lost()
    require_agreement(faulty.database)
