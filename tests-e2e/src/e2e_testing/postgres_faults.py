"""What can happen to a Postgres server: killed, stopped at once, one backend shot, frozen and thawed, started again.

Works on a `local_stack.postgres.Postgres` that this suite started itself.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from local_stack.ports import free_port
from local_stack.postgres import Postgres
from shared_service_testing.waiting import wait_until

SYSTEM_PROCESSES = (
    "checkpointer",
    "background writer",
    "walwriter",
    "autovacuum",
    "logical",
    "io worker",
    "wal",
    "startup",
)


def fixed_server(state_dir: Path, *, settings: Mapping[str, str] = MappingProxyType({})) -> Postgres:
    """A server that comes back at its address after every crash, as a supervised one does. Not started."""
    return Postgres(state_dir, port=free_port(), settings=settings)


def server_processes(server: Postgres) -> list[int]:
    """Every live process of the cluster: those whose working directory is its data folder, orphans included."""
    data_dir, found = server.data_dir.resolve(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if (entry / "cwd").resolve(strict=True) == data_dir and _state(int(entry.name)) != "Z":
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def backends(server: Postgres) -> list[int]:
    """The processes that serve a client's connection."""
    return [pid for pid in server_processes(server) if pid != server.pid and _serves_a_client(pid)]


def kill_9(server: Postgres) -> None:
    """The postmaster dies without a word; its children notice and go. As after the kernel's out-of-memory killer."""
    _signal_postmaster(server, signal.SIGKILL)
    wait_until_gone(server)


def stop_immediately(server: Postgres) -> None:
    """What `pg_ctl stop -m immediate` does: no checkpoint, no goodbye; the next start recovers from the WAL."""
    server.stop("immediate")
    wait_until_gone(server)


def kill_one_backend(server: Postgres, *, choose: Callable[[list[int]], int] = min) -> int | None:
    """kill -9 of one client's backend: the postmaster throws everybody out and recovers. None: there is no backend."""
    serving = backends(server)
    if not serving:
        return None
    victim = choose(serving)
    _send(victim, signal.SIGKILL)
    return victim


@contextmanager
def frozen_processes(pids: Sequence[int]) -> Iterator[None]:
    """SIGSTOP inside the block, SIGCONT after it, also after an error: the sockets stay open and no process answers."""
    try:
        for pid in pids:
            _send(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            _send(pid, signal.SIGCONT)


@contextmanager
def frozen(server: Postgres, *, only_backends: bool = False) -> Iterator[None]:
    """The whole server, or only those who serve clients, as if the machine were starved or its disk hung."""
    with frozen_processes(backends(server) if only_backends else server_processes(server)):
        yield


def restart(server: Postgres) -> float:
    """Start it again at the same address; answers the seconds until it took connections, recovery included."""
    started = time.monotonic()
    wait_until_gone(server)
    server.start()
    return time.monotonic() - started


def wait_until_gone(server: Postgres) -> None:
    """No process of the cluster is left: a start beside an orphaned backend would be two servers on one folder."""

    def is_gone() -> bool:
        left = server_processes(server)
        assert not left or server.pid is None, f"the postmaster {server.pid} still runs"
        return not left

    wait_until(is_gone, lambda: f"processes of a dead server are still there: {server_processes(server)}")


def _signal_postmaster(server: Postgres, how: signal.Signals) -> None:
    assert server.pid is not None, "the server does not run"
    _send(server.pid, how)
    wait_until(lambda: server.pid is None, "the postmaster does not die")


def _serves_a_client(pid: int) -> bool:
    """By its title, `postgres: <login> <database> <address> <doing>`; the server's own processes name their work."""
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
    except OSError:
        return False
    work = title.partition("postgres: ")[2]
    return bool(work) and not work.startswith(SYSTEM_PROCESSES)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _send(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return
