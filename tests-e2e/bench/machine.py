"""Describes the machine and the versions of a measurement, without a host name, an account or a path."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg

GIBIBYTE: Final = 1024**3
CPU_FACTS: Final = Path("/proc/cpuinfo")
OS_FACTS: Final = Path("/etc/os-release")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    cores: int
    memory_gib: float
    cpu: str
    system: str
    python: str
    postgres: str
    day: str


def describe_machine(database_url: str | None) -> Machine:
    return Machine(
        cores=os.cpu_count() or 0,
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIBIBYTE,
        cpu=_fact(CPU_FACTS, "model name", separator=":") or platform.machine(),
        system=f"{_fact(OS_FACTS, 'PRETTY_NAME', separator='=') or platform.system()}, kernel {_kernel_version()}",
        python=platform.python_version(),
        postgres=_postgres_facts(database_url) if database_url else "not used",
        day=datetime.now(UTC).date().isoformat(),
    )


def _kernel_version() -> str:
    """The numbers only: what follows names the machine's maker."""
    return platform.release().split("-")[0]


def _fact(path: Path, name: str, *, separator: str) -> str | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(separator)
        if key.strip() == name:
            return value.strip().strip('"')
    return None


def _postgres_facts(url: str) -> str:
    """Version and the settings that decide whether an answered debit survives a power cut."""
    names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "data_checksums", "shared_buffers")
    with psycopg.connect(url) as connection:
        values = [(name, connection.execute(f"show {name}".encode()).fetchone()) for name in names]
    version, *settings = [(name, row[0] if row else "?") for name, row in values]
    return f"{version[1]} ({', '.join(f'{name} {value}' for name, value in settings)})"
