"""What a load costs the operator: processor time of services and Postgres, and bytes of WAL. Linux only."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from bench.services import Books
from e2e_testing.service_process import ServiceProcess
from local_stack.postgres import Postgres

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_STAT_TIMES: Final = slice(11, 15)
"""utime, stime, cutime and cstime, counted from the field after the command's name."""


@dataclass(slots=True)
class Spent:
    """Filled when the block of `metered` ends."""

    processor_seconds: float = 0.0
    wal_bytes: int = 0


@contextmanager
def metered(postgres: Postgres, books: Books, services: Sequence[ServiceProcess]) -> Iterator[Spent]:
    """Yields what the services and Postgres spend in the block; the load generator's time is not in it."""
    spent = Spent()
    wal, seconds = _wal_position(books), _processor_seconds(postgres, services)
    yield spent
    spent.processor_seconds = _processor_seconds(postgres, services) - seconds
    spent.wal_bytes = _wal_position(books) - wal


def _wal_position(books: Books) -> int:
    with psycopg.connect(books.database.url) as connection:
        (position,) = connection.execute(
            "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
        ).fetchone() or (0,)
        return int(position)


def _processor_seconds(postgres: Postgres, services: Sequence[ServiceProcess]) -> float:
    """Of these processes and their children, those that have ended included."""
    pids = [service.pid for service in services]
    if postgres.pid is not None:
        pids.append(postgres.pid)
    return sum(processor_seconds(pid) for own in pids for pid in (own, *children_of(own)))


def children_of(pid: int) -> list[int]:
    """The processes that this one started and that have not ended."""
    return [int(child) for child in _read(pid, "task", str(pid), "children").split()]


def processor_seconds(pid: int) -> float:
    """What a process has computed for, with its children that have ended."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return sum(map(int, fields[_STAT_TIMES])) / TICKS_PER_SECOND


def _read(pid: int, *names: str) -> str:
    """A file of /proc; empty for a process that has ended, whose time its parent has by then."""
    try:
        return Path("/proc", str(pid), *names).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
