"""A standby of a server of ours: made by a base backup, synchronous or not, promoted, and a former primary rewound.

Fencing comes first: nothing here promotes a standby whose primary still answers.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from e2e_testing.postgres_faults import (
    fixed_server,
    frozen_processes,
    server_processes,
    wait_until_gone,
)
from local_stack.account import run_as, server_account
from local_stack.cluster import place_cluster, remove_cluster
from local_stack.postgres import Postgres
from shared_service_testing.waiting import wait_until

STANDBY_NAME = "standby"
FOLLOWER = "select {} from pg_stat_replication where application_name = '" + STANDBY_NAME + "'"
BACKUP_SECONDS_MAX = 120
KEEP_WAL = {"wal_keep_size": "512MB"}


@contextmanager
def running_standby(primary: Postgres, state_dir: Path) -> Iterator[Postgres]:
    """A hot standby of that primary at an address of its own; stopped and removed in the end."""
    standby = make_standby(primary, state_dir)
    try:
        standby.start()
        wait_until_streaming(primary)
        yield standby
    finally:
        standby.stop("immediate")
        wait_until_gone(standby)
        remove_cluster(state_dir)
        shutil.rmtree(state_dir, ignore_errors=True)


def make_standby(primary: Postgres, state_dir: Path) -> Postgres:
    """A copy of the primary that will follow it; not started."""
    state_dir.mkdir(parents=True, exist_ok=True)
    shutil.copytree(primary.state_dir / "passwords", state_dir / "passwords")
    standby, account = fixed_server(state_dir, settings=KEEP_WAL | {"cluster_name": STANDBY_NAME}), server_account()
    place_cluster(standby.state_dir, account)
    run_as(
        account,
        [
            standby.bin_dir / "pg_basebackup",
            *("-D", standby.data_dir.parent.resolve() / "data", "-d", conninfo(primary), "-R", "-X", "stream"),
            *("-c", "fast"),
        ],
        timeout_seconds=BACKUP_SECONDS_MAX,
    )
    return standby


def conninfo(server: Postgres) -> str:
    return make_conninfo(server.url(), application_name=STANDBY_NAME)


def synchronise(primary: Postgres, *, on: bool = True) -> None:
    """From now on a commit is acknowledged when the standby has it on its disk as well; or no longer so."""
    ask(primary, f"alter system set synchronous_standby_names = '{STANDBY_NAME if on else ''}'")
    ask(primary, "select pg_reload_conf()")
    wait_for_answer(primary, "select current_setting('synchronous_standby_names')", STANDBY_NAME if on else "")
    if on:
        wait_for_answer(
            primary, f"select sync_state from pg_stat_replication where application_name = '{STANDBY_NAME}'", "sync"
        )


def wait_until_streaming(primary: Postgres) -> None:
    wait_for_answer(primary, FOLLOWER.format("state"), "streaming")


@contextmanager
def replication_stopped(primary: Postgres) -> Iterator[None]:
    """Commits go on, and nothing of them reaches the standby; as behind a network that swallows packets."""
    rows = ask(primary, "select pid from pg_stat_replication")
    with frozen_processes([row[0] for row in rows]):
        yield


def kill_with_its_senders(primary: Postgres) -> None:
    """kill -9 of the primary, also of processes that were frozen and cannot notice that their postmaster died."""
    postmaster = primary.pid
    assert postmaster is not None, "the primary does not run"
    others = [pid for pid in server_processes(primary) if pid != postmaster]
    for pid in [postmaster, *others]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not server_processes(primary), "the primary does not die")


def promote(standby: Postgres) -> float:
    """Make it the primary; answers the seconds until it took writes."""
    started = time.monotonic()
    ask(standby, "select pg_promote()")
    wait_for_answer(standby, "select pg_is_in_recovery()::text", "false")
    return time.monotonic() - started


def rewind(former: Postgres, primary: Postgres) -> None:
    """Make the former primary a standby of the new one: what only it had is thrown away."""
    run_as(
        server_account(),
        [
            former.bin_dir / "pg_rewind",
            *("--target-pgdata", former.data_dir.resolve(), "--source-server", conninfo(primary)),
            "--write-recovery-conf",
        ],
        timeout_seconds=BACKUP_SECONDS_MAX,
    )


def ask(server: Postgres, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.url(), autocommit=True, connect_timeout=30) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description is not None else []


def wait_for_answer(server: Postgres, question: str, answer: str) -> None:
    wait_until(
        lambda: ask(server, question) == [(answer,)], lambda: f"{question}: {ask(server, question)}, not {answer!r}"
    )
