"""The stack of a campaign: one Postgres, and two pairs of a casino and a studio that know each other.

Each pair has a database and two processes of each service; a proxy stands in front of each casino.
"""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from chaos.pairs import Pair, PeerSecrets, write_peers
from e2e_testing import postgres_faults
from e2e_testing.answers import Peer
from e2e_testing.database import Database, create_database
from e2e_testing.service_process import ServiceProcess
from e2e_testing.signing_client import Signer
from e2e_testing.stack import CASINO_HEADER, PROVIDER_HEADER, demo_environment, migrate_and_seed
from e2e_testing.two_pairs import NUMBERS, Relation, key_id
from e2e_testing.upstream import Delivery
from e2e_testing.wallet_proxy import Policy, WalletProxy
from local_stack.ports import free_port
from local_stack.postgres import Postgres
from local_stack.settings import PEERS_FILES

PROCESSES_OF_EACH = 2
CALL_SECONDS = 2.0
SUPERVISION_SECONDS = 0.1
STOP_SECONDS_MAX = 10.0
LAST_LINES = 3
PROVIDER_SETTINGS = {
    "PROVIDER_CALL_SECONDS": str(CALL_SECONDS),
    "PROVIDER_CONNECT_SECONDS": "0.5",
    "PROVIDER_LEASE_MARGIN_SECONDS": "1.0",
    "PROVIDER_OUTBOX_INTERVAL_SECONDS": "0.2",
    "PROVIDER_RETRY_FIRST_SECONDS": "0.2",
}
FAKETIME_PATHS = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)
"""Where Debian's package `faketime` puts it; CHAOS_FAKETIME names another place."""

ONLY_NUDGES = """
    create or replace function casino.risk_band(p_score integer)
    returns text language sql immutable parallel safe
    begin atomic
        select case when p_score >= 30 then 'ELEVATED' else 'CALM' end;
    end
"""
"""Players of a campaign play faster than people: what would keep them from playing for minutes is a nudge here."""


def faketime_library() -> Path | None:
    named = os.environ.get("CHAOS_FAKETIME", "")
    return next((Path(path) for path in (named, *FAKETIME_PATHS) if path and Path(path).exists()), None)


@dataclass(slots=True)
class ChaosStack:
    """Everything that runs. `down_until` is when the supervisor may bring back what listens on a port."""

    folder: Path
    postgres: Postgres
    pairs: tuple[Pair, ...]
    secrets: PeerSecrets
    clock_files: tuple[Path, ...] = ()
    came_back: int = 0
    died_alone: list[str] = field(default_factory=list)
    down_until: dict[int, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def casinos(self) -> list[ServiceProcess]:
        return [service for pair in self.pairs for service in pair.casinos]

    @property
    def providers(self) -> list[ServiceProcess]:
        return [service for pair in self.pairs for service in pair.providers]

    @property
    def services(self) -> list[ServiceProcess]:
        return [*self.casinos, *self.providers]

    @property
    def databases(self) -> dict[int, Database]:
        return {pair.number: pair.database for pair in self.pairs}

    @property
    def deliveries(self) -> list[Delivery]:
        """What reached either casino."""
        return [delivery for pair in self.pairs for delivery in pair.proxy.deliveries]

    def pair(self, number: int) -> Pair:
        return self.pairs[number - 1]

    def signer_of_studio(self, relation: Relation, turn: int) -> Signer:
        """Signs as the studio, for one of the casino's processes."""
        casino = self.pair(relation[0]).casinos[turn % PROCESSES_OF_EACH]
        return Signer(Peer(casino.url, CASINO_HEADER, self.secrets.to_casino[relation]), key_id(relation))

    def signer_of_casino(self, relation: Relation, turn: int) -> Signer:
        """Signs as the casino, for one of the studio's processes."""
        studio = self.pair(relation[1]).providers[turn % PROCESSES_OF_EACH]
        return Signer(Peer(studio.url, PROVIDER_HEADER, self.secrets.to_studio[relation]), key_id(relation))

    def kill(self, service: ServiceProcess, *, down_seconds: float) -> None:
        with self.lock:
            self.down_until[service.port] = time.monotonic() + down_seconds
            if service.process is not None:
                service.kill_9()

    def take_postgres_down(self, how: Callable[[Postgres], None], *, down_seconds: float) -> None:
        with self.lock:
            self.down_until[self.postgres_port] = time.monotonic() + down_seconds
            how(self.postgres)

    @property
    def postgres_port(self) -> int:
        assert self.postgres.port is not None
        return self.postgres.port

    def supervise(self) -> None:
        """Bring back what is not there, as an init system does, until the end.

        In one thread that outlives them: Postgres stops when the thread that started it ends.
        """
        while not self.over.wait(SUPERVISION_SECONDS):
            with self.lock, suppress(RuntimeError, TimeoutError, AssertionError):
                self._bring_postgres_back()
            for service in self.services:
                with self.lock:
                    self._bring_back(service)

    def _bring_postgres_back(self) -> None:
        if self.postgres.pid is None and self._may_run(self.postgres_port):
            postgres_faults.restart(self.postgres)
            self.came_back += 1

    def _may_run(self, port: int) -> bool:
        return not self.over.is_set() and time.monotonic() >= self.down_until.get(port, 0.0)

    def _bring_back(self, service: ServiceProcess) -> None:
        if service.process is not None and service.process.poll() is not None:
            last = service.log_tail().splitlines()[-LAST_LINES:]
            self.died_alone.append(f"{service.package} ended by itself with {service.process.returncode}: {last}")
            service.kill_9()
        if service.process is None and self._may_run(service.port):
            service.start()
            self.came_back += 1

    def logs(self) -> list[Path]:
        return [*self.folder.glob("*.log")]


@contextmanager
def start_chaos_stack(folder: Path, policies: Mapping[int, Policy], secrets: PeerSecrets) -> Iterator[ChaosStack]:
    """Start everything; in the end nothing of it runs any more, whatever happened. `policies`: by the casino."""
    with ExitStack() as cleanup:
        postgres = postgres_faults.fixed_server(folder)
        cleanup.callback(postgres.stop, "immediate")
        postgres.start()
        first = create_database(postgres.url())
        migrate_and_seed(first)
        databases = {1: first, 2: create_database(postgres.url(), template=first)}
        for database in databases.values():
            database.rows(ONLY_NUDGES)
        ports = {number: (_ports(), _ports()) for number in NUMBERS}
        pairs = []
        for number in NUMBERS:
            cleanup.callback(databases[number].disconnect)
            proxy = cleanup.enter_context(WalletProxy(*ports[number][0], policy=policies[number]))
            pairs.append(Pair(number, databases[number], proxy))
        library = faketime_library()
        clock_files = (folder / "casino-clock", folder / "provider-clock") if library else ()
        stack = ChaosStack(folder, postgres, tuple(pairs), secrets, clock_files=clock_files)
        for pair in pairs:
            for process in range(PROCESSES_OF_EACH):
                _add_processes(stack, pair, ports, process=process, library=library)
        cleanup.callback(_stop_all, stack)
        for service in stack.services:
            service.start()
        for service in stack.services:
            service.wait_until_ready()
        supervisor = threading.Thread(target=stack.supervise, daemon=True)
        supervisor.start()
        cleanup.callback(supervisor.join, STOP_SECONDS_MAX)
        cleanup.callback(stack.over.set)
        yield stack


def _add_processes(
    stack: ChaosStack,
    pair: Pair,
    ports: Mapping[int, tuple[list[int], list[int]]],
    *,
    process: int,
    library: Path | None,
) -> None:
    """One process of each service of a pair, with its file of peers. Each calls one process of a peer, for ever."""
    own, other = pair.number, 3 - pair.number
    studios = {number: f"http://127.0.0.1:{ports[number][1][process]}" for number in NUMBERS}
    urls = {"casino": studios[other], "provider": stack.pair(other).proxy.url}
    own_relation = (own, own)
    environment = demo_environment(pair.database, casino_url=pair.proxy.url, provider_url=studios[own]) | {
        "CASINO_SECRET": stack.secrets.to_casino[own_relation],
        "PROVIDER_SECRET": stack.secrets.to_studio[own_relation],
        "LOG_FORMAT": "json",
        "CASINO_TRUSTED_PROXIES": "127.0.0.1/32",  # each guest of the platform has an address of its own
    }
    # The last of each has a clock that can be stepped: the other one shows what happens with a good clock.
    steps: list[dict[str, str]] = [{}, {}]
    if library and process == PROCESSES_OF_EACH - 1:
        steps = [_clock_environment(library, clock_file) for clock_file in stack.clock_files]
    more = {"casino": steps[0], "provider": PROVIDER_SETTINGS | steps[1]}
    for service, processes, own_ports in zip(more, (pair.casinos, pair.providers), ports[own], strict=True):
        name = f"{service}-{own}-{process}"
        peers = stack.folder / f"{name}-peers.json"
        write_peers(peers, service, own, url=urls[service], secrets=stack.secrets)
        settings = environment | more[service] | {PEERS_FILES[service]: str(peers)}
        processes.append(ServiceProcess(service, own_ports[process], settings, stack.folder / f"{name}.log"))


def new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="chaos-"))


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _ports() -> list[int]:
    ports: list[int] = []
    while len(ports) < PROCESSES_OF_EACH:
        if (port := free_port()) not in ports:
            ports.append(port)
    return ports


def _clock_environment(library: Path, clock_file: Path) -> dict[str, str]:
    clock_file.write_text("+0s")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock_file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def _stop_all(stack: ChaosStack) -> None:
    """A frozen process cannot end: everything is thawed first. Killed, not stopped: the books are closed already."""
    for service in stack.services:
        if service.process is not None:
            with suppress(ProcessLookupError):
                service.process.send_signal(signal.SIGCONT)
            service.kill_9()
